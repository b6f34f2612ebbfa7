"""`python -m benchmarks.sealing`: measures the sealing rate, the checkpoint's lag under load, and the time of proofs.

Runs of decisions with a working sealer and with a stopped one (SIGSTOP) alternate, on the same server.
"""

import argparse
import asyncio
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

import asyncpg
import httpx
import psutil  # type: ignore[import-untyped]

from benchmarks.grants import fill, write_bodies
from benchmarks.load import Run, run_load
from benchmarks.report import print_head
from benchmarks.servers import Registry, registry

ROUNDS = 5
PROOFS = 500
SAMPLE_SECONDS = 0.02
PATIENCE_SECONDS = 1800.0
# The network whose log is filled. The decisions are made in another network.
LOG = "widunetz"
FILL = """
    insert into registry.leaves (network_id, log_index, leaf)
    select $1, n, '\\x01'::bytea || sha256(int8send(n)) from generate_series($2::bigint, $3::bigint) n
"""
SIZES = """
    select (select coalesce(max(log_index) + 1, 0) from registry.leaves where network_id = $1),
        (select coalesce(max(size), 0) from registry.checkpoints where network_id = $1)
"""


def main() -> None:
    """Start a registry, measure, and print the figures."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="consent-registry-bench-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        print_head(folder, options.seconds, ROUNDS)
        with registry(folder / "data", options.port, 1) as server:
            _measure_load(server, options.seconds)
            _measure_rate(server, options.leaves)
            _measure_proofs(server, options.leaves)


def _measure_load(server: Registry, seconds: float) -> None:
    bodies = server.data / "bodies"
    write_bodies(bodies, asyncio.run(fill(server, 10_000)))
    token = server.token()
    runs: dict[str, list[Run]] = {"with": [], "without": []}
    lags: list[float] = []

    def run(seed: int) -> Run:
        path = "/api/v1/decisions"
        return run_load(server, path, bodies / "single", token, connections=64, seconds=seconds, seed=seed)

    run(0)
    for number in range(ROUNDS):
        with _stopped(server):
            runs["without"].append(run(2 * number + 1))
        _wait_until_sealed(server, server.network["slug"])
        with _sampled(server, lags):
            runs["with"].append(run(2 * number + 2))
        _wait_until_sealed(server, server.network["slug"])
    middle = {name: median(measured.requests_per_second for measured in group) for name, group in runs.items()}
    pairs = [a.requests_per_second / b.requests_per_second for a, b in zip(runs["with"], runs["without"], strict=True)]
    cuts = quantiles(lags, n=100)
    print("\nsingle decisions, 64 connections, 1 worker")
    print(f"  with sealing     {middle['with']:9,.0f} /s")
    print(f"  without          {middle['without']:9,.0f} /s")
    each = " ".join(f"{pair:.3f}" for pair in pairs)
    print(f"  ratio            {median(pairs):9.3f}   (median of pairs; each: {each})")
    print(
        f"  behind the log   p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, most {max(lags):.2f} s (oldest unsealed leaf)"
    )


def _measure_rate(server: Registry, leaves: int) -> None:
    with _stopped(server):
        asyncio.run(_fill(server, leaves))
    began, cpu = time.monotonic(), _cpu(server)
    _wait_until_sealed(server, LOG)
    took = time.monotonic() - began
    print(f"\n{leaves:,} leaves at once, sealed in {took:.1f} s: {leaves / took:,.0f} leaves a second")
    print(f"  processor time of the sealer {1e6 * (_cpu(server) - cpu) / leaves:.1f} us a leaf")


def _measure_proofs(server: Registry, leaves: int) -> None:
    chance = random.Random(7)
    kinds = {"inclusion": "proofs/{}", "consistency": "consistency?from={}", "GET /live, to compare": "/live"}
    print(f"\nproofs at {leaves:,} leaves, one after the other over HTTP, milliseconds")
    with httpx.Client() as http:
        for kind, path in kinds.items():
            took: list[float] = []
            before = sum(server.cpu_seconds())
            for _ in range(PROOFS):
                place = path.format(chance.randrange(1, leaves))
                began = time.perf_counter()
                http.get(f"{server.address}{place if place == '/live' else f'/log/{LOG}/{place}'}").raise_for_status()
                took.append(1000 * (time.perf_counter() - began))
            spent, cuts = 1000 * (sum(server.cpu_seconds()) - before) / PROOFS, quantiles(took, n=100)
            print(f"  {kind:22} p50 {cuts[49]:6.2f}   p99 {cuts[98]:6.2f}   processor time of all {spent:5.2f}")


def _sealer(server: Registry) -> psutil.Process:
    found = []
    for process in server.processes():
        with suppress(psutil.NoSuchProcess):  # a database's process that has just ended
            found += [process] if process.cmdline()[-1:] == ["seal"] else []
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} sealers run beside the server")
    return found[0]


def _cpu(server: Registry) -> float:
    times = _sealer(server).cpu_times()
    return float(times.user + times.system)


@contextmanager
def _stopped(server: Registry) -> Iterator[None]:
    sealer = _sealer(server)
    sealer.suspend()
    try:
        yield
    finally:
        sealer.resume()


@contextmanager
def _sampled(server: Registry, lags: list[float]) -> Iterator[None]:
    """Sample the age of the oldest unsealed leaf every 20 ms, for the length of a block."""
    over = threading.Event()
    thread = threading.Thread(target=lambda: lags.extend(asyncio.run(_sample(server, over))))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def _sample(server: Registry, over: threading.Event) -> list[float]:
    connection = await asyncpg.connect(server.admin_dsn())
    number = await _number(connection, server.network["slug"])
    grown: list[tuple[float, int]] = []  # (time, size): when the log was first seen with this size
    lags = []
    try:
        while not over.is_set():
            now = time.monotonic()
            size, published = await _sizes(connection, number)
            if not grown or size > grown[-1][1]:
                grown.append((now, size))
            while grown and grown[0][1] <= published:
                grown.pop(0)
            lags.append(now - grown[0][0] if grown and size > published else 0.0)
            await asyncio.sleep(SAMPLE_SECONDS)
    finally:
        await connection.close()
    return lags


async def _fill(server: Registry, leaves: int) -> None:
    connection = await asyncpg.connect(server.admin_dsn())
    try:
        number = await _number(connection, LOG)
        size, _ = await _sizes(connection, number)
        for start in range(size, leaves, 250_000):
            await connection.execute(FILL, number, start, min(start + 250_000, leaves) - 1)
        await connection.execute("analyze registry.leaves")
    finally:
        await connection.close()


def _wait_until_sealed(server: Registry, slug: str) -> None:
    async def wait() -> None:
        connection = await asyncpg.connect(server.admin_dsn())
        number, until = await _number(connection, slug), time.monotonic() + PATIENCE_SECONDS
        try:
            while True:
                size, published = await _sizes(connection, number)
                if published >= size:
                    return
                if time.monotonic() > until:
                    raise TimeoutError(f"{published} of {size} leaves are sealed")
                await asyncio.sleep(0.05)
        finally:
            await connection.close()

    asyncio.run(wait())


async def _sizes(connection: asyncpg.Connection, number: int) -> tuple[int, int]:
    (row,) = await connection.fetch(SIZES, number)
    return row[0], row[1]


async def _number(connection: asyncpg.Connection, slug: str) -> int:
    return int(await connection.fetchval("select network_id from registry.networks where slug = $1", slug))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sealing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one run (each case has five)")
    parser.add_argument("--leaves", type=int, default=10_000_000, help="size of the log whose proofs are measured")
    parser.add_argument("--port", type=int, default=18420)
    return parser.parse_args()


if __name__ == "__main__":
    main()
