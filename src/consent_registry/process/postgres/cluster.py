"""Makes, starts and stops the embedded PostgreSQL 18 of a demonstration or a test. It contains no SQL."""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from consent_registry.process.postgres.account import (
    SHARED,
    Account,
    EmbeddedError,
    account,
    binaries,
    installed_package,
    make_shared,
    own_environment,
    reachable,
    short_hash,
)
from consent_registry.process.postgres.processes import die_with, end_leftovers

__all__ = ["Cluster", "EmbeddedError", "prepare"]

MAJOR_VERSION = "18"
LONGEST_SOCKET_PATH = 107  # bytes, sun_path of unix(7) without its final NUL
PORT = 5432  # it names the socket; nobody listens on TCP
SOCKET_NAME = f".s.PGSQL.{PORT}"
POINTER = "postgres.location"
START_SECONDS = 120.0  # crash recovery after a long run takes a while
STOP_SECONDS = 20.0

_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "max_locks_per_transaction": "1024",  # a batch of 1000 decisions holds 1000 advisory locks
        "timezone": "UTC",
        "log_timezone": "UTC",
        # DETAIL lines would quote the values of a violated key, which are clients' data, in the log file.
        "log_error_verbosity": "terse",
    },
)


@dataclass(slots=True)
class Cluster:
    """One PostgreSQL cluster on disk and, between `start` and `stop`, its server.

    `pgdata` is its data directory and `socket` the directory of its Unix socket; there is no TCP port. A user who may
    pass through these directories (their owner and root) can log in as `postgres` without a password.
    """

    pgdata: Path
    socket: Path
    log: Path
    name: str
    _bin: Path
    _owner: Account | None
    _options: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _lock: int | None = field(default=None, init=False)

    def dsn(self, *, user: str = "postgres", database: str = "postgres") -> str:
        """Return the address of `database` for asyncpg and libpq, over the socket and independent of PG… variables."""
        login, name, folder = (quote(part, safe="") for part in (user, database, str(self.socket)))
        return f"postgresql://{login}@/{name}?host={folder}&port={PORT}&sslmode=disable&target_session_attrs=any"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server and return when it accepts connections. This also works directly after a crash.

        Must be called from a thread that outlives the server: the kernel stops the server when this *thread* ends.
        Raises EmbeddedError if the server does not start or another process runs it.
        """
        if self._process is not None and self._process.poll() is None:
            raise EmbeddedError(f"PostgreSQL in {self.pgdata} is running already")
        if self._lock is None:
            self._lock = _locked(self.pgdata)
            self._make_socket_folder()
        self._clear_away()
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.pgdata, *self._arguments()],
                cwd="/",
                env=own_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to the supervisor only: requests in flight need the database
                preexec_fn=die_with(os.getpid(), signal.SIGINT),  # noqa: PLW1509 (touches no lock)
                user=None if self._owner is None else self._owner.uid,
                group=None if self._owner is None else self._owner.gid,
                extra_groups=None if self._owner is None else (),
            )
        self._wait_until_ready(self._process)
        return self._process

    def stop(self) -> None:
        """Shut the server down in fast mode, with all data on disk. Do nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            # SIGINT is fast mode. SIGTERM would wait for every client. After SIGQUIT the next start must recover.
            for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    process.send_signal(how)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                    break
            end_leftovers(self.name)
        if self.socket != self.pgdata:
            shutil.rmtree(self.socket, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _arguments(self) -> Iterator[str]:
        ours = {"port": str(PORT), "cluster_name": self.name, "unix_socket_directories": str(self.socket)}
        for name, value in {**_SETTINGS, **self._options, **ours}.items():
            yield "-c"
            yield f"{name}={value}"

    def _make_socket_folder(self) -> None:
        if self.socket != self.pgdata:
            # This fails if another user made a folder with this name: everybody can write in /tmp.
            self.socket.mkdir(mode=0o700)
            _give(self.socket, self._owner)

    def _clear_away(self) -> None:
        end_leftovers(self.name)
        if sys.platform == "linux":
            # With the lock held and no process of this cluster alive, these files are stale. PostgreSQL would still
            # respect them if another process now has the process id in them.
            (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
            (self.socket / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        # The postmaster writes its state to line 8 of its pid file; pg_ctl waits for the same word.
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None:
            with suppress(OSError, IndexError):
                lines = (self.pgdata / "postmaster.pid").read_text().splitlines()
                if lines[0].strip() == str(process.pid) and lines[7].strip() == "ready":
                    return
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"PostgreSQL was not ready within {START_SECONDS:.0f} s; its log is {self.log}")
            time.sleep(0.02)
        reason = self.log.read_text(errors="replace").strip().splitlines()[-1:]
        self.stop()
        raise EmbeddedError(f"PostgreSQL does not start: {' '.join(reason)} (log: {self.log})")


def prepare(
    data: Path, *, options: Mapping[str, str] = MappingProxyType({}), sync: bool = True, shared: Path = SHARED
) -> Cluster:
    """Return the cluster of the folder `data`, which is made if there is none, and not started.

    `options` are further server settings. With `sync=False`, for tests, a *new* cluster's files are not synced to disk;
    the running server syncs in any case. If PostgreSQL's account cannot reach `data`, the cluster is in `shared`.
    Raises EmbeddedError.
    """
    who = account()
    data.mkdir(mode=0o700 if who is None else 0o711, parents=True, exist_ok=True)
    data = data.resolve()
    programs = binaries(who, installed_package(), shared)
    lock = _locked(data)
    try:
        pgdata = _place(data, who, shared)
        if not pgdata.is_dir():
            _initdb(programs, pgdata, who, sync=sync)
    finally:
        os.close(lock)
    version = (pgdata / "PG_VERSION").read_text().strip()
    if version != MAJOR_VERSION:
        raise EmbeddedError(f"{pgdata} was made by PostgreSQL {version}, this is {MAJOR_VERSION}: dump and load it")
    return Cluster(
        pgdata=pgdata,
        socket=_socket_folder(pgdata),
        log=data / "postgres.log",
        name=f"consent-registry-{short_hash(pgdata)}",
        _bin=programs,
        _owner=who,
        _options=dict(options),
    )


def _place(data: Path, who: Account | None, shared: Path) -> Path:
    """Choose the cluster's place: in `data`, or in `shared` if PostgreSQL's account cannot reach `data`."""
    pointer = data / POINTER
    if pointer.exists():
        return Path(pointer.read_text().strip())
    if who is None or (data / "postgres").is_dir() or reachable(data, who):
        return data / "postgres"
    make_shared(shared)
    place = shared / short_hash(data)
    if place.exists():
        # `data` was deleted and made again, so the keys of the old cluster's rows are lost. The cluster is kept.
        place.rename(place.with_name(f"{place.name}.without-data-folder-{time.time_ns()}"))
    pointer.write_text(f"{place}\n")
    return place


def _initdb(programs: Path, pgdata: Path, who: Account | None, *, sync: bool) -> None:
    # Made under another name and renamed, so that a kill in the middle does not leave an incomplete cluster.
    draft = pgdata.with_name(f"{pgdata.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _give(draft, who)
    run = subprocess.run(
        [
            *(programs / "initdb", "-D", draft, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--data-checksums"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"),
            *(() if sync else ("--no-sync",)),
        ],
        cwd="/",
        env=own_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        user=None if who is None else who.uid,
        group=None if who is None else who.gid,
        extra_groups=None if who is None else (),
    )
    if run.returncode != 0:
        raise EmbeddedError(f"PostgreSQL's initdb failed: {' '.join(run.stderr.split())}")
    draft.rename(pgdata)


def _socket_folder(pgdata: Path) -> Path:
    path = str(pgdata / SOCKET_NAME)
    # A comma separates directories in the server's setting and hosts in a DSN; quotes would need escaping.
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and not set(path) & set(",\"'\\"):
        return pgdata
    return Path(f"/tmp/consent-registry-{secrets.token_hex(8)}")  # noqa: S108 (`start` makes it and refuses a found one)


def _locked(folder: Path) -> int:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise EmbeddedError(f"{folder} is in use by another running consent registry") from error
    return handle


def _give(folder: Path, who: Account | None) -> None:
    if who is not None:
        os.chown(folder, who.uid, who.gid)
