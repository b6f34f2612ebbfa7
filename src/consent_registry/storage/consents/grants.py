"""Statements for grants with their changes and releases. Row-level security shows those of this
transaction's partners.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from consent_registry.domain.grants import Change, Grant
from consent_registry.domain.secrecy import Release
from consent_registry.storage.database.database import Connection

GrantRow = asyncpg.Record | Mapping[str, Any]

# The columns of grant × change for other persons' grants, in the order of the statement for a decision's facts.
OTHERS = (
    *("grant_id", "consent_id", "client_id", "sender_id", "recipient_id", "purpose_id", "category_ids", "explicit"),
    *("answer", "valid_from", "valid_until", "recorder_id", "given_at", "third_parties", "third_party_grants"),
    *("evidence_follows", "entrusted_by"),
    *("kind", "effective_at", "recorded_at", "changed_category_ids", "changed_until", "by_grant_id"),
)

_SELECT = """
    select g.client_id as home_id,
        g.grant_id, g.consent_id, g.sender_id, g.recipient_id, g.purpose_id, g.category_ids, g.explicit, g.answer,
        g.valid_from, g.valid_until, g.recorder_id, c.kind, c.effective_at, c.recorded_at,
        c.category_ids as changed_category_ids, c.valid_until as changed_until, c.by_grant_id, k.renews, g.given_at,
        g.third_parties, g.third_party_grants, g.evidence_follows, g.entrusted_by, g.release_ids, k.given_at_precision,
        k.recorded_at as of_paper
    from registry.grants g
    join registry.consents k on k.network_id = g.network_id and k.consent_id = g.consent_id
    left join registry.grant_changes c on c.network_id = g.network_id and c.grant_id = g.grant_id
"""


def grants_from_rows(rows: Iterable[GrantRow]) -> list[Grant]:
    """Build grants from rows of grant × change, in the order in which the grants first appear."""
    first: dict[Any, GrantRow] = {}
    changes: dict[Any, list[Change]] = {}
    for row in rows:
        number = row["grant_id"]
        first.setdefault(number, row)
        of_grant = changes.setdefault(number, [])
        if row["kind"] is not None:
            changed = row["changed_category_ids"]
            of_grant.append(
                Change(
                    row["kind"],
                    row["effective_at"],
                    row["recorded_at"],
                    None if changed is None else frozenset(changed),
                    row["changed_until"],
                    None if row["by_grant_id"] is None else str(row["by_grant_id"]),
                )
            )
    return [_grant(row, tuple(changes[number])) for number, row in first.items()]


def _grant(row: GrantRow, changes: tuple[Change, ...]) -> Grant:
    sender_id, recipient_id = row["sender_id"], row["recipient_id"]
    return Grant(
        grant_id=str(row["grant_id"]),
        consent_id=str(row["consent_id"]),
        sender_id=sender_id,
        recipient_id=recipient_id,
        purpose_id=row["purpose_id"],
        category_ids=tuple(row["category_ids"]),
        explicit=row["explicit"],
        answer=row["answer"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        recorder_id=row["recorder_id"],
        changes=changes,
        releases=tuple(_release(sender_id, recipient_id, limits) for limits in row.get("releases") or ()),
        renews=None if row.get("renews") is None else str(row["renews"]),
        given_at=row["given_at"],
        third_parties=row["third_parties"],
        third_party_grants=tuple(map(str, row["third_party_grants"] or ())),
        depends_on=tuple(_others(row.get("others") or ())),
        client_id=str(row.get("home_id") or ""),
        evidence_follows=row["evidence_follows"],
        entrusted_by=row["entrusted_by"],
        given_at_precision=row.get("given_at_precision") or "instant",
        recorded_at=row.get("of_paper"),
        release_ids=tuple(map(str, row.get("release_ids") or ())),
    )


def _release(sender_id: int, recipient_id: int, limits: Sequence[Any]) -> Release:
    """A release in force that serves a grant, from its limits: purposes, categories and end, each may be None."""
    purposes, categories, valid_until = limits
    return Release(
        sender_id,
        recipient_id,
        live=True,
        purpose_ids=None if purposes is None else frozenset(purposes),
        category_ids=None if categories is None else frozenset(categories),
        valid_until=valid_until,
    )


def _others(rows: Sequence[tuple[Any, ...]]) -> list[Grant]:
    """The other persons' grants that a grant depends on, from rows without column names (see `OTHERS`)."""
    return grants_from_rows([dict(zip(OTHERS, row, strict=True)) for row in rows]) if rows else []


async def find_grants_of_consents(connection: Connection, network_id: int, consent_ids: Sequence[str]) -> list[Grant]:
    """The grants of these consents that this transaction's partners may read.

    The statement reads each table once and joins the parts itself. The planner's join would scan a table once per grant
    if thousands of rows were added since its last ANALYZE.
    """
    rows = await connection.fetch(
        """
        with g as materialized (
            select * from registry.grants where network_id = $1 and consent_id = any ($2::uuid[])
        ), k as materialized (
            select consent_id, renews from registry.consents where network_id = $1 and consent_id = any ($2::uuid[])
        ), c as materialized (
            select * from registry.grant_changes
            where network_id = $1 and grant_id = any (array(select grant_id from g))
        )
        select g.client_id as home_id, g.grant_id, g.consent_id, g.sender_id, g.recipient_id, g.purpose_id,
            g.category_ids, g.explicit, g.answer, g.valid_from, g.valid_until, g.recorder_id, c.kind, c.effective_at,
            c.recorded_at, c.category_ids as changed_category_ids, c.valid_until as changed_until, c.by_grant_id,
            k.renews, g.given_at, g.third_parties, g.third_party_grants, g.evidence_follows, g.entrusted_by,
            g.release_ids
        from g join k on k.consent_id = g.consent_id left join c on c.grant_id = g.grant_id
        order by g.grant_id
        """,
        network_id,
        consent_ids,
    )
    return grants_from_rows(rows)


async def find_grants_of_clients(connection: Connection, network_id: int, client_ids: Sequence[str]) -> list[Grant]:
    """The grants of these clients that this transaction's partners may read."""
    rows = await connection.fetch(
        _SELECT + " where g.network_id = $1 and g.client_id = any ($2::uuid[]) order by g.grant_id",
        network_id,
        client_ids,
    )
    return grants_from_rows(rows)


async def add_grants(connection: Connection, network_id: int, grants: Sequence[Grant]) -> None:
    """Add the grants of one consent."""
    await connection.executemany(
        """
        insert into registry.grants
            (network_id, grant_id, consent_id, client_id, recorder_id, sender_id, recipient_id, purpose_id,
             category_ids, explicit, answer, valid_from, valid_until, given_at, third_parties, third_party_grants,
             evidence_follows, entrusted_by, release_ids)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        """,
        [
            (
                network_id,
                grant.grant_id,
                grant.consent_id,
                grant.client_id,
                grant.recorder_id,
                grant.sender_id,
                grant.recipient_id,
                grant.purpose_id,
                list(grant.category_ids),
                grant.explicit,
                grant.answer,
                grant.valid_from,
                grant.valid_until,
                grant.given_at,
                grant.third_parties,
                list(grant.third_party_grants) or None,
                grant.evidence_follows,
                grant.entrusted_by,
                list(grant.release_ids) or None,
            )
            for grant in grants
        ],
    )


class GrantChange(msgspec.Struct, frozen=True):
    """A change of a grant to be recorded, with the id of the act that makes it."""

    grant: Grant
    change_id: str
    act_id: str
    change: Change


async def add_grant_changes(connection: Connection, network_id: int, changes: Sequence[GrantChange]) -> None:
    """Add changes of grants, each under its grant's client number."""
    await connection.executemany(
        """
        insert into registry.grant_changes
            (network_id, grant_id, change_id, act_id, client_id, partner_ids, kind, category_ids, valid_until,
             by_grant_id, effective_at, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        [
            (
                network_id,
                row.grant.grant_id,
                row.change_id,
                row.act_id,
                row.grant.client_id,
                sorted(row.grant.readers),
                row.change.kind,
                None if row.change.category_ids is None else sorted(row.change.category_ids),
                row.change.valid_until,
                row.change.by_grant_id,
                row.change.effective_at,
                row.change.recorded_at,
            )
            for row in changes
        ],
    )


async def read_clock(connection: Connection) -> datetime:
    """The database's time at the start of this statement: the only clock that commands use."""
    now: datetime = await connection.fetchval("select statement_timestamp()")
    return now
