"""While the log cannot be written for 30 seconds no decision leaves, and everything is back soon after."""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.campaigns.crash.blockade import BACK_WITHIN_S, GOOD, Blockade, judge
from tests.campaigns.crash.ledger import check, read_log, read_rows
from tests.campaigns.crash.workload import Heard, Workload, learn_flow
from tests.campaigns.support.figures import show
from tests.campaigns.support.places import scratch
from tests.campaigns.support.server import Server, lay_out, running
from tests.campaigns.support.wire import LostError, Wire

pytestmark = pytest.mark.campaign

NETWORK = "paderborn"
BLOCKED_S, CONTROL_S = 30.0, 4.0
LANES = 8
DISK = "size=512m"
MOST_SEGMENTS = 64
LOG_LOCK = "pg_advisory_xact_lock((4 << 20) | network_id, 0)"
"""The lock that comes last (docs/design/locks.md): class 4, and the network."""


async def watch_ready(server: Server, heard: list[Heard], enough: asyncio.Event) -> None:
    """Ask `/ready` ten times a second, as a load balancer would."""
    while not enough.is_set():
        wire, began_at = Wire(server.port, longest_s=10.0), time.monotonic()
        try:
            answer = await wire.get("/ready")
            heard.append(Heard(began_at, answer.ended_at, answer.status, "retry-after" in answer.headers))
        except LostError:
            heard.append(Heard(began_at, time.monotonic(), None))
        wire.close()
        await asyncio.sleep(0.1)


@asynccontextmanager
async def lock_held(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Hold the log's lock of every network in a session of the superuser."""
    async with connection.transaction():
        await connection.execute(f"select {LOG_LOCK} from networks")  # noqa: S608 - a constant
        yield


@asynccontextmanager
async def insert_revoked(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Take the application's right to add to the log."""
    await connection.execute("revoke insert on events, leaves from consent_registry_app")
    yield
    await connection.execute("grant insert on events, leaves to consent_registry_app")


@contextlib.asynccontextmanager
async def disk_full(folder: Path) -> AsyncIterator[None]:
    """Fill the file system, and again whatever becomes free."""
    stop = asyncio.Event()
    filling = asyncio.create_task(_fill(folder / "ballast", stop))
    while not filling.done() and os.statvfs(folder).f_bavail:  # noqa: ASYNC110 - the kernel counts
        await asyncio.sleep(0.01)
    yield
    stop.set()
    await filling
    (folder / "ballast").unlink()


async def use_up_segments(connection: asyncpg.Connection) -> None:
    """Write into one segment of the write-ahead log after the other."""
    for _ in range(MOST_SEGMENTS):
        await connection.execute("select pg_switch_wal()")
        await connection.execute("select pg_logical_emit_message(true, 'campaign', 'one more segment')")


@contextlib.asynccontextmanager
async def disk_full_in_the_middle_of_the_wal(folder: Path, server: Server) -> AsyncIterator[None]:
    """Fill the file system and use up the write-ahead log's last segment: PostgreSQL can only panic."""
    async with disk_full(folder):
        connection = await server.sql()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await use_up_segments(connection)
        connection.terminate()
        yield


async def _fill(ballast: Path, stop: asyncio.Event) -> None:
    with ballast.open("wb", buffering=0) as file:
        while not stop.is_set():
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while not stop.is_set() and file.write(b"\0" * size) == size:
                        pass
            await asyncio.sleep(0.2)


Block = Callable[[], AbstractAsyncContextManager[None]]


async def campaign(server: Server, work: Workload, block: Block, span_s: float, *, leaky: bool) -> Blockade:
    """Work before, through and after a blockade of `span_s`; return what was heard."""
    ready: list[Heard] = []
    tasks = [asyncio.create_task(work.run(lane)) for lane in range(LANES)]
    tasks.append(asyncio.create_task(watch_ready(server, ready, work.enough)))
    await asyncio.sleep(1.0)
    try:
        async with block():
            began_at = time.monotonic()
            await asyncio.sleep(span_s)
            ended_at = time.monotonic()
        await back(work, ready, ended_at)
    finally:
        work.enough.set()
        await asyncio.gather(*tasks)
    return Blockade(began_at, ended_at, work.heard, ready, leaky)


async def back(work: Workload, ready: list[Heard], ended_at: float) -> None:
    """Wait until there are answers again, from `/ready` to who asked since, a little longer than that may take."""
    while time.monotonic() < ended_at + BACK_WITHIN_S + 1.0:
        answers = any(each.ended_at > ended_at and each.status in GOOD for each in work.heard)
        if answers and any(each.began_at >= ended_at and each.status in GOOD for each in ready):
            return
        await asyncio.sleep(0.1)


async def blocked(
    server: Server, block: Block, seed: int, span_s: float = BLOCKED_S, *, leaky: bool = False
) -> tuple[Blockade, list[object]]:
    """Run one blockade; return it with every broken promise, the ledger's findings among them."""
    work = Workload(server, await learn_flow(server, NETWORK), seed)
    async with inspecting(server) as connection:
        baseline = len(await read_log(connection, NETWORK))
    blockade = await campaign(server, work, block, span_s, leaky=leaky)
    async with inspecting(server) as connection:
        log, rows = await read_log(connection, NETWORK), await read_rows(connection, NETWORK)
    return blockade, [*judge(blockade), *work.surprises, *check(work.acts, log, rows, baseline)]


@asynccontextmanager
async def inspecting(server: Server) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the superuser for the length of a block."""
    connection = await server.sql()
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run one server for the blockades that do it no lasting harm."""
    with running("blocked-log") as made:
        yield made


def report(capsys: pytest.CaptureFixture[str], how: str, blockade: Blockade) -> None:
    """Print the measured figures."""
    refused = sum(each.status == 503 for each in blockade.inside())
    show(
        capsys,
        f"log blocked ({how}): {blockade.released()} released, {refused} refused,"
        f" /ready 503 after {seconds(blockade.unready_after_s())}, 200 again after"
        f" {seconds(blockade.ready_again_after_s())}, answers again after {seconds(blockade.answers_again_after_s())}",
    )


def seconds(measured: float | None) -> str:
    """Format a time that may not have come."""
    return "never" if measured is None else f"{measured:.1f} s"


def test_no_decision_while_somebody_holds_the_logs_lock(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A session that holds the log's lock stops every answer, and its end lets them through again."""

    async def run() -> tuple[Blockade, list[object]]:
        async with inspecting(server) as connection:
            return await blocked(server, lambda: lock_held(connection), 1)

    blockade, broken = asyncio.run(run())
    report(capsys, "lock", blockade)
    assert broken == []


def test_no_decision_while_the_log_may_not_be_written(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the right to insert into the log there is no answer."""

    async def run() -> tuple[Blockade, list[object]]:
        async with inspecting(server) as connection:
            return await blocked(server, lambda: insert_revoked(connection), 2)

    blockade, broken = asyncio.run(run())
    report(capsys, "revoked", blockade)
    assert broken == []


def test_control_a_registry_that_fails_open_is_caught() -> None:
    """One that permits what it cannot record is reported by judge and ledger."""

    async def run(server: Server) -> list[object]:
        async with inspecting(server) as connection:
            return (await blocked(server, lambda: lock_held(connection), 5, CONTROL_S))[1]

    with running("blocked-log-control", target="tests.campaigns.defects.fail_open:create_app") as server:
        broken = asyncio.run(run(server))
    assert any("released while nothing could be logged" in str(each) for each in broken)
    assert any(getattr(each, "promise", "") == "missing" for each in broken)


@contextlib.contextmanager
def small_disk(size: str = DISK) -> Iterator[Path]:
    """Mount a small file system for the length of a block."""
    with scratch("full-disk") as folder:
        disk = folder / "disk"
        disk.mkdir(mode=0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"{size},mode=755", "tmpfs", str(disk)], check=True)
        try:
            yield disk
        finally:
            subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_no_decision_without_a_record_on_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    """On a full disk whatever still leaves is recorded, everything else is refused, and room brings all back.

    Twice: with room left in the write-ahead log, where statements fail, and without, where PostgreSQL panics and
    cannot recover before there is room. The server's own output is on the same disk.
    """
    with small_disk() as disk:
        server = Server(lay_out(disk / "data"))
        server.start()
        try:
            failing, broken = asyncio.run(blocked(server, lambda: disk_full(disk), 3, leaky=True))
            report(capsys, "full disk", failing)
            assert broken == []
            dying, broken = asyncio.run(
                blocked(server, lambda: disk_full_in_the_middle_of_the_wal(disk, server), 4, leaky=True)
            )
            report(capsys, "full disk, PostgreSQL down", dying)
            assert broken == []
        finally:
            server.stop(check=False)
