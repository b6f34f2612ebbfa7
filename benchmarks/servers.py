"""The servers under test: the registry as `make demo` runs it, and the empty endpoint on the same kind of server."""

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
    """A running server: where it answers, and the process above all of its processes."""

    def __init__(self, address: str, process: psutil.Process) -> None:
        self.address = address
        self._process = process

    def processes(self) -> list[psutil.Process]:
        """The server's process and all below it."""
        return [self._process, *self._process.children(recursive=True)]

    def cpu_seconds(self) -> tuple[float, float]:
        """Processor time so far of the server's own processes and of its database's."""
        spent = {True: 0.0, False: 0.0}
        for one in self.processes():
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                spent[one.name() == "postgres"] += times.user + times.system
        return spent[False], spent[True]


class Registry(Service):
    """A running registry with its own database."""

    def __init__(self, data: Path, address: str, process: psutil.Process) -> None:
        super().__init__(address, process)
        self.data = data
        demo = json.loads((data / "demo.json").read_text())
        self.network: dict[str, Any] = next(one for one in demo["networks"] if "permit_example" in one)
        self._partner = next(
            one for one in self.network["partners"] if one["slug"] == self.network["permit_example"]["partner"]
        )

    @property
    def partner(self) -> str:
        """The slug of the partner who asks."""
        return str(self._partner["slug"])

    def admin_dsn(self) -> str:
        """The superuser's way into the embedded database."""
        cluster = json.loads((self.data / "cluster.json").read_text())
        return f"postgresql://{cluster['superuser']}@/{cluster['database']}?host={cluster['socket']}"

    def token(self) -> str:
        """A fresh access token of the partner who asks."""
        return self._token(self._partner)

    def dpo_token(self) -> str:
        """A fresh access token of that partner's DPO."""
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
