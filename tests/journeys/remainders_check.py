"""What a removal told again of acts whose events it removed: written apart from `audit replay`, over the same rows."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

Facts = dict[str, Any]
Told = set[tuple[Any, ...]]


async def check_remainders(
    connection: asyncpg.Connection,
    number: int,
    slugs_of: Callable[[list[int] | None], tuple[str, ...] | None],
    events: Sequence[Facts],
) -> list[str]:
    """Assert that the rows of these acts are what was told again, and no other event tells them; returns the acts."""
    retold = [event for event in events if event["kind"] == "remainder"]
    acts = {one["act"] for event in retold for one in (*event["grants"], *event["releases"])}
    assert not acts & {event["id"] for event in events}, "told again, although it was told"
    grants = await connection.fetch(
        "select x.*, g.consent_id from registry.grant_changes x join registry.grants g using (network_id, grant_id)"
        " where network_id = $1 and x.act_id = any ($2::uuid[])",
        number,
        list(acts),
    )
    releases = await connection.fetch(
        "select x.*, r.consent_id from registry.release_changes x join registry.releases r"
        " using (network_id, release_id) where network_id = $1 and x.act_id = any ($2::uuid[])",
        number,
        list(acts),
    )
    held: Told = {
        (
            *_whose(row, "grant_id"),
            slugs_of(row["category_ids"]),
            row["valid_until"],
            row["by_grant_id"] and str(row["by_grant_id"]),
        )
        for row in grants
    } | {_whose(row, "release_id") for row in releases}
    assert held == _told(retold)
    return list(acts)


def _whose(row: asyncpg.Record, of: str) -> tuple[Any, ...]:
    ids = (str(row[name]) for name in ("client_id", "consent_id", of, "act_id"))
    return (*ids, row["kind"], row["effective_at"], row["recorded_at"])


def _told(retold: Sequence[Facts]) -> Told:
    told: Told = set()
    for event in retold:
        for of in ("grant", "release"):
            for one in event[f"{of}s"]:
                times = tuple(datetime.fromisoformat(one[name]) for name in ("effective_at", "recorded_at"))
                row: tuple[Any, ...] = (event["client"], event["consent"], one[of], one["act"], one["change"], *times)
                if of == "grant":
                    parts = None if one["categories"] is None else tuple(one["categories"])
                    until = None if one["valid_until"] is None else datetime.fromisoformat(one["valid_until"])
                    row += (parts, until, one["by"])
                told.add(row)
    return told
