"""Starts the servers that are measured: the registry as `make demo` runs it, and the empty endpoint."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 180.0


class Service:
    """A running server: its address, and the process that started all its other processes."""

    def __init__(self, address: str, process: psutil.Process) -> None:
        self.address = address
        self._process = process

    def processes(self) -> list[psutil.Process]:
        """The server's first process and all its descendants."""
        return [self._process, *self._process.children(recursive=True)]

    def cpu_seconds(self) -> tuple[float, float]:
        """The processor time so far, of the server's own processes and of its database's processes."""
        spent = {True: 0.0, False: 0.0}
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent[process.name() == "postgres"] += times.user + times.system
        return spent[False], spent[True]


class Registry(Service):
    """A running registry with its own database."""

    def __init__(self, data: Path, address: str, process: psutil.Process) -> None:
        super().__init__(address, process)
        self.data = data
        demo = json.loads((data / "demo.json").read_text())
        self.network: dict[str, Any] = next(network for network in demo["networks"] if "permit_example" in network)
        self._partner = next(
            partner
            for partner in self.network["partners"]
            if partner["slug"] == self.network["permit_example"]["partner"]
        )

    @property
    def partner(self) -> str:
        """The slug of the partner that asks the questions."""
        return str(self._partner["slug"])

    def admin_dsn(self) -> str:
        """The address of the embedded database with the superuser's login."""
        cluster = json.loads((self.data / "cluster.json").read_text())
        return f"postgresql://{cluster['superuser']}@/{cluster['database']}?host={cluster['socket']}"

    def token(self) -> str:
        """Get a new access token of the partner that asks the questions."""
        return self._token(self._partner)

    def dpo_token(self) -> str:
        """Get a new access token of that partner's DPO."""
        return self._token(self._partner["dpo"])

    def _token(self, login: dict[str, str]) -> str:
        answer = httpx.post(
            f"{self.address}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(login["client_id"], login["client_secret"]),
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])


@contextmanager
def registry(data: Path, port: int, workers: int) -> Iterator[Registry]:
    """Run `consent-registry demo` for the length of a block."""
    command = ["-m", "consent_registry", "demo", "--data", str(data), "--port", str(port), "--workers", str(workers)]
    with _process(command) as process:
        _wait_for(process, lambda: (data / "demo.json").exists() and _is_ready(f"http://127.0.0.1:{port}/ready"))
        yield Registry(data, f"http://127.0.0.1:{port}", process)


@contextmanager
def empty_endpoint(port: int, workers: int) -> Iterator[Service]:
    """Run the empty endpoint for the length of a block."""
    address = f"http://127.0.0.1:{port}"
    with _process(
        ["-m", "consent_registry.process.server", "benchmarks.empty:create_app", "127.0.0.1", str(port), str(workers)]
    ) as process:
        _wait_for(process, lambda: _answers(f"{address}/"))
        yield Service(address, process)


@contextmanager
def _process(arguments: list[str]) -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(process: psutil.Process, truth: Callable[[], bool]) -> None:
    until = time.monotonic() + START_SECONDS
    while not truth():
        if time.monotonic() > until or process.status() == psutil.STATUS_ZOMBIE:
            raise TimeoutError("a server did not come up: see the lines above")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        httpx.get(url)
        return True
    return False


def _is_ready(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url).status_code == httpx.codes.OK
    return False
