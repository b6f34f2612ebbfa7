"""After every story the whole log is read again: gap-free, every leaf opens, and the tables hold what events say."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from consent_registry.tlog.leaf import canonical, opens
from consent_registry.tlog.removals import RemovalCheck
from tests.support.installation import BEFORE_LEAVING, RUNNING, Registry
from tests.support.links_check import check_links
from tests.support.table_check_runs import found, replayed, require_equal
from tests.support.withdrawals_check import Slugs, check_withdrawals, read_slugs

Facts = dict[str, Any]
Row = asyncpg.Record


async def check_log(registry: Registry, network: str = "small", *, padding: bool = False) -> list[Facts]:
    """Assert all of it, and return the events in the order of the log, without padding unless it is asked for; `audit
    replay`, made apart from this, agrees.
    """
    async with registry.sql() as connection:
        events = await check_connection(connection, network)
    await require_equal(registry, network)
    return [event for event in events if padding or event["kind"] != "padding"]


@asynccontextmanager
async def reading_again() -> AsyncIterator[None]:
    """Run a story: afterwards every log of every registry that it ran, or that runs, is read again from the start,
    and the tables hold what it implies.
    """
    BEFORE_LEAVING.append(check_every_log)
    try:
        yield
        for registry in RUNNING:
            await check_every_log(registry)
    finally:
        BEFORE_LEAVING.remove(check_every_log)


async def check_every_log(registry: Registry) -> None:
    """Assert it of each network in which anything may have happened; where a story says that it planted something, that
    replay finds it. It need not be done again when no transaction has written anything since.
    """
    async with registry.sql() as connection:
        until = await connection.fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    if until == registry.read_until:
        return
    for network in registry.visited():
        if network in registry.planted:
            assert found((await replayed(registry, network)).report), f"what was planted in {network} is not found"
        else:
            await check_log(registry, network)
    registry.read_until = until


async def check_connection(connection: asyncpg.Connection, network: str) -> list[Facts]:
    """As `check_log`, over a connection that sees everything."""
    number = await connection.fetchval("select network_id from registry.networks where slug = $1", network)
    rows = await connection.fetch(
        """
        select l.log_index, l.leaf, e.event, e.nonce, e.event_id, e.client_id, e.at, k.link_code_id
        from registry.leaves l left join registry.events e using (network_id, log_index)
        left join registry.links k on k.network_id = l.network_id and k.link_id = e.event_id
        where l.network_id = $1 order by l.log_index
        """,
        number,
    )
    without_leaf = await connection.fetchval(
        """
        select count(*) from registry.events e where network_id = $1
        and not exists (select from registry.leaves l where (l.network_id, l.log_index) = (e.network_id, e.log_index))
        """,
        number,
    )
    assert without_leaf == 0
    events = _read(rows, network)
    slugs = await read_slugs(connection, number)
    assert await _consents(connection, number, slugs) == _told_consents(events)
    await check_withdrawals(connection, number, slugs, events)
    assert await _acts(connection, number, slugs) == _told_acts(events)
    assert await _renewals(connection, number) == _told_renewals(events)
    assert await _transfers(connection, number, slugs) == _told_transfers(events)
    await check_links(connection, number, events)
    return events


def _read(rows: Sequence[Row], network: str) -> list[Facts]:
    assert [row["log_index"] for row in rows] == list(range(len(rows))), "the log has a gap"
    kept = [row for row in rows if row["event"] is not None]
    assert len({row["nonce"] for row in kept}) == len(kept), "a nonce was used twice"
    events = []
    account = RemovalCheck()
    for row in rows:
        if row["event"] is None:
            account.missing(row["log_index"])
            continue
        assert opens(row["leaf"], row["event"], row["nonce"]), f"leaf {row['log_index']} does not open"
        facts: Facts = json.loads(row["event"])
        assert canonical(facts) == row["event"]
        assert (facts["v"], facts["network"], facts["id"]) == (1, network, str(row["event_id"]))
        if "client_commitment" in facts:  # another partner's number: in the column alone
            committed = hmac.digest(row["nonce"], str(row["client_id"]).encode(), "sha256")
            assert facts["client"] is None
            assert base64.urlsafe_b64decode(facts["client_commitment"] + "=") == committed
            facts["client"] = str(row["client_id"])
        if "link_code_commitment" in facts:  # the other side's name for the code: in the table alone
            committed = hmac.digest(row["nonce"], str(row["link_code_id"]).encode(), "sha256")
            assert base64.urlsafe_b64decode(facts["link_code_commitment"] + "=") == committed
            facts["link_code"] = str(row["link_code_id"])
        assert facts["client"] == (None if row["client_id"] is None else str(row["client_id"]))
        assert _at(facts["at"]) == row["at"]
        account.present(row["log_index"], facts)
        events.append(facts)
    assert account.unaccounted() == [], "leaves have lost their events, and no erasure or retention says so"
    assert account.returned() == [], "events are there that were removed"
    return events


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def _consents(connection: asyncpg.Connection, number: int, slugs: Slugs) -> set[tuple[Any, ...]]:
    rows = await connection.fetch(
        """
        select g.*, c.client_id as of_client, c.text_id, c.language, c.giver_role, c.method, c.given_at,
            encode(c.evidence_sha256, 'hex') as evidence, c.recorded_at, c.renews
        from registry.grants g join registry.consents c using (network_id, consent_id) where g.network_id = $1
        """,
        number,
    )
    assert all(row["client_id"] == row["of_client"] for row in rows)
    return {
        (
            str(row["consent_id"]),
            str(row["grant_id"]),
            str(row["client_id"]),
            slugs.partner[row["recorder_id"]],
            slugs.partner[row["sender_id"]],
            slugs.partner[row["recipient_id"]],
            slugs.purpose[row["purpose_id"]],
            slugs.categories(row["category_ids"]),
            (row["explicit"], row["answer"], row["valid_from"], row["valid_until"]),
            (str(row["text_id"]), row["language"], row["giver_role"], row["method"], row["evidence"]),
            (row["given_at"], row["recorded_at"], row["renews"] and str(row["renews"])),
        )
        for row in rows
    }


def _told_consents(events: Iterable[Facts]) -> set[tuple[Any, ...]]:
    return {
        (
            event["id"],
            grant["grant"],
            event["client"],
            event["actor"],
            grant["sender"],
            grant["recipient"],
            grant["purpose"],
            tuple(sorted(grant["categories"])),
            (grant["explicit"], grant["answer"], _at(grant["valid_from"]), _at(grant["valid_until"])),
            (
                event["text"]["id"],
                event["text"]["language"],
                event["giver"]["role"],
                event["method"],
                event["evidence"] and event["evidence"]["sha256"],
            ),
            (_at(event["given_at"]), _at(event["at"]), event["renews"]),
        )
        for event in events
        if event["kind"] == "consent"
        for grant in event["grants"]
    }


# What partners do to grants, by the kind of its event.
_ACTS = {
    "confirmation": "confirmed",
    "ending": "ended",
    "invalidation": "invalidated",
    "restriction": "restricted",
    "restriction_lifting": "unrestricted",
}


async def _acts(connection: asyncpg.Connection, number: int, slugs: Slugs) -> set[tuple[Any, ...]]:
    rows = await connection.fetch(
        "select * from registry.grant_changes where network_id = $1 and kind = any ($2)", number, list(_ACTS.values())
    )
    return {
        (
            *(str(row["act_id"]), str(row["grant_id"]), row["kind"], str(row["client_id"]), row["effective_at"]),
            slugs.categories(row["category_ids"]),
        )
        for row in rows
    }


def _told_acts(events: Iterable[Facts]) -> set[tuple[Any, ...]]:
    events = list(events)
    consents = [event for event in events if event["kind"] == "consent"]
    granted = {grant["grant"]: set(grant["categories"]) for event in consents for grant in event["grants"]}
    told = set()
    for event in events:
        for grant in event["grants"] if event["kind"] in _ACTS else ():
            named = event.get("categories")
            parts = None if named is None else tuple(sorted(granted[grant].intersection(named)))
            told.add((event["id"], grant, _ACTS[event["kind"]], event["client"], _at(event["effective_at"]), parts))
    return told


async def _renewals(connection: asyncpg.Connection, number: int) -> set[tuple[Any, ...]]:
    rows = await connection.fetch(
        "select * from registry.grant_changes where network_id = $1 and kind in ('renewed', 'unrenewed')",
        number,
    )
    return {
        (
            *(str(row["act_id"]), str(row["grant_id"]), row["kind"], str(row["by_grant_id"])),
            *(row["effective_at"], row["valid_until"], row["recorded_at"]),
        )
        for row in rows
    }


def _told_renewals(events: Iterable[Facts]) -> set[tuple[Any, ...]]:
    return {
        (
            *(event["id"], entry["grant"], kind, entry["by"]),
            *(_at(entry["effective_at"]), _at(entry["valid_until"]) if kind == "renewed" else None, _at(event["at"])),
        )
        for event in events
        for kind in ("renewed", "unrenewed")
        for entry in event.get(kind, ())
    }


async def _transfers(connection: asyncpg.Connection, number: int, slugs: Slugs) -> set[tuple[Any, ...]]:
    rows = await connection.fetch("select * from registry.transfers where network_id = $1", number)
    return {
        (
            str(row["transfer_id"]),
            str(row["decision_id"]),
            slugs.partner[row["partner_id"]],
            row["outcome"],
            slugs.categories(row["category_ids"]),
            row["transferred_at"],
        )
        for row in rows
    }


def _told_transfers(events: Iterable[Facts]) -> set[tuple[Any, ...]]:
    return {
        (
            event["id"],
            event["decision"],
            event["actor"],
            event["outcome"],
            tuple(sorted(event["categories"])),
            _at(event["transferred_at"]),
        )
        for event in events
        if event["kind"] == "transfer"
    }
