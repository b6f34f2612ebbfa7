"""Statements for published texts: stale translations, void texts, and the consents given on a text."""

from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection


class ConsentOnText(msgspec.Struct, frozen=True):
    """A consent given on a text."""

    consent_id: str
    client_id: str
    given_at: datetime
    renews: str | None


async def add_stale_translation(
    connection: Connection, network_id: int, staling_id: str, text: tuple[str, str], reason: str | None, at: datetime
) -> None:
    """Record that a translation (`text`: text id and language) is stale: it gets no new consents."""
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


async def add_text_invalidation(
    connection: Connection,
    network_id: int,
    invalidation_id: str,
    text: tuple[str, str | None],
    reason: str,
    at: datetime,
) -> None:
    """Record that a text (`text`: text id and language, or None for all languages) was void from the start."""
    await connection.execute(
        """
        insert into registry.text_invalidations
            (network_id, invalidation_id, text_id, language, reason, recorded_at)
        values ($1, $2, $3, $4, $5, $6)
        """,
        network_id,
        invalidation_id,
        *text,
        reason,
        at,
    )


async def list_consents_on_text(
    connection: Connection, network_id: int, text: tuple[str, str | None]
) -> list[ConsentOnText]:
    """The consents on a text (`text`: text id and language, or None for all languages), in the order of recording."""
    rows = await connection.fetch(
        """
        select consent_id, client_id, given_at, renews from registry.consents
        where network_id = $1 and text_id = $2 and ($3::text is null or language = $3)
        order by consent_id
        """,
        network_id,
        *text,
    )
    return [ConsentOnText(str(row[0]), str(row[1]), row[2], None if row[3] is None else str(row[3])) for row in rows]
