"""Statements for consents, their evidence and their releases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from consent_registry.domain.grants import Change, Precision
from consent_registry.domain.releases import RecordedRelease
from consent_registry.storage.database.database import Connection


class ConsentRow(msgspec.Struct, frozen=True):
    """A stored consent, without the columns that are for its recorder only."""

    consent_id: str
    client_id: str
    recorder_id: int
    text_id: str
    language: str
    giver_role: str
    given_at: datetime
    valid_from: datetime
    valid_until: datetime
    recorded_at: datetime
    renews: str | None = None
    remarks: Sequence[str] = ()
    giver_adult_from: str | None = None


class NewConsent(msgspec.Struct, frozen=True):
    """A consent to be recorded; `evidence_kept_at` is encrypted."""

    consent_id: str
    client_id: str
    recorder_id: int
    partner_ids: list[int]
    text_id: str
    language: str
    giver_role: str
    giver_age_band: str | None
    giver_insight_assessed_by: str | None
    giver_mandate_until: datetime | None
    method: str
    special_circumstances: str | None
    evidence_sha256: bytes | None
    evidence_media_type: str | None
    evidence_kept_at: bytes | None
    explained_by: str
    interpreter_kind: str
    interpreter_language: str | None
    told: list[str]
    copy_handed: bool | None
    given_at: datetime
    valid_from: datetime
    valid_until: datetime
    recorded_at: datetime
    renews: str | None
    guardian_id: int | None
    remarks: Sequence[str]
    giver_adult_from: str | None
    giver_insight: str | None
    giver_direct_counselling: bool | None
    giver_care: str | None
    giver_scope: list[str] | None
    co_giver_roles: list[str]
    co_giver_assessors: list[str | None]
    given_at_precision: Precision
    client_language: str | None


class NewEvidence(msgspec.Struct, frozen=True):
    """Evidence that followed a consent; `kept_at` is encrypted."""

    consent_id: str
    evidence_id: str
    client_id: str
    partner_ids: list[int]
    sha256: bytes
    media_type: str
    kept_at: bytes
    recorded_at: datetime


def _consent(row: asyncpg.Record) -> ConsentRow:
    ids = {
        name: None if row[name] is None else str(row[name]) for name in ("consent_id", "client_id", "text_id", "renews")
    }
    return ConsentRow(**(dict(row) | ids))


async def find_consent(connection: Connection, network_id: int, consent_id: str) -> ConsentRow | None:
    """The consent, if this transaction's partners may read it; else None."""
    row = await connection.fetchrow(
        """
        select consent_id, client_id, recorder_id, text_id, language, giver_role, given_at, valid_from, valid_until,
            recorded_at, renews, remarks, giver_adult_from
        from registry.consents where network_id = $1 and consent_id = $2
        """,
        network_id,
        consent_id,
    )
    return None if row is None else _consent(row)


async def list_consents(
    connection: Connection,
    network_id: int,
    client_ids: Sequence[str] | None,
    before: str | None,
    limit: int,
    without_evidence_by: int | None = None,
) -> list[ConsentRow]:
    """Up to `limit` consents that this transaction's partners may read, newest first, older than `before`. None for
    `client_ids` means all clients. With `without_evidence_by` only consents that this partner recorded and whose
    evidence is still missing.
    """
    rows = await connection.fetch(
        """
        select consent_id, client_id, recorder_id, text_id, language, giver_role, given_at, valid_from, valid_until,
            recorded_at, renews, remarks, giver_adult_from
        from registry.consents
        where network_id = $1 and ($2::uuid[] is null or client_id = any ($2)) and ($3::uuid is null or consent_id < $3)
          and ($5::integer is null or (
              recorder_id = $5 and method <> 'oral' and evidence_sha256 is null
              and not exists (
                  select from registry.consent_evidence e
                  where e.network_id = $1 and e.consent_id = consents.consent_id)
              and exists (
                  select from registry.grants g
                  where g.network_id = $1 and g.consent_id = consents.consent_id and g.answer <> 'refused')))
        order by consent_id desc limit $4
        """,
        network_id,
        client_ids,
        before,
        limit,
        without_evidence_by,
    )
    return [_consent(row) for row in rows]


async def has_evidence(connection: Connection, network_id: int, consent_id: str) -> bool:
    """Whether the consent has evidence, recorded with it or later."""
    found: bool = await connection.fetchval(
        """
        select evidence_sha256 is not null or exists (
            select from registry.consent_evidence e where e.network_id = $1 and e.consent_id = $2)
        from registry.consents where network_id = $1 and consent_id = $2
        """,
        network_id,
        consent_id,
    )
    return found


async def add_evidence(connection: Connection, network_id: int, row: NewEvidence) -> None:
    """Add evidence that followed a consent."""
    await connection.execute(
        """
        insert into registry.consent_evidence
            (network_id, consent_id, evidence_id, client_id, partner_ids, sha256, media_type, kept_at, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        network_id,
        *msgspec.structs.astuple(row),
    )


async def add_consent(connection: Connection, network_id: int, row: NewConsent) -> None:
    """Add a consent."""
    await connection.execute(
        """
        insert into registry.consents
            (network_id, consent_id, client_id, recorder_id, partner_ids, text_id, language, giver_role, giver_age_band,
             giver_insight_assessed_by, giver_mandate_until, method, special_circumstances, evidence_sha256,
             evidence_media_type, evidence_kept_at, explained_by, interpreter_kind, interpreter_language, told,
             copy_handed, given_at, valid_from, valid_until, recorded_at, renews, guardian_id, remarks,
             giver_adult_from, giver_insight, giver_direct_counselling, giver_care, giver_scope, co_giver_roles,
             co_giver_assessors, given_at_precision, client_language)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37)
        """,
        network_id,
        *msgspec.structs.astuple(row),
    )


async def add_releases(connection: Connection, network_id: int, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add releases. Each row: id, consent, client, partners that may see it, holder, towards, function (encrypted),
    person, purposes, categories, end.
    """
    await connection.executemany(
        """
        insert into registry.releases
            (network_id, release_id, consent_id, client_id, partner_ids, holder_id, towards_id, function_sealed, person,
             purpose_ids, category_ids, valid_until)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        [(network_id, *row) for row in rows],
    )


async def find_releases(
    connection: Connection, network_id: int, consent_ids: Sequence[str], release_ids: Sequence[str] = ()
) -> list[RecordedRelease]:
    """The releases of these consents, and those with these ids, that this transaction's partners may read, with their
    changes.
    """
    rows = await connection.fetch(
        """
        select l.release_id, l.consent_id, l.holder_id, l.towards_id, l.partner_ids, l.purpose_ids, l.category_ids,
            l.valid_until, c.kind, c.effective_at, c.recorded_at
        from registry.releases l
        left join registry.release_changes c on c.network_id = l.network_id and c.release_id = l.release_id
        where l.network_id = $1 and (l.consent_id = any ($2::uuid[]) or l.release_id = any ($3::uuid[]))
        order by l.release_id, c.recorded_at
        """,
        network_id,
        consent_ids,
        release_ids,
    )
    releases: dict[str, RecordedRelease] = {}
    for row in rows:
        new = RecordedRelease(
            str(row["release_id"]),
            str(row["consent_id"]),
            row["holder_id"],
            row["towards_id"],
            tuple(row["partner_ids"]),
            purpose_ids=None if row["purpose_ids"] is None else frozenset(row["purpose_ids"]),
            category_ids=None if row["category_ids"] is None else frozenset(row["category_ids"]),
            valid_until=row["valid_until"],
        )
        release = releases.setdefault(new.release_id, new)
        if row["kind"] is not None:
            changes = (*release.changes, Change(row["kind"], row["effective_at"], row["recorded_at"]))
            releases[new.release_id] = msgspec.structs.replace(release, changes=changes)
    return list(releases.values())


async def add_release_withdrawals(
    connection: Connection,
    network_id: int,
    times: tuple[datetime, datetime],
    rows: Sequence[tuple[str, str, str]],
) -> None:
    """Withdraw releases. Each row: change id, act id, release id. `times` are the times of effect and of recording."""
    await connection.executemany(
        """
        insert into registry.release_changes
            (network_id, release_id, change_id, act_id, client_id, partner_ids, kind, effective_at, recorded_at)
        select network_id, release_id, $2, $3, client_id, partner_ids, 'withdrawn', $4, $5
        from registry.releases where network_id = $1 and release_id = $6
        """,
        [(network_id, change_id, act_id, *times, release_id) for change_id, act_id, release_id in rows],
    )
