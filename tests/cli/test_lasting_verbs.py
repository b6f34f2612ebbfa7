"""Verbs that run until stopped continue if their standard output fails."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from consent_registry.storage.database.locks import LOCK_SEALER
from tests.process.test_supervisor import free_port, until
from tests.support.installation import Installation, empty_database

ROOT = Path(__file__).resolve().parents[2]
# How a shell may leave standard output, and in which encoding.
OUTPUTS = {
    "closed": (">&-", ""),
    "closed all": ("<&- >&- 2>&-", ""),
    "full": (">/dev/full", ""),
    "full both": (">/dev/full 2>&1", ""),
    "cut off": ("| true", ""),
    "not UTF-8": (">/dev/null", "ascii"),
}
START_S = 60


@contextmanager
def lasting(words: str, output: str, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a verb with this output during a block, as a shell does; it must end with 0 at SIGTERM."""
    redirection, encoding = OUTPUTS[output]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
    clean |= {"PYTHONIOENCODING": encoding} if encoding else {}
    command = f"exec {shlex.quote(sys.executable)} -m consent_registry {words}"
    if redirection.startswith("|"):
        reader, writer = os.pipe()
        os.close(reader)
        started = subprocess.Popen(["sh", "-c", command], env=clean | environment, stdout=writer, cwd=ROOT)
        os.close(writer)
    else:
        started = subprocess.Popen(["sh", "-c", f"{command} {redirection}"], env=clean | environment, cwd=ROOT)
    with started as process:
        try:
            yield process
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def answers(url: str) -> bool:
    """Whether there is an answer of any kind."""
    try:
        return httpx.get(url).status_code > 0
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_witness_lives_on(tmp_path: Path, output: str) -> None:
    """A witness answers after its start, and again after a request that it logs."""
    made = [sys.executable, "-m", "consent_registry", "witness", "make", str(tmp_path / "zeuge"), "zeuge.example"]
    subprocess.run(made, check=True, capture_output=True, cwd=ROOT)
    port = free_port()
    with lasting(f"witness serve {tmp_path}/zeuge --port {port}", output, {}):
        until(lambda: answers(f"http://127.0.0.1:{port}/{'0' * 64}/checkpoint"), START_S)
        assert answers(f"http://127.0.0.1:{port}/nothing")


@pytest.fixture(scope="module")
def empty(installation: Installation) -> str:
    """Make a database without networks, as at the start of production; returns its name."""
    asyncio.run(empty_database(installation.cluster, "lasting"))
    return "lasting"


@pytest.mark.parametrize("output", ["closed all", "full both"])
def test_a_server_and_a_sealer_live_on(installation: Installation, empty: str, tmp_path: Path, output: str) -> None:
    """`serve` becomes ready and answers a refusal that it logs; `seal` leads until it is stopped."""
    (tmp_path / "heads").mkdir(mode=0o700)
    port = free_port()
    environment = {
        "CONSENT_REGISTRY_DATABASE_URL": installation.dsn(empty),
        "CONSENT_REGISTRY_SEALER_DATABASE_URL": installation.dsn(empty, "sealer"),
        "CONSENT_REGISTRY_SEALER_STATE": str(tmp_path / "heads"),
        "CONSENT_REGISTRY_KEYS": str(installation.keys),
        "CONSENT_REGISTRY_ISSUER": f"http://127.0.0.1:{port}",
    }
    base = f"http://127.0.0.1:{port}"
    with lasting(f"serve --port {port}", output, environment) as server:
        until(lambda: server.poll() is not None or answers(f"{base}/ready"), START_S)
        assert server.poll() is None
        assert httpx.post(f"{base}/oauth/token").status_code in {400, 401}
    with lasting("seal", output, environment) as sealer:
        until(lambda: sealer.poll() is not None or asyncio.run(leads(installation, empty)), START_S)
        assert sealer.poll() is None


async def leads(installation: Installation, database: str) -> bool:
    """Whether a sealer holds the lock of the one that seals this database's logs."""
    connection = await asyncpg.connect(installation.cluster.dsn(database=database))
    try:
        held = "select exists (select from pg_locks where locktype = 'advisory' and classid = $1 and granted)"
        return bool(await connection.fetchval(held, LOCK_SEALER))
    finally:
        await connection.close()


@pytest.mark.campaign
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_demonstration_lives_on(tmp_path: Path, output: str) -> None:
    """`demo` loads its networks, becomes ready, and its sealer publishes."""
    tmp_path.chmod(0o755)
    port = free_port()
    base = f"http://127.0.0.1:{port}"

    def sealed() -> bool:
        return answers(base) and httpx.get(f"{base}/log/paderborn/checkpoint").status_code == httpx.codes.OK

    with lasting(f"demo --data {tmp_path}/data --port {port}", output, {}):
        until(lambda: answers(f"{base}/ready"), 2 * START_S)
        until(sealed, START_S)


def test_data_whose_name_is_not_utf_8_is_refused_with_one_line(tmp_path: Path) -> None:
    """A DATA folder whose name is not UTF-8 is refused with a line that can be printed anywhere."""
    data = os.fsencode(tmp_path) + b"/d\xe4ten"
    command: list[str | bytes] = [sys.executable, "-m", "consent_registry", "demo", "--data", data, "--port", "21599"]
    for encoding in ("utf-8", "ascii"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        ended = subprocess.run(command, capture_output=True, env=environment, check=False, cwd=ROOT)
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, b"", 1), ended
        assert b"is not UTF-8" in ended.stderr
        assert not Path(os.fsdecode(data)).exists()
