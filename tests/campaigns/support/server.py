"""One `consent-registry demo` as a campaign needs it: start, sign in, look inside, kill parts of it, stop.

Everything here goes through the command line, the two files the demonstration writes (`demo.json`,
`cluster.json`) and the operating system's process table; nothing is imported from the product.
"""

import atexit
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil  # type: ignore[import-untyped]

from tests.campaigns.support.access import Access
from tests.campaigns.support.places import free_port, scratch

ROOT = Path(__file__).resolve().parents[3]
FIRST_START_S = 180.0
STOP_S = 30.0
POLL_S = 0.02


@functools.cache
def _loaded() -> Path:
    """Load the demonstration once in this process; its folder is copied for every server."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    server = Server(stack.enter_context(scratch("loaded")) / "data")
    try:
        server.start()
    finally:
        server.stop(check=False)
    return server.data


def lay_out(data: Path) -> Path:
    """Make `data` the folder of a demonstration that was loaded and stopped; return it."""
    subprocess.run(["cp", "--archive", "--reflink=auto", str(_loaded()), str(data)], check=True)
    return data


@contextlib.contextmanager
def running(name: str, *, workers: int = 1, target: str | None = None) -> Iterator["Server"]:
    """Run a server on fresh data for the length of a block; see `Server` for the options."""
    with scratch(name) as folder:
        server = Server(lay_out(folder / "data"), workers=workers, target=target)
        server.start()
        try:
            yield server
        finally:
            server.stop(check=False)


def wait_until(truth: Callable[[], bool], limit_s: float, what: str) -> float:
    """Return the seconds until `truth` held; raise TimeoutError naming `what`."""
    began_at = time.monotonic()
    while not truth():
        if time.monotonic() - began_at > limit_s:
            raise TimeoutError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(POLL_S)
    return time.monotonic() - began_at


@dataclass(slots=True)
class Server:
    """A demonstration server: `data` is its directory, `target` another ASGI factory for a control."""

    data: Path
    port: int = field(default_factory=free_port)
    workers: int = 1
    target: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    demo: dict[str, Any] = field(default_factory=dict, init=False)
    cluster: dict[str, Any] = field(default_factory=dict, init=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    # --- start and stop ---------------------------------------------------------------------------------------

    def start(self, limit_s: float = FIRST_START_S) -> float:
        """Start the server and return the seconds until it was ready."""
        began_at = time.monotonic()
        self.launch()
        self.wait_ready(limit_s)
        return time.monotonic() - began_at

    def launch(self) -> None:
        """Start the server without waiting for it."""
        command = [sys.executable, "-m", "consent_registry", "demo", "--data", str(self.data)]
        command += ["--port", str(self.port), "--workers", str(self.workers)]
        command += ["--target", self.target] if self.target else []
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
        path = os.pathsep.join([str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])])
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                # What takes an act's answer evenly is measured by the campaign of silence; the others do many acts.
                env={**inherited, "PYTHONPATH": path, "CONSENT_REGISTRY_EVEN_ACTS_MS": "5", **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output_path(self) -> Path:
        """Where the server's standard output and errors go, of all its starts."""
        return self.data.with_name(self.data.name + ".log")

    def wait_ready(self, limit_s: float) -> float:
        """Wait for `/ready` to answer 200, read the two files, return the seconds it took."""
        took_s = wait_until(self._ready_or_dead, limit_s, f"/ready; output ends: {self.output_end()}")
        self.demo = json.loads((self.data / "demo.json").read_text())
        if "CONSENT_REGISTRY_DATABASE_URL" not in self.environment:
            self.cluster = json.loads((self.data / "cluster.json").read_text())
        return took_s

    def _ready_or_dead(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}: {self.output_end()}")
        return self.ready_status() == httpx.codes.OK

    def ready_status(self) -> int | None:
        """Ask `/ready` once on a connection of its own; `None` when there is no answer."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/ready", timeout=5.0).status_code
        except httpx.HTTPError:
            return None

    def output_end(self, characters: int = 2000) -> str:
        """Return the end of what the server printed."""
        return self.output_path.read_text(errors="replace")[-characters:] if self.output_path.exists() else ""

    def terminate(self) -> None:
        """Send SIGTERM to the server, as `docker stop` and systemd do, without waiting."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def stop(self, *, check: bool = True) -> float:
        """Stop with SIGTERM and return the seconds it took; `check` raises when a process is left."""
        if self.process is None:
            return 0.0
        family = self.family()
        began_at = time.monotonic()
        if self.process.poll() is None:
            self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        took_s = time.monotonic() - began_at
        left = self.left_of(family)
        self.process.wait(STOP_S)
        self.process = None
        if check and left:
            raise AssertionError(f"left behind after SIGTERM: {left}; output ends: {self.output_end()}")
        return took_s

    @contextlib.contextmanager
    def instead(self, target: str) -> Iterator[None]:
        """Serve another application, a control, for the length of a block; afterwards nothing serves."""
        self.stop()
        self.target = target
        self.start()
        try:
            yield
        finally:
            self.stop()
            self.target = None

    @staticmethod
    def left_of(family: list[psutil.Process]) -> list[psutil.Process]:
        """Return, and kill, the processes of `family` that still run."""
        left = [each for each in family if alive(each)]
        for each in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        return left

    # --- processes --------------------------------------------------------------------------------------------

    def family(self) -> list[psutil.Process]:
        """Return the server's process and all below it, PostgreSQL included."""
        assert self.process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True), *self.postgres()]
        return self.postgres()

    def postgres(self) -> list[psutil.Process]:
        """Return the embedded postmaster, first, and its backends; empty while it is down."""
        # PostgreSQL's own file, because cluster.json is gone while the supervisor brings it back.
        with contextlib.suppress(psutil.NoSuchProcess, OSError, KeyError, IndexError, ValueError):
            lines = Path(self.cluster["pgdata"], "postmaster.pid").read_text().splitlines()
            postmaster = psutil.Process(int(lines[0]))
            if alive(postmaster) and "postgres" in postmaster.name():
                return [postmaster, *postmaster.children(recursive=True)]
        return []

    def granian_workers(self) -> list[psutil.Process]:
        """Return the processes that serve requests: below granian's main process, holding the listening socket."""
        postgres = {each.pid for each in self.postgres()}
        return [each for each in self.family()[1:] if each.pid not in postgres and self._serves(each)]

    def _serves(self, process: psutil.Process) -> bool:
        try:
            if not alive(process) or process.ppid() == self._process_id() or "python" not in process.name():
                return False
            sockets = process.net_connections("tcp4")
        except psutil.Error:
            return False
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == self.port for each in sockets)

    def _process_id(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill_postgres(self) -> float:
        """`kill -9` the whole PostgreSQL tree and return the monotonic time of the blow."""
        wait_until(lambda: bool(self.postgres()), STOP_S, "PostgreSQL to kill")
        tree = self.postgres()
        # Stopped first, so that the postmaster cannot note a backend's death and begin an orderly restart.
        for each in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()
        struck_at = time.monotonic()
        for each in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        return struck_at

    def kill_worker(self, which: int = 0) -> float:
        """`kill -9` one granian worker and return the monotonic time of the blow."""
        wait_until(lambda: bool(self.granian_workers()), STOP_S, "a worker to kill")
        workers = self.granian_workers()
        struck_at = time.monotonic()
        workers[which % len(workers)].kill()
        return struck_at

    # --- doors ------------------------------------------------------------------------------------------------

    def network(self, slug: str) -> dict[str, Any]:
        """Return a network's entry in `demo.json`."""
        return next(each for each in self.demo["networks"] if each["slug"] == slug)

    def partner(self, network: str, slug: str) -> Access:
        """Return a partner's access; make one per event loop."""
        entry = next(each for each in self.network(network)["partners"] if each["slug"] == slug)
        return Access(self.port, network, slug, entry["client_id"], entry["client_secret"])

    def admin(self, network: str) -> Access:
        """Return the network administration's access; make one per event loop."""
        entry = self.network(network)["admin"]
        return Access(self.port, network, None, entry["client_id"], entry["client_secret"])

    async def sql(self) -> asyncpg.Connection:
        """Connect to the embedded database as its superuser; the caller closes the connection."""
        found = self.cluster
        options = {"host": found["socket"], "user": found["superuser"], "database": found["database"]}
        return await asyncpg.connect(**options, server_settings={"search_path": "registry"})


@contextlib.contextmanager
def serving(server: Server, target: str | None = None, **settings: str) -> Iterator[None]:
    """Serve with other settings, or another application, for the length of a block."""
    before = server.target, server.environment
    server.stop()
    server.target, server.environment = target, {f"CONSENT_REGISTRY_{name}": value for name, value in settings.items()}
    server.start()
    try:
        yield
    finally:
        server.stop()
        server.target, server.environment = before
        server.start()


def alive(process: psutil.Process) -> bool:
    """Say whether a process still runs; a zombie nobody has waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
