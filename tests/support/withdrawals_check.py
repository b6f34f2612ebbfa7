"""What was withdrawn, of which grants, and what it covers of other papers: made from the log alone and compared with
the tables.
"""

import base64
import hmac
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

Facts = dict[str, Any]
Told = set[tuple[Any, ...]]
Row = asyncpg.Record


class Slugs:
    """The catalogue's names by their numbers."""

    def __init__(self, partners: Iterable[Row], purposes: Iterable[Row], categories: Iterable[Row]) -> None:
        self.partner: dict[int, str] = {row[0]: row[1] for row in partners}
        self.purpose: dict[int, str] = {row[0]: row[1] for row in purposes}
        self._category: dict[int, str] = {row[0]: row[1] for row in categories}

    def categories(self, numbers: Iterable[int] | None) -> tuple[str, ...] | None:
        """The slugs, sorted; None for all."""
        return None if numbers is None else tuple(sorted(self._category[number] for number in numbers))


async def read_slugs(connection: asyncpg.Connection, number: int) -> Slugs:
    """Read them for the network with this number."""
    return Slugs(
        await connection.fetch("select partner_id, slug from registry.partners where network_id = $1", number),
        await connection.fetch("select purpose_id, slug from registry.purposes where network_id = $1", number),
        await connection.fetch("select category_id, slug from registry.data_categories where network_id = $1", number),
    )


async def check_withdrawals(connection: asyncpg.Connection, number: int, slugs: Slugs, events: Sequence[Facts]) -> None:
    """Assert that withdrawals, and the changes of grants and releases by them, by late papers and by links, are what
    the events say.
    """
    rows = await connection.fetch("select * from registry.withdrawals where network_id = $1", number)
    nonces = await connection.fetch(
        "select event_id, nonce from registry.events where network_id = $1 and kind = registry.kind('withdrawal')",
        number,
    )
    held = {row["withdrawal_id"]: _held(row, slugs) for row in rows}
    told = [event for event in events if event["kind"] == "withdrawal"]
    assert {str(row_id) for row_id in held} == {event["id"] for event in told}
    of_event = {str(row["event_id"]): row["nonce"] for row in nonces}
    for event in told:
        row, flows = held[_uuid(rows, event["id"])]
        assert row == _told(event), event["id"]
        if "flows_commitment" in event:
            committed = hmac.digest(of_event[event["id"]], b"flows\0" + flows.encode(), "sha256")
            assert base64.urlsafe_b64decode(event["flows_commitment"] + "=") == committed
        else:
            lines = [
                " ".join((flow["sender"], flow["recipient"], flow["purpose"], ",".join(sorted(flow["categories"]))))
                for flow in event.get("flows", ())
            ]
            assert flows == "\n".join(sorted(lines))
    changes = await connection.fetch(
        "select * from registry.grant_changes where network_id = $1 and kind = 'withdrawn'", number
    )
    assert {_change(row, slugs) for row in changes} == _told_changes(events)
    released = await connection.fetch("select * from registry.release_changes where network_id = $1", number)
    assert {(str(row["act_id"]), str(row["release_id"]), row["kind"]) for row in released} == {
        (event["id"], release, "withdrawn") for event in told for release in event["releases"]
    }


def _uuid(rows: Iterable[Row], name: str) -> object:
    return next(row["withdrawal_id"] for row in rows if str(row["withdrawal_id"]) == name)


def _held(row: Row, slugs: Slugs) -> tuple[tuple[Any, ...], str]:
    flows = [
        " ".join(
            (slugs.partner[sender], slugs.partner[to], slugs.purpose[purpose], ",".join(slugs.categories(parts) or ()))
        )
        for sender, to, purpose, parts in json.loads(row["covered_flows"] or "[]")
    ]
    who = (str(row["act_id"]), str(row["client_id"]), slugs.partner[row["partner_id"]])
    times = (row["declared_at"], row["received_at"], row["recorded_at"])
    return (
        (*who, row["channel"], *times, row["covers"], slugs.categories(row["category_ids"])),
        "\n".join(sorted(flows)),
    )


def _told(event: Facts) -> tuple[Any, ...]:
    who = (event.get("act", event["id"]), event["client"], event["actor"] or event["partner"])
    times = (_at(event["declared_at"]), _at(event["received_at"]), _at(event["at"]))
    parts = event.get("categories")
    return (*who, event["channel"], *times, event["covers"], None if parts is None else tuple(sorted(parts)))


def _change(row: Row, slugs: Slugs) -> tuple[Any, ...]:
    """What changes is kept under the client number of its consent, by whatever number a partner withdrew."""
    ids = (str(row["act_id"]), str(row["grant_id"]), str(row["client_id"]))
    return (*ids, slugs.categories(row["category_ids"]), row["effective_at"], row["recorded_at"])


def _told_changes(events: Sequence[Facts]) -> Told:
    consents = [event for event in events if event["kind"] == "consent"]
    client_of = {grant["grant"]: event["client"] for event in consents for grant in event["grants"]}
    told: Told = set()
    for event in events:
        for act, item, since in _withdrawn(event):
            # Of a consent that retention removed the withdrawal still says it.
            if item["grant"] in client_of:
                parts = None if item["categories"] is None else tuple(sorted(item["categories"]))
                ids = (act, item["grant"], client_of[item["grant"]])
                told.add((*ids, parts, _at(since), _at(event["at"])))
                assert client_of[item["grant"]] == event["client"]
    return told


def _withdrawn(event: Facts) -> Iterable[tuple[str, Facts, str]]:
    """The grants that an event withdraws, each with the act of the change and the time from which it counts."""
    if event["kind"] == "withdrawal":
        return [(event["id"], item, event["received_at"]) for item in event["grants"]]
    if event["kind"] == "late_withdrawal":
        return [(item["withdrawal"], item, item["effective_at"]) for item in event["taken_back"]]
    if event["kind"] == "link":
        return [(event["id"], item, item["effective_at"]) for item in event.get("withdrawn", ())]
    return []


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
