"""`make demo` in a fresh private clone, as an ordinary user and as root."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from consent_registry.process.postgres.cluster import POINTER
from tests.process.test_supervisor import free_port, until

ROOT = Path(__file__).resolve().parents[2]
FIRST_START_S = 300.0
USER = "registry-test-user"
SYSTEM_PYTHON = "/usr/bin/python3"  # root's own Python may be in a home that nobody else may enter

pytestmark = pytest.mark.system


@contextlib.contextmanager
def closed_home(user: str | None) -> Iterator[tuple[Path, pwd.struct_passwd]]:
    """Make a home of mode 0700, with a space in its path, of root or of a new user."""
    outer = Path(tempfile.mkdtemp(prefix="two-commands-"))
    outer.chmod(0o755)
    home = outer / "closed home"
    if user is not None:
        subprocess.run(["/usr/sbin/useradd", "--no-create-home", "--home-dir", home, user], check=True)
    entry = pwd.getpwnam(user or "root")
    home.mkdir(mode=0o700)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    try:
        yield home, entry
    finally:
        shutil.rmtree(outer)
        if user is not None:
            subprocess.run(["/usr/sbin/userdel", user], check=True)


def ready(url: str) -> bool:
    """Whether the server reports that it is ready."""
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def remove_cluster_elsewhere(data: Path) -> None:
    """Remove the cluster outside a closed home, which is the only remaining file of a demonstration."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree((data / POINTER).read_text().strip())


def descendants(pid: int) -> list[psutil.Process]:
    """Return every descendant of this process, also adopted ones."""
    return list(psutil.Process(pid).children(recursive=True))


@pytest.mark.parametrize("user", [None, USER], ids=["root", "ordinary user"])
def test_a_fresh_clone_serves_and_leaves_nothing(user: str | None) -> None:
    """One command installs, serves and keeps demo.json private, and SIGTERM ends every process of it."""
    with closed_home(user) as (home, entry):
        clone = home / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        subprocess.run(["chown", "-R", f"{entry.pw_uid}:{entry.pw_gid}", clone], check=True)
        port = free_port()
        command = ["make", "demo", f"PORT={port}", *(() if user is None else (f"PYTHON={SYSTEM_PYTHON}",))]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
        with subprocess.Popen(
            command,
            cwd=clone,
            env={**inherited, "HOME": str(home)},
            user=entry.pw_uid,
            group=entry.pw_gid,
            extra_groups=[],
        ) as make:
            try:
                until(lambda: make.poll() is not None or ready(f"http://127.0.0.1:{port}"), FIRST_START_S)
                assert make.poll() is None
                assert (clone / ".consent-registry/demo.json").stat().st_mode & 0o777 == 0o600
                family = descendants(make.pid)
            finally:
                make.terminate()
                make.wait()
                remove_cluster_elsewhere(clone / ".consent-registry")
        until(
            lambda: (
                not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
            ),
            20,
        )
