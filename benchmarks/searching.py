"""`python -m benchmarks.searching`: measures a DPO's search over ten million events, and the disk space of a decision.

SQL statements fill the log for the months of two years. One kind, one purpose, one outcome and one member of staff are
rare. Each line of the report is a filter. A page is requested over HTTP, and its time includes the page's own event in
the log and the commit. At the end decisions are made over HTTP, and the growth of the tables is divided by their
number.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import httpx

from benchmarks.disk import read_sizes
from benchmarks.grants import fill, write_bodies
from benchmarks.load import run_load
from benchmarks.report import print_head
from benchmarks.servers import Registry, registry

MONTHS = 24
ROUNDS = 20
# One event in so many has the rare kind, purpose, outcome or member of staff.
RARE_EVERY = 100_000
PARTITION = """
do $$
declare
    first_day date;
    name text;
begin
    for first_day in select (date_trunc('month', now() at time zone 'UTC') - make_interval(months => n))::date
        from generate_series(1, {months}) n loop
        name := 'events_' || to_char(first_day, 'YYYYMM');
        if to_regclass('registry.' || name) is null then
            execute format('create table registry.%I partition of registry.events for values from (%L) to (%L)', name,
                first_day || ' 00:00:00+00', (first_day + interval '1 month') || '+00');
            execute format('alter table registry.%I owner to consent_registry_owner', name);
            execute format('alter table registry.%I enable row level security', name);
            execute format('alter table registry.%I force row level security', name);
        end if;
    end loop;
end
$$
"""
# Fills a month: $3 events from log index $2 on, spread over 28 days from $4 on.
FILL = """
    insert into registry.events (network_id, log_index, at, event_id, client_id, actor_id, sender_id, recipient_id,
        purpose_id, kind, outcome, person, nonce, event)
    select $1, i, at, id, client, actor, case when kind in (1, 5) then actor end, case when kind = 1 then recipient end,
        case when kind = 1 then purpose end, kind, case when kind = 1 then outcome end,
        case when kind = 3 then 'B-' || case when rare then 99999 else i % 40 end end, sha256(int8send(i)),
        convert_to('{{"actor":"' || actor || '","at":"2026-01-01T00:00:00.000000Z","basis":"consent","categories":'
            || '["identity","contact"],"client":"' || coalesce(client::text, '') || '","expires_at":'
            || '"2026-01-01T00:05:00.000000Z","grants":["' || id || '"],"id":"' || id || '","kind":"decision",'
            || '"network":"benchmark","outcome":"permit","permitted":["identity","contact"],"purpose":"employment",'
            || '"recipient":"somebody","reference_commitment":"' || encode(sha256(int8send(-i)), 'base64')
            || '","v":1}}', 'UTF8')
    from (
        select i, i % {rare} = 77 as rare, $4::timestamptz + (i - $2) * (interval '28 days' / $3) as at,
            (substr(lpad(to_hex((extract(epoch from $4::timestamptz) * 1000)::bigint + (i - $2) * 2419200000 / $3), 12,
                '0'), 1, 12) || '7' || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid as id,
            case when i % 5 = 0 then null else md5((hashint8(i * 7) % 200000)::text)::uuid end as client,
            (array[{partners}])[1 + floor(power(hashint8(i) / 4294967296.0 + 0.5, 2) * {count})::integer] as actor,
            (array[{partners}])[1 + abs(hashint8(i * 3)) % {count}] as recipient,
            case when i % {rare} = 78 then {rare_purpose}
                else (array[{purposes}])[1 + abs(hashint8(i * 5)) % {many}] end as purpose,
            (array[1, 1, 1, 3, 3, 4])[1 + abs(hashint8(i * 11)) % 6] + case when i % {rare} = 79 then 1 else 0 end
                as outcome,
            case when i % {rare} = 76 then 18 when i % {rare} = 77 then 3 when i % 100 < 90 then 1
                when i % 100 < 96 then 5 when i % 100 < 98 then 6 else 3 end as kind
        from generate_series($2::bigint, $2::bigint + $3::bigint - 1) i
    ) made
"""
LEAVES = """
    insert into registry.leaves (network_id, log_index, leaf)
    select $1, i, '\\x01'::bytea || sha256(int8send(i)) from generate_series($2::bigint, $2::bigint + $3::bigint - 1) i
"""


def main() -> None:
    """Start a registry, fill its log, measure, and print the figures."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="consent-registry-bench-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        print_head(folder, 0, ROUNDS)
        with registry(folder / "data", options.port, 1) as server:
            began = time.monotonic()
            asyncio.run(fill_log(server, options.events))
            print(f"\n{options.events:,} events filled in {time.monotonic() - began:.0f} s, over {MONTHS} months")
            _measure_pages(server)
            _measure_disk(server)


async def fill_log(server: Registry, events: int) -> None:
    """Add this number of events to the example's network, the oldest from two years ago, and vacuum the tables."""
    connection = await asyncpg.connect(server.admin_dsn())
    try:
        network = server.network["slug"]
        network_id = await connection.fetchval("select network_id from registry.networks where slug = $1", network)
        await connection.execute(PARTITION.format(months=MONTHS + 1))
        statement = FILL.format(**await _names(connection, network_id))
        first = await connection.fetchval(
            "select coalesce(max(log_index) + 1, 0) from registry.leaves where network_id = $1", network_id
        )
        each = events // MONTHS
        for month in range(MONTHS):
            day = await connection.fetchval(
                "select date_trunc('month', now()) - make_interval(months => $1)", MONTHS - month
            )
            place = first + month * each
            await connection.execute(statement, network_id, place, each, day)
            await connection.execute(LEAVES, network_id, place, each)
        await connection.execute("vacuum analyze registry.events")
        await connection.execute("vacuum analyze registry.leaves")
    finally:
        await connection.close()


async def _names(connection: asyncpg.Connection, network_id: int) -> dict[str, Any]:
    partners = await connection.fetchval(
        "select array_agg(partner_id order by partner_id) from registry.partners where network_id = $1", network_id
    )
    purposes = await connection.fetchval(
        "select array_agg(purpose_id order by purpose_id) from registry.purposes where network_id = $1", network_id
    )
    return {
        "partners": ", ".join(map(str, partners)),
        "count": len(partners),
        "purposes": ", ".join(map(str, purposes[:-1])),
        "many": len(purposes) - 1,
        "rare_purpose": purposes[-1],
        "rare": RARE_EVERY,
    }


def _filters(server: Registry) -> Mapping[str, dict[str, Any]]:
    network = server.network
    example = network["permit_example"]
    others = [partner["slug"] for partner in network["partners"] if partner["slug"] != server.partner]
    with httpx.Client(base_url=server.address, headers={"Authorization": f"Bearer {server.token()}"}) as http:
        purposes = [purpose["slug"] for purpose in http.get("/api/v1/purposes").json()["items"]]
    early, late = "2024-01-01T00:00:00.000000Z", _months_ago(12)
    rare_purpose = purposes[-1]
    return {
        "nothing": {},
        "own partner": {"partner": server.partner},
        "another partner": {"partner": others[0]},
        "recipient": {"recipient": others[0]},
        "own as recipient": {"recipient": server.partner},
        "purpose": {"purpose": purposes[0]},
        "purpose, rare": {"purpose": rare_purpose},
        "outcome permit": {"outcome": "permit"},
        "outcome partial, rare": {"outcome": "partial"},
        "outcome no_permission": {"outcome": "no_permission"},
        "kind decision": {"kind": "decision"},
        "kind approval_revocation, rare": {"kind": "approval_revocation"},
        "kinds consent and transfer": {"kind": ["consent", "transfer"]},
        "person": {"person": "B-18"},
        "person, rare": {"person": "B-99999"},
        "person nobody": {"person": "B-0000"},
        "client": {"client": example["request"]["client"]},
        "client of nobody": {"client": "NOBODY-1"},
        "client and purpose": {"client": example["request"]["client"], "purpose": purposes[0]},
        "a year ago": {"until": late},
        "one hour a year ago": {"from": _months_ago(12, -3600), "until": late},
        "before there was a log": {"until": early},
        "purpose, rare, a year ago": {"purpose": rare_purpose, "until": late},
        "recipient, purpose, outcome": {"recipient": others[1], "purpose": purposes[1], "outcome": "not_consent_based"},
        "recipient, rare purpose, partial": {"recipient": others[1], "purpose": rare_purpose, "outcome": "partial"},
        "outcome partial, an hour": {"outcome": "partial", "from": _months_ago(12, -3600), "until": late},
        "person a year ago": {"person": "B-18", "until": late},
        "another partner's partial": {"partner": others[0], "outcome": "partial"},
    }


def _months_ago(months: int, seconds: int = 0) -> str:
    """Noon on the 15th of a past month; each month has events on its first 28 days."""
    now = time.gmtime()
    total = now.tm_year * 12 + now.tm_mon - 1 - months
    at = time.gmtime(time.mktime((total // 12, total % 12 + 1, 15, 12, 0, 0, 0, 0, 0)) + seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", at)


def _measure_pages(server: Registry) -> None:
    print("\nfirst page of 50, and the fifth, milliseconds over HTTP; `processor`: what all processes spent for one")
    print(f"  {'filter':36} {'rows':>5} {'more':>5} {'median':>8} {'max':>8} {'processor':>10} {'5th page':>9}")
    with httpx.Client(base_url=server.address, timeout=60) as http:
        http.headers["Authorization"] = f"Bearer {server.dpo_token()}"
        for name, asked in _filters(server).items():
            for _ in range(3):
                _page(http, asked)  # each of the server's connections plans its statements once
            took, page = [], {}
            spent = sum(server.cpu_seconds())
            for _ in range(ROUNDS):
                began = time.perf_counter()
                page = _page(http, asked)
                took.append(1000 * (time.perf_counter() - began))
            spent = 1000 * (sum(server.cpu_seconds()) - spent) / ROUNDS
            rows, more = len(page["items"]), "yes" if page["next"] else "no"
            times = f"{median(took):8.1f} {max(took):8.1f} {spent:10.1f} {_fifth(http, asked, page):>9}"
            print(f"  {name:36} {rows:5} {more:>5} {times}", flush=True)


def _page(http: httpx.Client, asked: dict[str, Any]) -> dict[str, Any]:
    answer = http.post("/api/v1/events/search", json=asked)
    answer.raise_for_status()
    page: dict[str, Any] = answer.json()
    return page


def _fifth(http: httpx.Client, asked: dict[str, Any], page: dict[str, Any]) -> str:
    took = 0.0
    for _ in range(4):
        if page["next"] is None:
            return "-"
        began = time.perf_counter()
        page = _page(http, asked | {"cursor": page["next"]})
        took = 1000 * (time.perf_counter() - began)
    return f"{took:.1f}"


def _measure_disk(server: Registry) -> None:
    bodies = server.data / "bodies"
    write_bodies(bodies, asyncio.run(fill(server, 10_000)))
    before = asyncio.run(read_sizes(server.admin_dsn()))
    for seed in range(2):
        path = "/api/v1/decisions/batch"
        run_load(server, path, bodies / "batch-50", server.token(), connections=16, seconds=10, seed=seed)
    after = asyncio.run(read_sizes(server.admin_dsn()))
    growth, made = after.growth(before), after.entries - before.entries
    print(f"\nbytes on disk for one of {made:,} decisions, which came in batches of 50")
    for part, size in growth.items():
        print(f"  {part:28} {size:8.1f}")
    print(f"  {'all':28} {sum(growth.values()):8.1f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.searching", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="how many events the log gets")
    parser.add_argument("--port", type=int, default=18430)
    return parser.parse_args()


if __name__ == "__main__":
    main()
