"""The frequent statements use indices at realistic table sizes, as the application's role under row-level security."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.domain.instants import EARLIEST, LATEST
from consent_registry.operations.runtime.commands import new_id
from consent_registry.storage.clients.clients import find_reference, find_references, list_references
from consent_registry.storage.clients.link_codes import find_link_code
from consent_registry.storage.clients.links import find_groups, lock_groups
from consent_registry.storage.clients.unlinkings import permits_on_undone_links
from consent_registry.storage.consents.grants import find_grants_of_clients, find_grants_of_consents
from consent_registry.storage.consents.receipt_codes import find_receipt_code, last_receipt_code
from consent_registry.storage.database.database import Connection, begin_sql
from consent_registry.storage.database.idempotency import find_answers
from consent_registry.storage.decisions.client_locks import FactsQuery, lock_clients
from consent_registry.storage.decisions.facts import load_facts
from consent_registry.storage.decisions.transfers import list_unreported, outcomes_of
from consent_registry.storage.log.append import find_event, find_leaves, find_places
from consent_registry.storage.oversight import event_search as searches
from consent_registry.storage.oversight import findings, lookups
from consent_registry.storage.oversight.events import EventPlace, read_events
from tests.support.installation import Registry
from tests.support.pools import NETWORK
from tests.support.small_network import NUMBER

ROWS = 20_000
NOW = datetime.now(UTC)
# What grows with use; the catalogue does not, and may be read as a whole.
GROWING = {"client_references", "consents", "grants", "grant_changes", "releases", "release_changes", "receipt_codes"}
GROWING |= {"client_memberships", "link_codes", "links", "unlinkings"}
GROWING |= {"consent_evidence", "code_failures"}
GROWING |= {"events", "leaves", "transfers", "idempotency_keys", "withdrawals", "changes"}


# Ids are made from numbers, so that rows belong together; keys and rules are switched off while they are filled in.
def fill(rows: int) -> str:
    """Return the SQL that fills the growing tables with this many rows."""
    return f"""
set session_replication_role = replica;
create function pg_temp.id(n bigint) returns uuid language sql immutable as $$ select md5(n::text)::uuid $$;
create function pg_temp.hash(n bigint) returns bytea language sql immutable as $$ select sha256(n::text::bytea) $$;
insert into registry.client_references (network_id, partner_id, digest, digest_key, client_id, sealed, recorded_at)
    select {NUMBER}, 1, pg_temp.hash(n), 'digest-1', pg_temp.id(n), '', now() from generate_series(1, {rows}) n;
insert into registry.consents (network_id, consent_id, client_id, recorder_id, partner_ids, text_id, language,
    giver_role, method, explained_by, interpreter_kind, told, given_at, valid_from, valid_until, recorded_at)
    select {NUMBER}, pg_temp.id(n), pg_temp.id(n * 2 / 3), 1, '{{1,2}}', pg_temp.id(n % 10), 'de', 'self',
    'written', 'B-1', 'none', '{{}}', now(), now(), now() + interval '1 year', now()
    from generate_series(0, {rows} / 2) n;
insert into registry.grants (network_id, grant_id, consent_id, client_id, recorder_id, sender_id, recipient_id,
    purpose_id, category_ids, explicit, answer, valid_from, valid_until)
    select {NUMBER}, pg_temp.id(n), pg_temp.id(n / 2), pg_temp.id(n / 3), 1, 1, 2 + n % 2, 1 + n % 2, '{{1,2}}', false,
    'given', now(), now() + interval '1 year' from generate_series(1, {rows}) n;
insert into registry.grant_changes (network_id, grant_id, change_id, act_id, client_id, partner_ids, kind, effective_at,
    recorded_at) select {NUMBER}, pg_temp.id(n), pg_temp.id(n), pg_temp.id(n), pg_temp.id(n / 3), '{{1,2}}',
    'withdrawn', now(), now() from generate_series(1, {rows}) n;
insert into registry.releases (network_id, release_id, consent_id, client_id, partner_ids, holder_id, towards_id)
    select {NUMBER}, pg_temp.id(n), pg_temp.id(n / 2), pg_temp.id(n / 3), '{{1,2}}', 1, 2
    from generate_series(1, {rows}) n;
insert into registry.release_changes (network_id, release_id, change_id, act_id, client_id, partner_ids, kind,
    effective_at, recorded_at) select {NUMBER}, pg_temp.id(n), pg_temp.id(n), pg_temp.id(n), pg_temp.id(n / 3),
    '{{1,2}}', 'withdrawn', now(), now() from generate_series(1, {rows}) n;
insert into registry.receipt_codes (network_id, digest, digest_key, consent_id, client_id, partner_ids, recorded_at)
    select {NUMBER}, pg_temp.hash(n), 'digest-1', pg_temp.id(n), pg_temp.id(n), '{{1,2}}', now()
    from generate_series(1, {rows}) n;
insert into registry.client_memberships (network_id, client_id, position, group_id, recorded_at)
    select {NUMBER}, pg_temp.id(n), p, pg_temp.id(n / 2 + p), now()
    from generate_series(1, {rows}) n, generate_series(1, 2) p;
insert into registry.link_codes (network_id, digest, digest_key, link_code_id, client_id, partner_id, expires_at,
    recorded_at) select {NUMBER}, pg_temp.hash(n), 'digest-1', pg_temp.id(n), pg_temp.id(n), 1, now() + interval '1 h',
    now() from generate_series(1, {rows}) n;
insert into registry.links (network_id, link_id, link_code_id, client_id, partner_id, recorded_at)
    select {NUMBER}, pg_temp.id(n), pg_temp.id(n), pg_temp.id(n), 2, now() from generate_series(1, {rows}) n;
insert into registry.unlinkings (network_id, unlinking_id, client_id, partner_id, left_group_id, linked_at,
    recorded_at) select {NUMBER}, pg_temp.id(n), pg_temp.id(n), 1, pg_temp.id(n / 2 + 1), now(), now()
    from generate_series(1, {rows}) n;
insert into registry.consent_evidence (network_id, consent_id, evidence_id, client_id, partner_ids, sha256, media_type,
    kept_at, recorded_at) select {NUMBER}, pg_temp.id(n), pg_temp.id(n), pg_temp.id(n), '{{1}}', pg_temp.hash(n), '',
    '', now() from generate_series(1, {rows} / 4) n;
insert into registry.code_failures (network_id, partner_id, failure_id, recorded_at, kind)
    select {NUMBER}, 1 + n % 50, pg_temp.id(n), now(), 'link_code' from generate_series(1, {rows}) n;
insert into registry.transfers (network_id, transfer_id, decision_id, partner_id, client_id, outcome, category_ids,
    transferred_at, recorded_at) select {NUMBER}, pg_temp.id(n), pg_temp.id(n), 1, pg_temp.id(n), 'sent', '{{1}}',
    now(), now() from generate_series(1, {rows}) n;
insert into registry.idempotency_keys (network_id, partner_id, scope, body_sha256, answer, client_ids, recorded_at)
    select {NUMBER}, 1, pg_temp.hash(n), '', '', '{{}}', now() from generate_series(1, {rows}) n;
insert into registry.events (network_id, log_index, at, event_id, client_id, actor_id, sender_id, recipient_id,
    purpose_id, kind, outcome, event, nonce) select {NUMBER}, 1000 + n, now(), pg_temp.id(n), pg_temp.id(n), n % 50,
    n % 50, 2, 1, 1, 1 + n % 4, '', sha256('') from generate_series(1, 5 * {rows}) n;
insert into registry.leaves (network_id, log_index, leaf) select {NUMBER}, 1000 + n, sha256('') || '\\x01'::bytea
    from generate_series(1, 5 * {rows}) n;
"""  # noqa: S608


# A partner's period: before all that there is, of which its own indices lead to nothing.
SLICE = (NUMBER, 1, NOW - timedelta(days=3), NOW - timedelta(days=2))
ASKED = [FactsQuery(1, (bytes(32), bytes(31) + b"\x01"), 2, 1)]
ID = new_id(NOW)
SPAN = searches.SearchRange(NUMBER, 0, 1 << 62, EARLIEST, LATEST, 51)
Act = Callable[[Connection], Awaitable[object]]
STATEMENTS: dict[str, tuple[Act, set[str]]] = {
    "whose client is this": (
        lambda c: lock_clients(c, NUMBER, ASKED),
        {"client_references_pkey", "client_memberships_pkey", "client_memberships_group_idx"},
    ),
    "facts of a decision": (
        lambda c: load_facts(c, NUMBER, ASKED),
        {
            "client_references_pkey",
            "client_memberships_pkey",
            "client_memberships_group_idx",
            "grants_flow_idx",
            "grant_changes_pkey",
            "releases_pkey",
            "release_changes_pkey",
        },
    ),
    "one reference": (lambda c: find_reference(c, NUMBER, 1, [bytes(32), bytes(31)]), {"client_references_pkey"}),
    "a client's grants": (
        lambda c: find_grants_of_clients(c, NUMBER, [ID]),
        {"grants_flow_idx", "grant_changes_pkey", "consents_pkey"},
    ),
    "a client's group": (
        lambda c: find_groups(c, NUMBER, [ID]),
        {"client_memberships_pkey", "client_memberships_group_idx"},
    ),
    "the locks of a group": (
        lambda c: lock_groups(c, NUMBER, references=[(1, bytes(32))], client_ids=[ID]),
        {"client_references_pkey", "client_memberships_pkey", "client_memberships_group_idx"},
    ),
    "a link code": (
        lambda c: find_link_code(c, NUMBER, [bytes(32), bytes(31)]),
        {"link_codes_pkey", "links_link_code_key"},
    ),
    "own names for clients": (
        lambda c: find_references(c, NUMBER, 1, [ID]),
        {"client_references_client_idx", "client_memberships_pkey", "client_memberships_group_idx"},
    ),
    "the last receipt code": (lambda c: last_receipt_code(c, NUMBER, ID), {"receipt_codes_issue_key"}),
    "a consent's grants": (
        lambda c: find_grants_of_consents(c, NUMBER, [ID]),
        {"grants_consent_idx", "grant_changes_pkey", "consents_pkey"},
    ),
    "a receipt code": (lambda c: find_receipt_code(c, NUMBER, [bytes(32), bytes(31)]), {"receipt_codes_pkey"}),
    "answers given before": (lambda c: find_answers(c, NUMBER, [1], [bytes(32)]), {"idempotency_keys_pkey"}),
    "an event": (lambda c: find_event(c, NETWORK, ID), {"events_*", "leaves_pkey"}),
    "places in the log": (lambda c: find_places(c, NETWORK, [ID]), {"leaves_pkey"}),
    "what was reported": (lambda c: outcomes_of(c, NUMBER, ID), {"transfers_decision_idx"}),
    "sent in a period": (lambda c: findings.sent_in(c, SLICE), {"transfers_pkey"}),
    "sent before a period, and withdrawn or void in it": (
        lambda c: findings.sent_before(c, SLICE),
        {
            "grant_changes_withdrawn_idx",
            "grant_changes_invalidated_idx",
            "grants_pkey",
            "grants_leaning_idx",
            "release_changes_withdrawn_idx",
            "releases_pkey",
            "client_memberships_pkey",
            "client_memberships_group_idx",
            "transfers_client_idx",
        },
    ),
    "decisions by their ids": (lambda c: findings.decisions(c, NUMBER, 1, [ID]), {"events_*"}),
    "grants that were used": (
        lambda c: findings.used_grants(c, NUMBER, [ID]),
        {"grants_pkey", "grant_changes_pkey", "consents_pkey", "releases_pkey", "release_changes_pkey"},
    ),
    "a period's permits without report": (
        lambda c: findings.unreported_permits(c, SLICE),
        {"events_*", "transfers_decision_idx"},
    ),
    "a period's consents without evidence": (
        lambda c: findings.consents_without_evidence(c, SLICE),
        {"consents_recorder_idx", "consent_evidence_pkey", "grants_consent_idx"},
    ),
    "a period's refusals": (lambda c: lookups.refused_lookups(c, SLICE), {"events_*"}),
    "a period's questions": (
        lambda c: lookups.repeated_lookups(c, SLICE, 10),
        {"events_*", "transfers_decision_idx"},
    ),
    "a period's wrong codes": (
        lambda c: lookups.wrong_codes(c, SLICE, "link_code"),
        {"code_failures_pkey"},
    ),
    "permits without report": (
        lambda c: list_unreported(c, NUMBER, 1, None, 51),
        {"transfers_decision_idx", "events_*"},
    ),
}
# A data-protection officer's search goes through the partitions of every month there is.
SEARCHES: dict[str, tuple[Act, set[str]]] = {
    "a search by kind": (lambda c: searches.places_by_kind(c, SPAN, 1, [1, 3]), {"events_*"}),
    "a search by flow": (lambda c: searches.places_by_flow(c, SPAN, 1, [2, 3], [1, 2], [1, 2, 3, 4]), {"events_*"}),
    "a search by staff": (lambda c: searches.places_by_person(c, SPAN, 1, "B-1", [3]), {"events_*"}),
    "a search by client": (
        lambda c: searches.places_of_clients(c, SPAN, 1, [ID], [1], (None, None, None), None),
        {"events_*"},
    ),
    "questions about nobody": (lambda c: searches.unknown_client_questions(c, SPAN, 1), {"events_*"}),
    "where a client was registered": (lambda c: searches.registered_at(c, NUMBER, 1, [ID]), {"events_*"}),
    "a page's events": (lambda c: read_events(c, NUMBER, [EventPlace(1, NOW)]), {"events_*"}),
    "a page's leaves": (lambda c: find_leaves(c, NUMBER, [1]), {"leaves_pkey"}),
    "every name for a client": (
        lambda c: list_references(c, NUMBER, 1, [ID]),
        {"client_references_client_idx"},
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(registry: Registry) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the application's role to a database of some size."""
    async with registry.sql() as owner:
        await owner.execute(fill(ROWS) + "analyze;")
    async with registry.sql("app") as connection:
        yield connection


async def plan_of(connection: asyncpg.Connection, act: Act, *, one_plan: bool = False) -> list[dict[str, Any]]:
    """Run a function and return the plan of its last statement, with the same arguments and row-level security."""
    run: list[asyncpg.connection.LoggedQuery] = []
    await connection.execute(begin_sql(NUMBER, [1], one_plan=one_plan))
    try:
        with connection.query_logger(run.append):
            await act(connection)
            await asyncio.sleep(0)  # the logger is called on the loop's next turn
        answer = await connection.fetchval(f"explain (format json) {run[-1].query}", *run[-1].args)
    finally:
        await connection.execute("rollback")
    return list(_nodes(json.loads(answer)[0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def whole_tables(nodes: list[dict[str, Any]]) -> set[str]:
    """Return the growing tables that a plan scans completely."""
    scanned = {node["Relation Name"].partition("_20")[0] for node in nodes if node["Node Type"] == "Seq Scan"}
    return scanned & GROWING


def indices(nodes: list[dict[str, Any]]) -> set[str]:
    """Return the indices that a plan uses; those of partitions have names made by PostgreSQL."""
    names = {node["Index Name"] for node in nodes if "Index Name" in node}
    return {"events_*" if name.startswith("events_20") else name for name in names}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_looked_up_by_index(app: asyncpg.Connection, name: str) -> None:
    """The statement scans no growing table and uses its intended index."""
    act, expected = STATEMENTS[name]
    nodes = await plan_of(app, act)
    assert whole_tables(nodes) == set()
    assert expected <= indices(nodes)


async def test_links_undone_are_followed_by_index(app: asyncpg.Connection) -> None:
    """The search for permits on undone links reads every partition by index; only empty ones are scanned."""
    nodes = await plan_of(app, lambda c: permits_on_undone_links(c, *SLICE))
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    assert NOW.strftime("events_%Y%m") not in scanned
    assert whole_tables(nodes) <= {"events", "events_default"}
    assert {"unlinkings_pkey", "client_memberships_group_idx", "events_*", "grants_pkey"} <= indices(nodes)


@pytest.mark.parametrize("name", SEARCHES)
async def test_searched_by_index(app: asyncpg.Connection, name: str) -> None:
    """A search scans only empty partitions of the log, and no other growing table."""
    act, expected = SEARCHES[name]
    nodes = await plan_of(app, act, one_plan=True)
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    assert NOW.strftime("events_%Y%m") not in scanned
    assert whole_tables(nodes) <= {"events", "events_default"}
    assert expected <= indices(nodes)


@pytest.mark.parametrize("name", ["whose client is this", "facts of a decision"])
async def test_looked_up_by_index_while_tables_are_small(fresh_registry: Registry, name: str) -> None:
    """A decision uses its indices from the first row; with default planning it would scan small tables."""
    act, expected = STATEMENTS[name]
    async with fresh_registry.sql() as owner:
        await owner.execute(fill(60) + "analyze;")
    async with fresh_registry.sql("app") as small:
        assert expected <= indices(await plan_of(small, act, one_plan=True))
        assert not expected <= indices(await plan_of(small, act))


async def test_a_missing_index_is_found(app: asyncpg.Connection, registry: Registry) -> None:
    """Control: without the flow's index a decision's facts statement has another plan."""
    act, expected = STATEMENTS["facts of a decision"]
    async with registry.sql() as owner:
        definition = await owner.fetchval("select pg_get_indexdef('registry.grants_flow_idx'::regclass)")
        await owner.execute("drop index registry.grants_flow_idx")
        try:
            nodes = await plan_of(app, act)
        finally:
            await owner.execute(definition)
    assert whole_tables(nodes) == {"grants"} or not expected <= indices(nodes)
