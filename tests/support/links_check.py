"""Who means the same client, and which receipt code works: made from the log alone and compared with the tables."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

Facts = dict[str, Any]


async def check_links(connection: asyncpg.Connection, number: int, events: Sequence[Facts]) -> None:
    """Assert that memberships, links, unlinkings, link codes and issues of receipt codes are what the events say."""
    assert await _memberships(connection, number) == _told_memberships(events)
    rows = await connection.fetch(
        "select link_id, link_code_id, client_id, p.slug, l.recorded_at from registry.links l"
        " join registry.partners p using (network_id, partner_id) where network_id = $1",
        number,
    )
    assert {_plain(row) for row in rows} == {
        (event["id"], event["link_code"], event["client"], event["actor"], _at(event["at"]))
        for event in _of(events, "link")
        if event["id"] == event["group"]
    }
    rows = await connection.fetch(
        "select unlinking_id, client_id, p.slug, left_group_id, linked_at, u.recorded_at from registry.unlinkings u"
        " join registry.partners p using (network_id, partner_id) where network_id = $1",
        number,
    )
    assert {_plain(row) for row in rows} == _told_unlinkings(events)
    rows = await connection.fetch(
        "select link_code_id, client_id, p.slug, o.slug, expires_at, c.recorded_at from registry.link_codes c"
        " join registry.partners p using (network_id, partner_id)"
        " left join registry.partners o on o.network_id = c.network_id and o.partner_id = c.for_partner_id"
        " where c.network_id = $1",
        number,
    )
    assert {_plain(row) for row in rows} == {
        (event["id"], event["client"], event["actor"], event["partner"], _at(event["expires_at"]), _at(event["at"]))
        for event in _of(events, "link_code")
    }
    await _check_receipt_codes(connection, number, events)


async def _memberships(connection: asyncpg.Connection, number: int) -> set[tuple[Any, ...]]:
    rows = await connection.fetch(
        "select client_id, position, group_id, recorded_at from registry.client_memberships where network_id = $1",
        number,
    )
    return {_plain(row) for row in rows}


def _told_memberships(events: Sequence[Facts]) -> set[tuple[Any, ...]]:
    """A link says of everybody who is one client from then on which group that is; an unlinking takes one out."""
    positions: Counter[str] = Counter()
    told = set()
    for event in events:
        if event["kind"] in {"link", "unlinking"}:
            positions[event["client"]] += 1
            group = event["group"] if event["kind"] == "link" else event["id"]
            told.add((event["client"], positions[event["client"]], group, _at(event["at"])))
    return told


def _told_unlinkings(events: Sequence[Facts]) -> set[tuple[Any, ...]]:
    """An unlinking takes a client out of the group it was in last, since it was first linked after the one before."""
    left: dict[str, str] = {}
    since: dict[str, datetime] = {}
    told = set()
    for event in events:
        client = event["client"]
        if event["kind"] == "link":
            left[client] = event["group"]
            since.setdefault(client, _at(event["at"]))
        elif event["kind"] == "unlinking":
            at = _at(event["at"])
            told.add((event["id"], client, event["actor"], left.get(client), since.pop(client, at), at))
            left[client] = event["id"]
    return told


async def _check_receipt_codes(connection: asyncpg.Connection, number: int, events: Sequence[Facts]) -> None:
    rows = await connection.fetch(
        "select consent_id, issue, recorded_at from registry.receipt_codes where network_id = $1", number
    )
    first = {(event["id"], 1, _at(event["at"])) for event in _of(events, "consent")}
    again = {(event["consent"], event["issue"], _at(event["at"])) for event in _of(events, "receipt_code")}
    assert {_plain(row) for row in rows} == first | again


def _of(events: Sequence[Facts], kind: str) -> list[Facts]:
    return [event for event in events if event["kind"] == kind]


def _plain(row: asyncpg.Record) -> tuple[Any, ...]:
    return tuple(each if each is None or isinstance(each, int | str | datetime) else str(each) for each in row)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
