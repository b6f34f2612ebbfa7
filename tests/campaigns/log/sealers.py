"""Sealers as processes of their own on a test's database: started, stopped in the middle of a step, counted out."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from tests.campaigns.support.server import ROOT
from tests.support.sealing import NETWORK, Office, tree_root

REAL = ("consent_registry", "seal")
LIMIT_S = 30.0


def start(desk: Office, keys: Path, *module: str, folder: Path | None = None) -> "subprocess.Popen[bytes]":
    """Start a sealer, by default the real one, on the desk's database and with its memory or another."""
    environment = {
        **os.environ,
        "CONSENT_REGISTRY_SEALER_DATABASE_URL": desk.dsn,
        "CONSENT_REGISTRY_SEALER_STATE": str(folder or desk.folder),
        "CONSENT_REGISTRY_KEYS": str(keys),
    }
    with Path(f"{desk.folder}.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *(module or REAL)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


@contextmanager
def sealer(desk: Office, keys: Path, *module: str, folder: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a sealer for the length of a block; it is killed in the end, whatever state it is in."""
    process = start(desk, keys, *module, folder=folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def said(desk: Office) -> str:
    """Return what the sealers printed."""
    return Path(f"{desk.folder}.log").read_text()


async def until_sealed(desk: Office, size: int, limit_s: float = LIMIT_S) -> float:
    """Wait until a checkpoint of at least this size is published and return the seconds it took."""
    began_at = time.monotonic()
    while max((sealed for sealed, _ in await published(desk)), default=0) < size:
        assert time.monotonic() - began_at < limit_s, f"not sealed: {said(desk)[-2000:]}"
        await asyncio.sleep(0.05)
    return time.monotonic() - began_at


async def published(desk: Office) -> list[tuple[int, bytes]]:
    """Return size and root of every checkpoint, in the order of their publication."""
    rows = await desk.sql.fetch(
        "select size, root from registry.checkpoints where network_id = $1 order by published_at",
        (await desk.log()).network_id,
    )
    return [(row["size"], row["root"]) for row in rows]


async def check_all(desk: Office) -> None:
    """Assert that every checkpoint ever published is that of the leaves, that the newest is all of them, and that the
    signer remembers exactly it.
    """
    leaves = await desk.leaves()
    for size, root in await published(desk):
        assert root == tree_root(leaves[:size]), f"the checkpoint of size {size} is not that of the leaves"
    assert await desk.check() == len(leaves)
    head = desk.tools.heads.read(NETWORK, (await desk.log()).origin)
    assert head is not None
    assert (head.size, head.root) == (len(leaves), tree_root(leaves))


def stopped(process: "subprocess.Popen[bytes]") -> bool:
    """Say whether a process stands still (SIGSTOP)."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def go_on(process: "subprocess.Popen[bytes]") -> None:
    """Wake a process up that stands still."""
    process.send_signal(signal.SIGCONT)


async def until_nobody_leads(sql: asyncpg.Connection) -> None:
    """Wait until nobody holds the sealers' lock in this database."""
    until = time.monotonic() + LIMIT_S
    while await sql.fetchval(
        "select count(*) from pg_locks where locktype = 'advisory' and classid = 6 << 20"
        " and database = (select oid from pg_database where datname = current_database())"
    ):
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
