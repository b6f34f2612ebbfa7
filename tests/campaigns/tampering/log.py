"""What can be done to a sealed log in the database, judged by a fresh export, by verify and by the sealer's look."""

import random
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

from consent_registry.domain.errors import RegistryError
from consent_registry.operations.log.checkpoints import inspect
from consent_registry.operations.log.export import export_log
from consent_registry.tlog.event_bundle import BundleHead, OpenedEvent, format_bundle
from tests.campaigns.tampering.files import CHECKPOINT, ENTRIES, OLDER, TILES, Auditor, read_folder
from tests.campaigns.tampering.harness import Finding, Mutation, Tally, shuffled
from tests.campaigns.tampering.register import FILES, Estate
from tests.campaigns.tampering.rows import read_table

LOG_TABLES = ("events", "leaves", "tiles", "checkpoints")
REFUSED = frozenset({"export_refused", "sealing_halted"})
_folders = count()


@dataclass(frozen=True, slots=True)
class Bench:
    """One log at which somebody tampers, and who judges it."""

    register: Estate
    slug: str
    number: int
    auditor: Auditor


async def bench(register: Estate, slug: str, *, leaves_alone: bool = False) -> Bench:
    """Take a log, with its DPO: what she kept, the receipts, and the events as they are now; or the key alone."""
    number, policy = await register.number(slug), register.policy_of[slug]
    if leaves_alone:
        return Bench(register, slug, number, Auditor(policy))
    lines = tuple(await read_bundle(register, slug))
    receipts = tuple(register.receipts if slug == FILES else ())
    return Bench(register, slug, number, Auditor(policy, tuple(register.kept[slug]), receipts, lines))


async def read_bundle(register: Estate, slug: str) -> Iterator[bytes]:
    """Return the whole bundle of a log's events."""
    log = await register.desk.log(slug)
    rows = await register.sql.fetch(
        "select log_index, event, nonce from registry.events where network_id = $1 order by log_index", log.network_id
    )
    return format_bundle(BundleHead(1, log.origin, log.size), [OpenedEvent(*row) for row in rows])


async def export(at: Bench) -> Path:
    """Export the log into a folder of its own."""
    folder = at.register.folder / f"export-{next(_folders)}"
    network = await at.register.runtime.network(at.slug)
    assert network is not None
    try:
        await export_log(at.register.runtime, network, folder)
    except RegistryError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


async def judged(at: Bench, auditor: Auditor | None = None) -> list[Finding]:
    """Export the log again, verify the export, and ask the sealer what it thinks of the database."""
    try:
        folder = await export(at)
    except RegistryError as error:
        seen = [("export_refused", error.detail)]
    else:
        seen = (auditor or at.auditor).judge(read_folder(folder).get)
        shutil.rmtree(folder)
    try:
        standing = await inspect(at.register.desk.tools, await at.register.desk.log(at.slug))
    except RegistryError as error:
        return [*seen, ("sealing_halted", error.detail)]
    return seen if standing.problem is None else [*seen, ("sealing_halted", standing.problem)]


@asynccontextmanager
async def put_back(at: Bench, tables: Sequence[str] = LOG_TABLES) -> AsyncIterator[asyncpg.Connection]:
    """Let a superuser past every trigger; what was committed in the block is put back in the end."""
    sql = at.register.sql
    await sql.execute("set session_replication_role = replica")
    try:
        yield sql
    finally:
        for table in tables:
            await sql.execute(f"delete from registry.{table} where network_id = {at.number}")
            await sql.execute(
                f"insert into registry.{table} select * from intact.{table} where network_id = {at.number}"
            )
        await sql.execute("reset session_replication_role")


async def try_log(at: Bench, mutations: Iterator[Mutation], number: int, tally: Tally) -> None:
    """Make so many of these mutations, each alone, and let export, verify and sealer judge every one."""
    before = tally.made.total()
    for mutation in mutations:
        if tally.made.total() - before >= number:
            return
        if tally.is_new(mutation.statement):
            async with put_back(at, LOG_TABLES[1:]) as sql:
                if await sql.fetchval(mutation.statement):
                    seen = await judged(at)
                    tally.count(
                        mutation.kind, mutation.statement, seen, named=any(code in mutation.codes for code, _ in seen)
                    )


async def log_mutations(rng: random.Random, at: Bench) -> list[Iterator[Mutation]]:
    """Groups of mutations of leaves, tiles and checkpoints."""
    leaves, tiles, notes = [await read_table(at.register.sql, table, at.slug) for table in LOG_TABLES[1:]]
    size = len(leaves.rows)
    newest = max(notes.rows, key=lambda row: (row["size"], row["published_at"]))
    makers = (
        _bits(rng, at, "leaves", "leaf", leaves.rows, ENTRIES),
        _deleted(at, "leaves", leaves.rows, ENTRIES | REFUSED),
        _exchanged(rng, at, "leaves", "leaf", leaves.rows, ENTRIES),
        _tails(at, size),
        (bit for _ in range(8) for bit in _bits(rng, at, "tiles", "data", tiles.rows, TILES | REFUSED)),
        _deleted(at, "tiles", tiles.rows, TILES | REFUSED),
        _exchanged(rng, at, "tiles", "data", tiles.rows, TILES | REFUSED),
        _cut_tiles(rng, at, tiles.rows),
        (bit for _ in range(40) for bit in _bits(rng, at, "checkpoints", "note", [newest], CHECKPOINT)),
        (bit for _ in range(20) for bit in _bits(rng, at, "checkpoints", "root", [newest], REFUSED)),
        _sizes(at, newest),
        _checkpoints_gone(at, newest),
    )
    return [shuffled(rng, make) for make in makers]


def _row(row: asyncpg.Record) -> str:
    return f"ctid = (select ctid from registry.{{}} where network_id = {row['network_id']} and {_key(row)})"


def _key(row: asyncpg.Record) -> str:
    if "log_index" in row:
        return f"log_index = {row['log_index']}"
    if "level" in row:
        return f"level = {row['level']} and number = {row['number']} and width = {row['width']}"
    return f"size = {row['size']} and published_at = '{row['published_at']}'"


def _bits(
    rng: random.Random, at: Bench, table: str, column: str, rows: Sequence[asyncpg.Record], codes: frozenset[str]
) -> Iterator[Mutation]:
    for row in rows:
        place, bit = rng.randrange(len(row[column])), 1 << rng.randrange(8)
        turned = f"set_byte({column}, {place}, get_byte({column}, {place}) # {bit})"
        statement = f"update registry.{table} set {column} = {turned} where {_row(row).format(table)} returning true"
        yield Mutation(f"{table}: {column} edited", at.slug, statement, "", codes)


def _deleted(at: Bench, table: str, rows: Sequence[asyncpg.Record], codes: frozenset[str]) -> Iterator[Mutation]:
    for row in rows:
        statement = f"delete from registry.{table} where {_row(row).format(table)} returning true"
        yield Mutation(f"{table}: deleted", at.slug, statement, "", codes)


def _exchanged(
    rng: random.Random, at: Bench, table: str, column: str, rows: Sequence[asyncpg.Record], codes: frozenset[str]
) -> Iterator[Mutation]:
    for _ in range(60):
        left, right = rng.sample(list(rows), 2)
        pairs = [(left, right), (right, left)]
        cases = " ".join(f"when {_key(to)} then '\\x{by[column].hex()}'::bytea" for to, by in pairs)
        rule = " or ".join(f"({_key(row)})" for row, _ in pairs)
        statement = (
            f"with done as (update registry.{table} set {column} = case {cases} end"
            f" where network_id = {at.number} and ({rule}) returning 1) select count(*) = 2 from done"
        )
        yield Mutation(f"{table}: exchanged", at.slug, statement, "", codes)


def _tails(at: Bench, size: int) -> Iterator[Mutation]:
    for cut in range(1, 60):
        statement = (
            f"with gone as (delete from registry.leaves where network_id = {at.number} and log_index >= {size - cut}"
            " returning 1) select count(*) > 0 from gone"
        )
        yield Mutation("leaves: end cut off", at.slug, statement, "", REFUSED)


def _cut_tiles(rng: random.Random, at: Bench, rows: Sequence[asyncpg.Record]) -> Iterator[Mutation]:
    for row in rows:
        for _ in range(8):
            width = rng.randrange(1, row["width"]) if row["width"] > 1 else 1
            statement = (
                f"update registry.tiles set width = {width}, data = substr(data, 1, {32 * width})"
                f" where {_row(row).format('tiles')} and width <> {width} returning true"
            )
            yield Mutation("tiles: narrowed", at.slug, statement, "", TILES | REFUSED)


def _sizes(at: Bench, newest: asyncpg.Record) -> Iterator[Mutation]:
    for size in range(max(1, newest["size"] - 40), newest["size"] + 40):
        statement = (
            f"update registry.checkpoints set size = {size} where {_row(newest).format('checkpoints')}"
            f" and size <> {size} returning true"
        )
        yield Mutation("checkpoints: size edited", at.slug, statement, "", REFUSED | CHECKPOINT | OLDER)


def _checkpoints_gone(at: Bench, newest: asyncpg.Record) -> Iterator[Mutation]:
    statement = f"delete from registry.checkpoints where {_row(newest).format('checkpoints')} returning true"
    yield Mutation("checkpoints: newest deleted", at.slug, statement, "", OLDER)
    statement = (
        f"with gone as (delete from registry.checkpoints where network_id = {at.number} returning 1)"
        " select count(*) > 0 from gone"
    )
    yield Mutation("checkpoints: all deleted", at.slug, statement, "", REFUSED)
