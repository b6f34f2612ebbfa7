"""A backup, and a restore to three named points, by the very commands of `docs/operating.md`: the log up to each point
opens, the registry serves from it, what came later is gone, and a sealer that knows more halts.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import httpx
import pytest

from consent_registry.operations.log.checkpoints import HistoryChanged
from consent_registry.process.postgres.account import Account, account, binaries, installed_package
from consent_registry.process.postgres.cluster import Cluster, prepare
from consent_registry.tlog.leaf import opens
from tests.support.installation import ROLES, Installation, Registry, install, serving
from tests.support.sealing import office, tree_root
from tests.support.small_network import question

pytestmark = pytest.mark.campaign

GUIDE = Path(__file__).parents[3] / "docs/operating.md"
POINTS = ("one", "two", "three")
PASSAGE = "select count(*) from registry.leaves"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for the archive and the backup that PostgreSQL's own user may write to, and a server that archives."""

    folder: Path
    cluster: Cluster

    def run(self, step: str, **settings: str) -> None:
        """Run one block of the guide, as PostgreSQL's user."""
        block = re.search(rf"```sh {step}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        assert block is not None
        who = account()
        result = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", block[1]],
            cwd="/",
            env={
                "PATH": f"{programs(who)}:{os.environ['PATH']}",
                "BACKUP": str(self.folder),
                **settings,
            },
            user=None if who is None else who.uid,
            group=None if who is None else who.gid,
            extra_groups=None if who is None else (),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        logs = [path.read_text(errors="replace")[-2000:] for path in self.folder.glob("restored-*/restore.log")]
        assert result.returncode == 0, result.stdout + result.stderr + "".join(logs)


def given(folder: Path) -> Path:
    """Return a folder that PostgreSQL's own user has."""
    folder.mkdir(exist_ok=True)
    who = account()
    if who is not None:
        os.chown(folder, who.uid, who.gid)
    return folder


def make_place(folder: Path) -> Place:
    """Make the folders and a server with the guide's settings."""
    given(folder)
    given(folder / "wal")
    block = re.search(r"```\nwal_level.*?```", GUIDE.read_text(), re.DOTALL)
    assert block is not None
    told = dict(re.findall(r"^(\w+) = '?(.*?)'?$", block[0], re.MULTILINE))
    assert set(told) == {"wal_level", "archive_mode", "archive_timeout", "archive_command"}
    told["archive_command"] = told["archive_command"].replace("/srv/backup", str(folder))
    cluster = prepare(folder / "server", options=told, sync=False)
    cluster.start()
    return Place(folder, cluster)


@dataclass(frozen=True, slots=True)
class Moment:
    """What was true when a point was named: the last decision, its bytes, and the log's size and root."""

    decision: str
    body: bytes
    size: int
    root: bytes


async def act(registry: Registry, number: int) -> tuple[str, bytes]:
    """Let something happen: a client, decisions; returns the last decision."""
    north = await registry.partner("north")
    assert (await north.post("/clients", {"reference": f"LATE-{number}"})).status_code == 201
    for _ in range(5):
        answer = await north.post("/decisions", question("N-1"))
        assert answer.status_code == 200, answer.text
    return answer.json()["decision_id"], answer.content


async def log_of(sql: asyncpg.Connection) -> list[bytes]:
    """Return the small network's leaves, after opening each with its event: no place is missing."""
    rows = await sql.fetch(
        "select l.log_index, l.leaf, e.event, e.nonce"
        " from registry.networks n join registry.leaves l using (network_id)"
        " left join registry.events e using (network_id, log_index) where n.slug = 'small' order by 1"
    )
    assert [row["log_index"] for row in rows] == list(range(len(rows)))
    assert all(opens(row["leaf"], row["event"], row["nonce"]) for row in rows)
    return [row["leaf"] for row in rows]


async def history(installation: Installation, database: str, place: Place, state: Path) -> dict[str, Moment]:
    """Live on: a backup after the first acts, then three named points, and more that is never restored; all sealed."""
    moments: dict[str, Moment] = {}
    async with serving(installation, database) as registry, registry.sql() as sql:
        await sql.execute(f"alter role {ROLES['backup']} replication")
        await act(registry, 0)
        place.run("backup", BACKUP_URL=installation.dsn("postgres", "backup"))
        for number, point in enumerate((*POINTS, "never"), start=1):
            decision, body = await act(registry, number)
            async with office(installation, database, state / "sealer") as sealer:
                await sealer.seal()
            shutil.copytree(state / "sealer", state / f"sealer-{point}")
            leaves = await log_of(sql)
            moments[point] = Moment(decision, body, len(leaves), tree_root(leaves))
            await sql.execute("select pg_create_restore_point($1)", point)
        await sql.execute("select pg_switch_wal()")
        await sql.execute("checkpoint")
        while not await sql.fetchval(
            "select last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) from pg_stat_archiver"
        ):
            await sql.execute("select pg_sleep(0.1)")
    return moments


@dataclass(slots=True)
class Restored:
    """The installation as another server holds it."""

    installation: Installation
    pgdata: Path


def restore(place: Place, installation: Installation, database: str, point: str) -> Restored:
    """Restore to a named point, by the guide's commands."""
    pgdata = place.folder / f"restored-{point}"
    socket = given(place.folder / f"socket-{point}")
    options = {"unix_socket_directories": str(socket), "listen_addresses": "", "max_locks_per_transaction": "1024"}
    there = replace_cluster(installation, pgdata, socket)
    place.run(
        "restore",
        RESTORED=str(pgdata),
        POINT=point,
        OPTIONS=" ".join(f"-c {name}='{value}'" for name, value in options.items()),
        RESTORED_URL=there.dsn(database, "postgres"),
    )
    return Restored(there, pgdata)


def replace_cluster(installation: Installation, pgdata: Path, socket: Path) -> Installation:
    """Return the installation with its server at another socket."""
    elsewhere = Cluster(pgdata, socket, pgdata / "log", "restored", Path(), None, {})
    return replace(installation, cluster=elsewhere)


def programs(who: Account | None) -> Path:
    """Return where PostgreSQL's programs are."""
    return binaries(who, installed_package())


def stop(pgdata: Path) -> None:
    """Stop a restored server."""
    who = account()
    user = None if who is None else who.uid
    command = [
        str(programs(who) / "pg_ctl"),
        f"--pgdata={pgdata}",
        "--mode=fast",
        "--wait",
        "stop",
    ]
    subprocess.run(command, check=True, cwd="/", user=user, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


async def check(restored: Restored, database: str, moments: Mapping[str, Moment], point: str, state: Path) -> None:
    """The log is that of the moment; the registry serves from it; later decisions are unknown; its sealer halts."""
    wanted = moments[point]
    async with serving(restored.installation, database) as registry, registry.sql() as sql:
        leaves = await log_of(sql)
        assert (len(leaves), tree_root(leaves)) == (wanted.size, wanted.root)
        north = await registry.partner("north")
        for name, moment in moments.items():
            answer = await north.get(f"/decisions/{moment.decision}")
            is_there = moment.size <= wanted.size
            assert answer.status_code == (httpx.codes.OK if is_there else httpx.codes.NOT_FOUND), (point, name)
            assert not is_there or answer.content == moment.body
        assert (await registry.http.get("/ready")).status_code == httpx.codes.OK
        assert (await north.post("/decisions", question("N-1"))).status_code == httpx.codes.OK
        further = await log_of(sql)  # reading is recorded as well
        assert (further[: wanted.size], len(further) > wanted.size) == (leaves, True)
    # The sealer that went on knows more than this database; as it was when the point was named it goes on from there.
    async with office(restored.installation, database, state / "sealer") as sealer:
        with pytest.raises(HistoryChanged):
            await sealer.seal()
    async with office(restored.installation, database, state / f"sealer-{point}") as sealer:
        await sealer.seal()
        assert await sealer.check() == len(further)


async def test_three_points_are_restored(open_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """From one backup and its archive, each on a server of its own."""
    place = make_place(open_folder("restore"))
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    try:
        installation = await install(place.cluster, keys)
        async with installation.copy() as database:
            moments = await history(installation, database, place, tmp_path)
            for point in POINTS:
                restored = restore(place, installation, database, point)
                try:
                    await check(restored, database, moments, point, tmp_path)
                finally:
                    stop(restored.pgdata)
    finally:
        place.cluster.stop()
