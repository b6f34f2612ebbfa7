"""Texts after they were published: translations that went stale, texts that were void, and the consents on them."""

from datetime import datetime
from typing import Any

import msgspec

from consent_registry.storage.database import Connection


class Voiding(msgspec.Struct, frozen=True):
    """One act that voids a text, in one language or (None) in all. Each consent on it gets an act of its own, whose id
    is that of the consent with the first 15 characters, its time, taken from this act's.
    """

    invalidation_id: str
    text_id: str
    language: str | None
    recorded_at: datetime
    acknowledge_by: datetime

    def act_id(self, consent_id: str) -> str:
        """The id of the act on one consent."""
        return self.invalidation_id[:15] + consent_id[15:]


class VoidConsent(msgspec.Struct, frozen=True):
    """A consent that was just voided: which grants of it, and which grants of an earlier one it no longer renews."""

    consent_id: str
    client_id: str
    given_at: datetime
    grant_ids: list[str]
    unrenewed: list[dict[str, Any]]


async def add_stale_translation(
    connection: Connection, network_id: int, staling_id: str, text: tuple[str, str], reason: str | None, at: datetime
) -> None:
    """Say that a translation, (text id, language), is no longer good for new consents."""
    await connection.execute(
        """
        insert into registry.stale_translations (network_id, staling_id, text_id, language, reason, recorded_at)
        values ($1, $2, $3, $4, $5, $6)
        """,
        network_id,
        staling_id,
        *text,
        reason,
        at,
    )


async def add_text_invalidation(connection: Connection, network_id: int, one: Voiding, reason: str) -> None:
    """Say that a text was void."""
    await connection.execute(
        """
        insert into registry.text_invalidations
            (network_id, invalidation_id, text_id, language, reason, recorded_at)
        values ($1, $2, $3, $4, $5, $6)
        """,
        network_id,
        one.invalidation_id,
        one.text_id,
        one.language,
        reason,
        one.recorded_at,
    )


async def void_grants(connection: Connection, network_id: int, one: Voiding) -> None:
    """Void, back to when they were given, the grants of every consent on the text that are not void already. What the
    client refused stays refused.
    """
    await connection.execute(
        """
        insert into registry.grant_changes
            (network_id, grant_id, change_id, act_id, client_id, partner_ids, kind, effective_at, recorded_at)
        select g.network_id, g.grant_id, overlay(gen_random_uuid()::text placing $2 from 1 for 15)::uuid,
            overlay(k.consent_id::text placing $2 from 1 for 15)::uuid, g.client_id,
            array(select distinct party from unnest(array[g.recorder_id, g.sender_id, g.recipient_id]) party
                order by party),
            'invalidated', k.given_at, $5
        from registry.consents k
        join registry.grants g on g.network_id = $1 and g.consent_id = k.consent_id
        where k.network_id = $1 and k.text_id = $3 and ($4::text is null or k.language = $4) and g.answer <> 'refused'
          and not exists (
              select from registry.grant_changes c
              where c.network_id = $1 and c.grant_id = g.grant_id and c.kind = 'invalidated')
        """,
        network_id,
        one.invalidation_id[:15],
        one.text_id,
        one.language,
        one.recorded_at,
    )


async def undo_renewals(connection: Connection, network_id: int, one: Voiding) -> None:
    """What the grants just voided had renewed was never renewed."""
    await connection.execute(
        """
        insert into registry.grant_changes
            (network_id, grant_id, change_id, act_id, client_id, partner_ids, kind, by_grant_id, effective_at,
             recorded_at)
        select r.network_id, r.grant_id, overlay(gen_random_uuid()::text placing $2 from 1 for 15)::uuid, v.act_id,
            r.client_id, r.partner_ids, 'unrenewed', r.by_grant_id, r.effective_at, $5
        from registry.consents k
        join registry.grants g on g.network_id = $1 and g.consent_id = k.consent_id
        join registry.grant_changes v on v.network_id = $1 and v.grant_id = g.grant_id and v.kind = 'invalidated'
          and v.act_id = overlay(k.consent_id::text placing $2 from 1 for 15)::uuid
        join registry.grants e on e.network_id = $1 and e.consent_id = k.renews
        join registry.grant_changes r on r.network_id = $1 and r.grant_id = e.grant_id and r.kind = 'renewed'
          and r.by_grant_id = g.grant_id
        where k.network_id = $1 and k.text_id = $3 and ($4::text is null or k.language = $4)
        """,
        network_id,
        one.invalidation_id[:15],
        one.text_id,
        one.language,
        one.recorded_at,
    )


async def tell_of_voiding(connection: Connection, network_id: int, one: Voiding) -> None:
    """Tell sender and recipient of every grant just voided that had been given, and forbid the recipient its use; tell
    them of renewals that fell with it.
    """
    await connection.execute(
        """
        with changed as (
            select c.grant_id, c.kind, c.effective_at, c.client_id
            from registry.consents k
            join registry.grants g on g.network_id = $1 and g.consent_id in (k.consent_id, k.renews)
            join registry.grant_changes c on c.network_id = $1 and c.grant_id = g.grant_id
              and c.act_id = overlay(k.consent_id::text placing $2 from 1 for 15)::uuid
            where k.network_id = $1 and k.text_id = $3 and ($4::text is null or k.language = $4)
              and (g.answer = 'given' or exists (
                  select from registry.grant_changes y
                  where y.network_id = $1 and y.grant_id = g.grant_id and y.kind = 'confirmed'))
        ), told as (
            select c.*, g.consent_id, g.sender_id as partner_id, false as receives
            from changed c join registry.grants g on g.network_id = $1 and g.grant_id = c.grant_id
            union all
            select c.*, g.consent_id, g.recipient_id, c.kind = 'invalidated'
            from changed c join registry.grants g on g.network_id = $1 and g.grant_id = c.grant_id
        )
        insert into registry.changes
            (network_id, partner_id, change_id, kind, consent_id, client_id, grant_ids, effective_from, acknowledge_by,
             use_ban, recorded_at)
        select $1, partner_id, overlay(gen_random_uuid()::text placing $2 from 1 for 15)::uuid, 'consent_' || kind,
            consent_id, client_id, array_agg(grant_id order by grant_id), min(effective_at),
            case when bool_or(receives) then $5::timestamptz end, bool_or(receives), $6
        from told group by partner_id, kind, consent_id, client_id
        """,
        network_id,
        one.invalidation_id[:15],
        one.text_id,
        one.language,
        one.acknowledge_by,
        one.recorded_at,
    )


async def list_voided(connection: Connection, network_id: int, one: Voiding) -> list[VoidConsent]:
    """The consents this act voided, in the order in which they were recorded."""
    rows = await connection.fetch(
        """
        select k.consent_id, k.client_id, k.given_at,
            array_agg(c.grant_id order by c.grant_id) filter (where c.kind = 'invalidated') as grant_ids,
            array_agg(c.grant_id order by c.grant_id) filter (where c.kind = 'unrenewed') as unrenewed,
            array_agg(c.by_grant_id order by c.grant_id) filter (where c.kind = 'unrenewed') as by_grant_ids,
            array_agg(c.effective_at order by c.grant_id) filter (where c.kind = 'unrenewed') as effective_at
        from registry.consents k
        join registry.grants g on g.network_id = $1 and g.consent_id in (k.consent_id, k.renews)
        join registry.grant_changes c on c.network_id = $1 and c.grant_id = g.grant_id
          and c.act_id = overlay(k.consent_id::text placing $2 from 1 for 15)::uuid
        where k.network_id = $1 and k.text_id = $3 and ($4::text is null or k.language = $4)
        group by k.consent_id, k.client_id, k.given_at
        order by k.consent_id
        """,
        network_id,
        one.invalidation_id[:15],
        one.text_id,
        one.language,
    )
    return [
        VoidConsent(
            str(row["consent_id"]),
            str(row["client_id"]),
            row["given_at"],
            [str(grant_id) for grant_id in row["grant_ids"]],
            [
                {"grant": str(grant_id), "by": str(by), "effective_at": at}
                for grant_id, by, at in zip(
                    row["unrenewed"] or (), row["by_grant_ids"] or (), row["effective_at"] or (), strict=True
                )
            ],
        )
        for row in rows
    ]
