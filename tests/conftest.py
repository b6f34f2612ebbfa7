"""What every test may use: a folder PostgreSQL's account can reach, and one running cluster per test process."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consent_registry.storage import embedded


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
