"""What every test may use: a folder PostgreSQL's account can reach, one running cluster for each test process, and the
registry inside the process, each test module on a database of its own.
"""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from consent_registry.process.postgres import cluster as embedded
from tests.campaigns.support.server import Server, running
from tests.cli.forks import Forks, forking
from tests.support.installation import Installation, Registry, fresh, install

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-build.lock")


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Callable[[str], Path]]:
    """Return a maker of empty folders that an unprivileged account can reach, unlike pytest's own."""
    root = Path(tempfile.mkdtemp(prefix="registry-test-"))
    root.chmod(0o755)

    def make(name: str) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
        folder.chmod(0o755)
        return folder

    yield make
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(open_folder: Callable[[str], Path]) -> Iterator[embedded.Cluster]:
    """Run one embedded PostgreSQL for the whole session, with the durability of production."""
    cluster = embedded.prepare(open_folder("cluster"), sync=False)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def installation(cluster: embedded.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Make the template database: a small network, Paderborn's and Widunetz, with their credentials."""
    keys = tmp_path_factory.mktemp("keys")
    keys.chmod(0o700)
    return await install(cluster, keys)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def registry(installation: Installation) -> AsyncIterator[Registry]:
    """Run the application on a database of this module's own."""
    async with fresh(installation) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_registry(installation: Installation) -> AsyncIterator[Registry]:
    """Run the application on a database of this test's own."""
    async with fresh(installation) as running:
        yield running


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Give a process that knows the command line already, and forks for each run of it."""
    with forking() as forks:
        yield forks


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A demonstration of this test process's own, over a socket; tests use clients of their own."""
    with running("api") as demonstration:
        yield demonstration


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what a release's locks name, for a Debian of its own that reaches nothing."""
    folder = tmp_path_factory.mktemp("wheels")
    python = tmp_path_factory.mktemp("venv")
    subprocess.run(["/usr/bin/python3", "-m", "venv", python], check=True)
    locks = [word for name in LOCKS for word in ("--requirement", str(ROOT / name))]
    fetch = [str(python / "bin/pip"), "download", "--quiet", "--require-hashes", "--dest", str(folder), *locks]
    subprocess.run(fetch, check=True, stderr=subprocess.DEVNULL)
    return folder
