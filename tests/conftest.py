"""What every test may use: a folder PostgreSQL's account can reach, one running cluster for each test process, and the
registry inside the process, each test module on a database of its own.
"""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from consent_registry.process.postgres import cluster as embedded
from tests.campaigns.support.server import Server, running
from tests.cli.forks import Forks, forking
from tests.support.installation import Installation, Registry, fresh, install

FolderMaker = Callable[[str], Path]
ROOT = Path(__file__).parents[1]
MEMORY, ROOM = Path("/dev/shm"), 4 << 30  # noqa: S108 - only the place; mkdtemp makes a folder of its own there
LOCKS = ("requirements.lock", "requirements-build.lock")


@pytest.fixture(scope="session")
def open_folder() -> Iterator[FolderMaker]:
    """Return a maker of empty folders that an unprivileged account can reach, unlike pytest's own."""
    with folders(None) as make:
        yield make


@pytest.fixture(scope="session")
def fast_folder(open_folder: FolderMaker) -> Iterator[FolderMaker]:
    """As `open_folder`, in memory if there is room: there a copy of a database costs a twentieth of the time."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        yield open_folder
        return
    with folders(MEMORY) as make:
        yield make


@contextmanager
def folders(place: Path | None) -> Iterator[FolderMaker]:
    """A maker of folders below this place; they are removed at the end."""
    root = Path(tempfile.mkdtemp(prefix="registry-test-", dir=place))
    root.chmod(0o755)

    def make(name: str) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
        folder.chmod(0o755)
        return folder

    yield make
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(fast_folder: FolderMaker) -> Iterator[embedded.Cluster]:
    """Run one embedded PostgreSQL for the whole session, with the settings of production but for the log's size."""
    cluster = embedded.prepare(fast_folder("cluster"), options={"max_wal_size": "256MB"}, sync=False)
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
