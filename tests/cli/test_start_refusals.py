"""`serve` refuses every danger of the table within five seconds, in one line, before its port is opened."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from consent_registry.process.postgres.cluster import Cluster, prepare
from consent_registry.storage.files.key_files import make_keys
from tests.cli.dangers import DANGERS, Danger
from tests.process.test_supervisor import free_port
from tests.support.installation import ROLES, empty_database

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
WITHIN_S = 5.0
SETTLING_S = 0.1
SOUND_DATABASE = "sound"


@dataclass(slots=True)
class Ground:
    """A server for these tests only, because they misconfigure it, with a sound database to copy."""

    data: Path
    keys: Path
    cluster: Cluster
    rows: int = 0

    def restart(self, options: dict[str, str]) -> None:
        """Restart the server with further settings."""
        self.cluster.stop()
        self.cluster = prepare(self.data, options=options)
        self.cluster.start()

    async def sql(self, statements: list[str], database: str = "postgres") -> None:
        """Run statements one by one, as the server's administrator."""
        connection = await asyncpg.connect(self.cluster.dsn(database=database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(fast_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Make a server with a migrated database and keys."""
    data, keys = fast_folder("dangers"), tmp_path_factory.mktemp("keys") / "keys"
    cluster = prepare(data, sync=False)
    cluster.start()
    await empty_database(cluster, SOUND_DATABASE)
    make_keys(keys, datetime.now(UTC))
    ground = Ground(data, keys, cluster)
    yield ground
    ground.cluster.stop()


@asynccontextmanager
async def endangered(ground: Ground, danger: Danger, keys: Path) -> AsyncIterator[dict[str, str]]:
    """Make the danger during a block; yields the environment of `serve`."""
    ground.rows += 1
    database = f"row_{ground.rows}" if danger.is_the_databases else SOUND_DATABASE
    names = ROLES | {"db": database, "month": f"events_{datetime.now(UTC):%Y%m}"}
    if danger.options:
        ground.restart(dict(danger.options))
    if danger.is_the_databases:
        await ground.sql([f"create database {database} template {SOUND_DATABASE}"])
        await ground.sql([f"revoke temporary on database {database} from public"])
    for statement in danger.sql:
        await ground.sql([statement.format(**names)], database)
    if danger.is_the_servers:
        await ground.sql(["select pg_reload_conf()"])
        await asyncio.sleep(SETTLING_S)
    try:
        with silence() as silent:
            address = ground.cluster.dsn(user=ROLES.get(danger.login, danger.login), database=database)
            settings = {"DATABASE_URL": address + danger.parameters, "KEYS": str(keys), "ISSUER": "https://r.example"}
            settings |= {name: silent if value == "silence" else value for name, value in danger.settings.items()}
            yield {f"CONSENT_REGISTRY_{name}": value for name, value in settings.items()} | clock(danger.clock)
    finally:
        await ground.sql([statement.format(**names) for statement in danger.undo], database)
        if danger.is_the_databases:
            await ground.sql([f"drop database {database} with (force)"])
        if danger.is_the_servers:
            ground.restart({})


def clock(offset: str) -> dict[str, str]:
    """Return the settings that shift a process's clock but not the time it measures."""
    shift = {"LD_PRELOAD": FAKETIME, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return shift if offset else {}


@contextmanager
def silence() -> Iterator[str]:
    """Listen without ever answering; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql://app@127.0.0.1:{listener.getsockname()[1]}/registry"


@dataclass(frozen=True, slots=True)
class Start:
    """The result of a start: exit code, output, and whether the port was ever open."""

    code: int | None
    said: str
    opened: bool


def start(danger: Danger, environment: dict[str, str]) -> Start:
    """Run `serve` until it ends or its port opens, at most five seconds."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
    command = [sys.executable, "-m", "consent_registry", "serve", "--port", str(port), *danger.arguments]
    with subprocess.Popen(
        command, env=clean | environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline, opened = time.monotonic() + WITHIN_S, False
        while process.poll() is None and not opened and time.monotonic() < deadline:
            opened = answers(port)
            time.sleep(0.005)
        opened = opened and ready(port)
        code = process.poll()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        return Start(code, process.stderr.read(), opened)


def answers(port: int) -> bool:
    """Whether a process listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ready(port: int) -> bool:
    """Wait until the registry is ready."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready").status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    return False


def pattern(line: str) -> re.Pattern[str]:
    """Return a pattern for a line in which `…` matches anything."""
    return re.compile(".+".join(re.escape(part) for part in line.split("…")))


def row(danger: Danger) -> object:
    """Mark a row as slow if it needs a process of its own."""
    mark = pytest.mark.system if danger.clock else pytest.mark.campaign
    return pytest.param(danger, marks=mark, id=danger.name.replace(" ", "-"))


@pytest.mark.parametrize("danger", [row(danger) for danger in DANGERS])
async def test_a_danger_is_refused(ground: Ground, danger: Danger, tmp_path: Path) -> None:
    """The start ends with exit code 1 within five seconds and one line with setting and cure, and no port is opened."""
    keys = ground.keys
    if danger.key_file is not None:
        name, content, mode = danger.key_file
        keys = shutil.copytree(ground.keys, tmp_path / "keys")
        path = keys / name
        if content is None:
            path.unlink()
        elif path.is_file():
            path.write_bytes(content or path.read_bytes())
        if path.exists():
            path.chmod(mode)
    async with endangered(ground, danger, keys) as environment:
        result = start(danger, environment)
    assert result.code == 1, result
    assert len(result.said.splitlines()) == 1, result
    assert pattern(f"consent-registry: {danger.line}").fullmatch(result.said.strip()), result
    assert not result.opened


SOUND = Danger("nothing", "")
SOUND_BEHIND_A_PROXY = Danger(
    "nothing, behind a proxy",
    "",
    settings={"TRUSTED_PROXIES": "10.0.0.5, 2001:db8::/32", "ISSUER": "http://127.0.0.1:8080", "POOL_SIZE": "4"},
    arguments=["--host", "0.0.0.0"],  # noqa: S104 - a proxy is named
)


@pytest.mark.campaign
@pytest.mark.parametrize("sound", [SOUND, SOUND_BEHIND_A_PROXY], ids=lambda danger: danger.name.replace(" ", "-"))
async def test_control_the_same_without_danger_starts(ground: Ground, sound: Danger) -> None:
    """Control: without dangers the same installation opens its port and becomes ready, and the port check sees it."""
    async with endangered(ground, sound, ground.keys) as environment:
        result = start(sound, environment)
    assert (result.code, result.said, result.opened) == (None, "", True)


def test_there_are_enough_of_them() -> None:
    """No danger is listed twice, and more than twenty-five settings have a bad value."""
    assert len({danger.name for danger in DANGERS}) == len(DANGERS) > 25
