"""Whatever a database superuser does to a register is found, and named: more than 10,000 mutations, none missed.

A replay of a whole network takes longest, so that TAMPERING_SCALE=full alone makes twice as many changes of rows.
"""

import os
import random
from collections.abc import AsyncIterator, Callable
from itertools import islice

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.operations.log.checkpoints import HistoryChanged
from consent_registry.storage.keys.keyring import Keys, load_keys
from consent_registry.tlog.note import SignerKey
from tests.campaigns.support.figures import show
from tests.campaigns.tampering.files import (
    Auditor,
    checkpoint_changes,
    event_changes,
    file_changes,
    read_folder,
    try_files,
)
from tests.campaigns.tampering.harness import Finding, Tally, in_turns, replayed, try_all, undone
from tests.campaigns.tampering.log import bench, export, judged, log_mutations, put_back, try_log
from tests.campaigns.tampering.places import places
from tests.campaigns.tampering.register import FILES, LOGS, OLDER, TALL, TALL_SIZE, Estate, estate, tables
from tests.campaigns.tampering.rewrites import FOUND_BY, Reach, cut_off, rewrite
from tests.campaigns.tampering.rows import (
    TOLD,
    Table,
    cells,
    columns_of,
    read_table,
    sealed_cells,
    whole_rows,
    whole_tables,
)
from tests.campaigns.tampering.unrecorded_columns import OF_THE_LOG, UNTOLD, WITH_KEYS
from tests.campaigns.tampering.verbs import replay_findings, verify_findings
from tests.support.installation import Installation
from tests.support.sealing import office as sealing

pytestmark = pytest.mark.campaign

SEED = 20261127
ROWS, PLACES = (3_600, 1_400) if os.environ.get("TAMPERING_SCALE") == "full" else (1_800, 700)
LOG, REWRITES, CUTS = 500, 30, 30
FILE_BYTES, NOTES, EVENTS, TALL_FILES = 5_600, 600, 900, 30
VERBS = 5
SEALED, CONTROLS = 60, 10
PARTS = (ROWS, PLACES, LOG, FILE_BYTES, NOTES, EVENTS, TALL_FILES, REWRITES * len(Reach), CUTS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def register(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Estate]:
    """Make the register once: whatever is done to it is undone."""
    async with estate(installation, tmp_path_factory.mktemp("tampering")) as made:
        yield made


async def told_tables(register: Estate) -> list[Table]:
    """Return each table in the network that has most to tell of it: the small one, or else another.

    No act ends an agreement yet: tests/operations/oversight/test_table_check.py puts an ending in by hand.
    """
    chosen = []
    for name in TOLD.keys() - {"agreement_endings"}:
        of_logs = [await read_table(register.sql, name, slug) for slug in LOGS]
        chosen.append(next(table for table in of_logs if table.rows))
    return sorted(chosen, key=lambda table: table.name)


async def told_names(register: Estate) -> list[str]:
    """Return the names of every table of a network."""
    return [table for table in await tables(register.sql) if table not in {"schema_migrations", "schema_functions"}]


def test_there_are_enough() -> None:
    """Each part makes as many as it says, so that all together are more than ten thousand."""
    assert sum(PARTS) >= 10_000


async def test_nothing_is_found_before(register: Estate) -> None:
    """What was not tampered with holds, by every judge: replay, export and verify, the sealer."""
    for slug in LOGS:
        async with undone(register.sql):
            assert await replayed(register.sql, slug) == []
        assert await judged(await bench(register, slug)) == []


async def test_rows(register: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows and columns of every table that events tell of, found by replay."""
    rng, tally = random.Random(SEED), Tally(SEED)
    compared = await told_tables(register)
    await try_all([register.sql], await whole_tables(rng, register.sql, compared), ROWS, tally)
    groups = [group for table in compared for group in (*cells(rng, table), *whole_rows(rng, table))]
    await try_all(register.hands, in_turns(groups), ROWS, tally)
    conclude(capsys, "rows", tally, ROWS)


async def test_what_the_keys_tell(register: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """Digests of references, and everything sealed: edited or exchanged, found by replay with the keys. The control:
    without them none is named, but for a text that is gone or there again.
    """
    rng, tally = random.Random(SEED + 6), Tally(SEED + 6)
    keys = load_keys(register.installation.keys)
    compared = {table.name: table for table in await told_tables(register)}
    groups = [group for name, columns in WITH_KEYS.items() for group in sealed_cells(rng, compared[name], columns)]
    chosen = list(islice(in_turns(groups), 2 * SEALED))
    await try_all([register.sql], chosen, SEALED, tally, keys)
    conclude(capsys, "sealed", tally, SEALED)
    without = Tally(SEED)
    await try_all(
        [register.sql], [mutation for mutation in chosen if "null" not in mutation.statement], CONTROLS, without
    )
    assert len(without.missed) == without.made.total() > 0


async def test_places(register: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """Events and leaves of a log: every column, taken out, put in, exchanged, put at another place; found by replay."""
    rng, tally = random.Random(SEED + 1), Tally(SEED + 1)
    await try_all(register.hands, in_turns(await places(rng, register.sql, "small")), PLACES, tally)
    conclude(capsys, "places", tally, PLACES)


async def test_log(register: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """Leaves, tiles and checkpoints in the database, found by a fresh export, its verification, or the sealer."""
    rng, tally = random.Random(SEED + 2), Tally(SEED + 2)
    at = await bench(register, FILES)
    await try_log(at, in_turns(await log_mutations(rng, at)), LOG, tally)
    conclude(capsys, "log", tally, LOG)


async def test_files(register: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of the log where they are served: tiles, entries, checkpoints, and the bundle of events beside them."""
    rng, tally = random.Random(SEED + 3), Tally(SEED + 3)
    at = await bench(register, FILES)
    files = read_folder(await export(at))
    assert at.auditor.judge(files.get) == []
    try_files(at.auditor, files, file_changes(rng, files), FILE_BYTES, tally)
    log = await register.desk.log(FILES)
    keys = (SignerKey(log.origin, register.desk.tools.keys.all(log.origin)[0]), register.witness)
    older = dict(register.kept[FILES][:-1])
    try_files(at.auditor, files, checkpoint_changes(rng, files, keys, older), NOTES, tally)
    assert at.auditor.events is not None
    try_files(at.auditor, files, event_changes(rng, at.auditor.events), EVENTS, tally)
    conclude(capsys, "files", tally, FILE_BYTES + NOTES + EVENTS)


async def test_files_of_a_tall_tree(register: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """Tiles of every level, full and partial, of a tree with three of them."""
    rng, tally = random.Random(SEED + 4), Tally(SEED + 4)
    await register.desk.add_leaves(TALL_SIZE - len(await register.desk.leaves(TALL)), TALL)
    while (await register.desk.seal(TALL)).size < TALL_SIZE:
        pass
    at = await bench(register, TALL, leaves_alone=True)
    files = read_folder(await export(at))
    assert at.auditor.judge(files.get) == []
    above = {path for path in files if path.startswith("tile/") and path.split("/")[1] in "12"}
    assert above == {"tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1"}
    changes = file_changes(
        rng, {path: files[path] for path in above | {"tile/0/200", "tile/entries/256.p/264"} & set(files)}
    )
    try_files(at.auditor, files, changes, TALL_FILES, tally)
    conclude(capsys, "files of a tall tree", tally, TALL_FILES)


@pytest.mark.parametrize("reach", Reach, ids=str)
async def test_a_past_that_fits_together(register: Estate, capsys: pytest.CaptureFixture[str], reach: Reach) -> None:
    """Event, leaf and row rewritten, then the tiles, then signed with the log's key, then with the witness's as well:
    replay says nothing, and what others kept shows it.
    """
    rng, tally = random.Random(SEED + reach), Tally(SEED + reach)
    at = await bench(register, FILES)
    while tally.made.total() < REWRITES:
        async with put_back(at, (*LOG_AND_ROWS,)) as sql:
            what = await rewrite(rng, at, sql, reach)
            async with undone(sql):
                assert await replayed(sql, FILES) == []
            seen = await judged(at, eventless(at.auditor))
        if tally.is_new(what):
            tally.count(reach.name, what, seen, named=any(code in FOUND_BY[reach] for code, _ in seen))
    conclude(capsys, f"rewritten, {reach.name}", tally, REWRITES)


LOG_AND_ROWS = ("events", "leaves", "tiles", "checkpoints", "consents")


def eventless(auditor: Auditor) -> Auditor:
    """A superuser who rewrites the past gives out a bundle that agrees with it, because she has none from before."""
    return Auditor(auditor.policy, auditor.kept, auditor.receipts)


async def test_the_end_cut_off(register: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """The log's last decisions never were, in any table: what was kept is larger, and the sealer signs nothing."""
    tally = Tally(SEED)
    at = await bench(register, FILES)
    size = len(await register.desk.leaves(FILES))
    for less in range(1, CUTS + 1):
        async with put_back(at) as sql:
            await cut_off(at, sql, size - less)
            seen = await judged(at, eventless(at.auditor))
        codes = {code for code, _ in seen}
        tally.count("end cut off", f"{less} leaves", seen, named=codes >= {"kept_larger", "sealing_halted"})
    conclude(capsys, "cut off", tally, CUTS)


async def test_an_older_copy_put_back(register: Estate) -> None:
    """The whole database as it was: it agrees with itself and replays, the sealer refuses it, also when it grew on, and
    every DPO's checkpoint is larger.
    """
    database = f"{register.database}_{OLDER}"
    sql = await asyncpg.connect(register.installation.dsn(database, "postgres"))
    try:
        for slug in LOGS:
            async with undone(sql):
                assert await replayed(sql, slug) == []
    finally:
        await sql.close()
    async with sealing(register.installation, database, register.folder / "heads") as back:
        for slug in ("small", FILES):
            with pytest.raises(HistoryChanged):
                await back.seal(slug)
            await back.add_leaves(500, slug)
            with pytest.raises(HistoryChanged):
                await back.seal(slug)


async def test_control_a_table_nobody_compares(register: Estate) -> None:
    """A replay that leaves grants out misses what is done to grants, and the campaign says so with its seed."""

    async def without_grants(sql: asyncpg.Connection, network: str, keys: Keys | None) -> list[Finding]:
        return [(code, where) for code, where in await replayed(sql, network, keys) if not where.startswith("grants ")]

    rng, tally = random.Random(SEED), Tally(SEED)
    table = await read_table(register.sql, "grants", "small")
    await try_all(register.hands, in_turns(list(cells(rng, table))), 100, tally, judge=without_grants)
    assert len(tally.missed) == 100
    with pytest.raises(AssertionError, match=f"seed {SEED}, number 1, "):
        tally.require_all_found()


class WithoutTiles(Auditor):
    """An auditor that overlooks what differs in a tile."""

    def judge(self, read: Callable[[str], bytes | None], lines: tuple[bytes, ...] | None = None) -> list[Finding]:
        """Verify, and leave that out."""
        return [(code, where) for code, where in Auditor.judge(self, read, lines) if code != "tile_differs"]


async def test_control_tiles_nobody_compares(register: Estate) -> None:
    """A verify that takes tiles as they are misses what is done to tiles, and to nothing else."""
    at = await bench(register, FILES)
    files = read_folder(await export(at))
    auditor = WithoutTiles(at.auditor.policy, at.auditor.kept, at.auditor.receipts, at.auditor.events)
    tally = Tally(SEED)
    try_files(auditor, files, file_changes(random.Random(SEED), files), 400, tally)
    missed = [line for line in tally.missed if "tile of level" in line]
    assert missed
    assert len(missed) == len(tally.missed)


def conclude(capsys: pytest.CaptureFixture[str], what: str, tally: Tally, number: int) -> None:
    """Show the figures, and assert that as many were made as promised and that every one was found."""
    show(capsys, f"tampered {what}: {tally.figures()}")
    tally.require_all_found()
    assert tally.made.total() == number


async def test_every_column_is_compared_or_explained(register: Estate) -> None:
    """Each column of the schema is one that somebody compares, or is listed with why not and what harm it could do."""
    rows = await register.sql.fetch(
        "select relname, attname from pg_attribute a join pg_class c on c.oid = attrelid"
        " where relnamespace = 'registry'::regnamespace and relkind in ('r', 'p') and not relispartition"
        " and attnum > 0 and not attisdropped"
    )
    there = {(row[0], row[1]) for row in rows}
    compared = {(name, column) for name, columns in OF_THE_LOG.items() for column in columns}
    for name in TOLD:
        compared |= {(name, column) for column in (*TOLD[name][0], *columns_of(name), "network_id")}
    explained = {
        (name, column)
        for name, columns in UNTOLD.items()
        for column in ([held for table, held in there if table == name] if "*" in columns else columns)
    }
    assert compared | explained == there
    assert not compared & explained
    assert all("Harm: " in why for columns in UNTOLD.values() for why in columns.values())


async def test_the_verbs_say_the_same(register: Estate, capsys: pytest.CaptureFixture[str]) -> None:
    """What the campaign hears from the functions the operator hears from the verbs: `audit replay` of a mutation that
    was committed, and `verify` of altered files in a folder, find the same.
    """
    rng = random.Random(SEED + 5)
    compared = [table for table in await told_tables(register) if table.network == "small"]
    groups = [group for table in rng.sample(compared, VERBS) for group in cells(rng, table)]
    rng.shuffle(groups)
    chosen = [next(group) for group in groups]
    for mutation in [mutation for mutation in chosen if mutation.kind != "network edited"][:VERBS]:
        async with undone(register.sql):
            changed = await register.sql.fetchval(mutation.statement)
            short = await replayed(register.sql, "small")
        if changed:
            async with put_back(await bench(register, "small"), await told_names(register)) as sql:
                await sql.execute(mutation.statement)
                assert replay_findings(register, "small") == short, mutation.statement
    at = await bench(register, FILES)
    files = read_folder(await export(at))
    changes = [change for change in islice(file_changes(rng, files), 400) if len(change.files) == 1]
    for change in rng.sample(changes, VERBS):
        read = {**files, **change.files}
        assert verify_findings(at, read) == at.auditor.judge(read.get), change.what
    show(capsys, f"tampered: {VERBS} samples of rows and {VERBS} of files, the verbs say the same")
