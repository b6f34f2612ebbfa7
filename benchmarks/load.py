"""Runs the load generator: wrk if it is installed, otherwise `benchmarks.client`; and measures processor time."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import Service

HERE = Path(__file__).parent
# When the loader stops, the server still answers the last requests. They must not slow the next run.
SETTLE_SECONDS = 0.7


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of a run. `loader_cpu` is the loader's share of one core. `worker_us` and `database_us` are processor
    time for one request, which changes little when other programs use the machine.
    """

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    loader_cpu: float
    worker_us: float
    database_us: float


def loader_name() -> str:
    """The name of the load generator, for the head of the report."""
    if (wrk := shutil.which("wrk")) is None:
        return "benchmarks.client (asyncio, this Python); install wrk for a loader that takes less of the processor"
    about = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False)
    return (about.stdout or about.stderr).partition(" Copyright")[0]


def run_load(
    server: Service, path: str, bodies: Path, token: str, *, connections: int, seconds: float, seed: int = 1
) -> Run:
    """Send the lines of `bodies` to `server` for some seconds; raises RuntimeError when any answer was an error."""
    environment = {
        **os.environ,
        "BENCH_PATH": path,
        "BENCH_BODIES": str(bodies),
        "BENCH_TOKEN": token,
        "BENCH_SEED": str(seed),
    }
    began, cpu, server_cpu = time.monotonic(), _children_cpu(), server.cpu_seconds()
    done = subprocess.run(
        _command(server.address, connections, seconds), env=environment, capture_output=True, text=True, check=True
    )
    took, spent = time.monotonic() - began, _children_cpu() - cpu
    worker, database = (1e6 * (now - then) for now, then in zip(server.cpu_seconds(), server_cpu, strict=True))
    time.sleep(SETTLE_SECONDS)
    counted = json.loads(done.stdout.strip().splitlines()[-1])
    if counted["failed"] or not counted["requests"]:
        raise RuntimeError(f"{server.address}{path}: {counted['failed']} of {counted['requests']} requests failed")
    requests = counted["requests"]
    return Run(
        requests / counted["seconds"],
        counted["p50_ms"],
        counted["p99_ms"],
        spent / took,
        worker / requests,
        database / requests,
    )


def _command(address: str, connections: int, seconds: float) -> list[str]:
    if shutil.which("wrk") is None:
        return [sys.executable, "-m", "benchmarks.client", address, str(connections), str(seconds)]
    whole = str(max(1, round(seconds)))
    return ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "15s", "-s", str(HERE / "wrk.lua"), address]


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system
