"""Statements for the table check, under the auditor's login: the log in order, and the tables, in one snapshot.

Rows come through server-side cursors. Catalogue numbers become slugs, bytes hexadecimal, and ids text.
"""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from consent_registry.domain.errors import Unusable
from consent_registry.storage.database.connections import connect
from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.definer_checks import require_no_escalation
from consent_registry.storage.oversight.table_check_tables import STATEMENTS

_AT_ONCE = 2000
_PARTNER = frozenset(
    {"partner_id", "recorder_id", "sender_id", "recipient_id", "holder_id", "towards_id", "guardian_id"}
    | {"for_partner_id", "actor_id"}
)
_PURPOSE = frozenset({"purpose_id", "subject_purpose_id"})
# No partner has number 0: in the log's columns it is the network's administration.
_ADMINISTRATION = {0: "administration"}


class CatalogueSlugs(msgspec.Struct, frozen=True):
    """The slugs of a network's partners, purposes and categories by their numbers."""

    partners: dict[int, str]
    purposes: dict[int, str]
    categories: dict[int, str]

    def row(self, record: asyncpg.Record) -> dict[str, Any]:
        """The values of a row as events have them: slugs for numbers, texts for ids and digests."""
        return {name: self._value(name, value) for name, value in record.items()}

    def _value(self, name: str, value: Any) -> Any:  # noqa: ANN401 - of whatever type a column has
        if isinstance(value, uuid.UUID):
            return str(value)
        if name in _PARTNER:
            return _named(self.partners, value)
        if name in _PURPOSE:
            return _named(self.purposes, value)
        if name in {"sha256", "content", "translation_of", "evidence_sha256", "form_sha256"}:
            return None if value is None else value.hex()
        if name in {"policies", "flags", "functions", "asked_flows", "aliases"}:
            return None if value is None else msgspec.json.decode(value)
        if isinstance(value, list):
            slugs = {
                "partner_ids": self.partners,
                "purpose_ids": self.purposes,
                "category_ids": self.categories,
            }.get(name)
            return tuple(map(_plain, value)) if slugs is None else _sorted(_named(slugs, number) for number in value)
        return value


def _plain(value: object) -> object:
    return str(value) if isinstance(value, uuid.UUID) else value


def _sorted(slugs: Iterable[str | None]) -> tuple[str, ...]:
    """Sort without removing duplicates, because a duplicate entry is a difference."""
    return tuple(sorted(slug or "" for slug in slugs))


def _named(slugs: Mapping[int, str], number: int | None) -> str | None:
    return None if number is None else slugs.get(number, f"number {number}")


@asynccontextmanager
async def open_snapshot(dsn: str) -> AsyncIterator[Connection]:
    """Open a read-only connection that sees one snapshot of the database.

    Raises Unusable if row-level security hides rows from the login, because they would seem to be missing, or if a
    login of the database could become the owner of every table.
    """
    connection = await connect(dsn, timeout=10)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            whole = await connection.fetchval(
                """
                select not row_security_active('registry.consents') or exists (
                    select from pg_policies where schemaname = 'registry' and policyname = 'consents_audit'
                        and current_user = any (roles))
                """
            )
            if not whole:
                raise Unusable("this login does not see whole networks: log in as the auditor role")
            await require_no_escalation(connection)
            yield connection
    finally:
        await connection.close()


async def list_networks(connection: Connection) -> dict[str, tuple[int, str]]:
    """The number and log origin of every network, by slug."""
    rows = await connection.fetch(
        """
        select slug, network_id, log_origin from registry.networks
        where slug is not null and network_id is not null order by slug
        """
    )
    return {row["slug"]: (row["network_id"], row["log_origin"]) for row in rows}


async def enter_network(connection: Connection, network_id: int) -> CatalogueSlugs:
    """Give this transaction access to one network's rows. Returns the network's names."""
    await connection.execute(f"set local registry.network = {int(network_id)}")
    statements = (
        "select partner_id, slug from registry.partners where network_id = $1",
        "select purpose_id, slug from registry.purposes where network_id = $1",
        "select category_id, slug from registry.data_categories where network_id = $1",
    )
    partners, purposes, categories = [
        {row[0]: row[1] for row in await connection.fetch(statement, network_id)} for statement in statements
    ]
    return CatalogueSlugs(_ADMINISTRATION | partners, purposes, categories)


async def read_log(connection: Connection, network_id: int) -> AsyncIterator[asyncpg.Record]:
    """Yield every place of the log in order: leaf, event, nonce, search columns, and the link code that a link
    redeemed. Leaf or event may be missing.
    """
    cursor = connection.cursor(
        """
        select log_index, l.leaf, e.event, e.nonce, e.event_id, e.client_id, e.at, e.actor_id, e.sender_id,
            e.recipient_id, e.purpose_id, e.kind, e.outcome, e.person, k.link_code_id, k.link_id
        from (select log_index, leaf from registry.leaves where network_id = $1) l
        full join (select * from registry.events where network_id = $1) e using (log_index)
        left join registry.links k on k.network_id = $1 and k.link_id = e.event_id and e.kind = registry.kind('link')
        order by log_index
        """,
        network_id,
        prefetch=_AT_ONCE,
    )
    async for row in cursor:
        yield row


async def has_removal_from(connection: Connection, network_id: int, start: int) -> bool:
    """Whether the log records a removal (an erasure or a retention) at this index or later."""
    there: bool = await connection.fetchval(
        """
        select exists (
            select from registry.events
            where network_id = $1 and kind in (registry.kind('erasure'), registry.kind('retention'))
              and log_index >= $2)
        """,
        network_id,
        start,
    )
    return there


async def read_table(
    connection: Connection, network_id: int, names: CatalogueSlugs, table: str
) -> AsyncIterator[dict[str, Any]]:
    """Yield the rows of a table, in no particular order."""
    async for row in connection.cursor(STATEMENTS[table], network_id, prefetch=_AT_ONCE):
        yield names.row(row)


class StoredReference(msgspec.Struct, frozen=True):
    """A stored reference with the event of its registration and that event's nonce; both None if the event
    was removed.
    """

    client_id: uuid.UUID
    partner_id: int
    digest: bytes | None
    digest_key: str | None
    ciphertext: bytes | None
    event: bytes | None
    nonce: bytes | None


async def read_references(connection: Connection, network_id: int) -> AsyncIterator[StoredReference]:
    """Yield every reference with the event that registered it, as a client or by a link code. (Events without an actor
    are about client numbers other than the command's own.)
    """
    cursor = connection.cursor(
        """
        select r.client_id, r.partner_id, r.digest, r.digest_key, r.sealed, e.event, e.nonce
        from registry.client_references r
        left join lateral (
            select o.event, o.nonce from registry.events o
            where o.network_id = $1 and o.client_id = r.client_id and o.actor_id is not null
              and o.kind in (registry.kind('client'), registry.kind('link'))
            order by o.log_index limit 1
        ) e on true
        where r.network_id = $1
        """,
        network_id,
        prefetch=_AT_ONCE,
    )
    async for row in cursor:
        yield StoredReference(*row)


class StoredText(msgspec.Struct, frozen=True):
    """A stored encrypted text: its column, its row's key, the partner that may read it, and its event with the nonce;
    both None if the event was removed.
    """

    column: str
    row_id: uuid.UUID
    partner_id: int
    ciphertext: bytes | None
    event: bytes | None
    nonce: bytes | None


async def read_encrypted_texts(connection: Connection, network_id: int) -> AsyncIterator[StoredText]:
    """Yield every encrypted text of consents, of their evidence (which always has one), and of releases."""
    cursor = connection.cursor(
        """
        select o.place, o.row_id, o.partner_id, o.sealed, e.event, e.nonce
        from (
            select 'consents.evidence_kept_at' as place, consent_id as row_id, recorder_id as partner_id,
                evidence_kept_at as sealed, consent_id as told_by, registry.kind('consent') as kind
            from registry.consents where network_id = $1
            union all
            select 'consent_evidence.kept_at', v.consent_id, c.recorder_id, v.kept_at, v.evidence_id,
                registry.kind('evidence')
            from registry.consent_evidence v
            join registry.consents c on c.network_id = $1 and c.consent_id = v.consent_id
            where v.network_id = $1
            union all
            select 'releases.function_sealed', r.release_id, c.recorder_id, r.function_sealed, r.consent_id,
                registry.kind('consent')
            from registry.releases r
            join registry.consents c on c.network_id = $1 and c.consent_id = r.consent_id
            where r.network_id = $1
        ) o
        left join registry.events e on e.network_id = $1 and e.event_id = o.told_by and e.kind = o.kind
        where o.sealed is not null or o.place = 'consent_evidence.kept_at'
        """,
        network_id,
        prefetch=_AT_ONCE,
    )
    async for row in cursor:
        yield StoredText(*row)


async def read_transfers(
    connection: Connection, network_id: int, names: CatalogueSlugs
) -> AsyncIterator[dict[str, Any]]:
    """Yield every reported transfer with its event's bytes, in the order of ids. Transfer or event may be missing."""
    cursor = connection.cursor(
        """
        select t.transfer_id, t.decision_id, t.partner_id, t.client_id, t.outcome, t.category_ids, t.transferred_at,
            t.recorded_at, e.event, e.log_index
        from (select * from registry.transfers where network_id = $1) t
        full join (select event_id, event, log_index from registry.events
            where network_id = $1 and kind = registry.kind('transfer')) e
          on e.event_id = t.transfer_id
        order by t.transfer_id
        """,
        network_id,
        prefetch=_AT_ONCE,
    )
    async for row in cursor:
        yield names.row(row)
