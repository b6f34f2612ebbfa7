"""Fixtures for both supported PostgreSQL versions: the embedded one, and the distribution's 15."""

import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

PROGRAMS_15 = Path("/usr/lib/postgresql/15/bin")


class Debian15:
    """A cluster of Debian's PostgreSQL 15, with the same interface as the embedded one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def dsn(self, *, user: str = "postgres", database: str = "postgres") -> str:
        """Return the address of `database` over the socket."""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self.folder), safe='')}"


@pytest.fixture(scope="session")
def debian_15(fast_folder: Callable[[str], Path]) -> Iterator[Debian15]:
    """Run the distribution's PostgreSQL 15, as the user nobody because it refuses root."""
    folder = fast_folder("debian")
    user = None
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody").pw_uid
        os.chown(folder, user, -1)

    def run(program: str, *arguments: str) -> None:
        command = [str(PROGRAMS_15 / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, cwd="/", user=user, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c max_locks_per_transaction=1024"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    yield Debian15(folder)
    run("pg_ctl", "-m", "fast", "stop")
