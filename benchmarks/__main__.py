"""`make bench`: every figure of speed and cost in one run, each beside the empty endpoint it is compared with."""

import argparse
import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx

from benchmarks.disk import read_sizes
from benchmarks.grants import fill, write_bodies
from benchmarks.load import Run, run_load
from benchmarks.report import print_disk, print_head, print_mix, print_table
from benchmarks.servers import Registry, Service, empty_endpoint, registry

ROUNDS = 3
DECISIONS = "/api/v1/decisions"


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the report: which bodies go to which server, and how many decisions a request asks for."""

    name: str
    server: str
    bodies: str
    connections: int
    decisions: int = 1

    @property
    def path(self) -> str:
        """The path that its requests are sent to."""
        if self.server.startswith("empty"):
            return "/empty"
        return DECISIONS if self.decisions == 1 else f"{DECISIONS}/batch"

    @property
    def yardstick(self) -> str:
        """The name of the empty endpoint's case with which this case is compared."""
        return f"empty, {self.connections} connections{', 2 workers' if self.server.endswith('two') else ''}"


CASES = (
    Case("empty, 16 connections", "empty", "single", 16),
    Case("single, 16 connections", "few", "single", 16),
    Case("single + receipt, 16 connections", "few", "receipt", 16),
    Case("empty, 64 connections", "empty", "single", 64),
    Case("single, 64 connections", "few", "single", 64),
    Case("single + receipt, 64 connections", "few", "receipt", 64),
    Case("single, 64 connections, many grants", "many", "single", 64),
    Case("batch of 50, 16 connections", "few", "batch-50", 16, 50),
    Case("batch of 50, 16 connections, many grants", "many", "batch-50", 16, 50),
    Case("batch of 1000, 4 connections", "few", "batch-1000", 4, 1000),
    Case("batch of 1000, 4 connections, many grants", "many", "batch-1000", 4, 1000),
    Case("empty, 64 connections, 2 workers", "empty two", "single", 64),
    Case("single, 64 connections, 2 workers", "few two", "single", 64),
    Case("single + receipt, 64 connections, 2 workers", "few two", "receipt", 64),
    Case("batch of 50, 16 connections, 2 workers", "few two", "batch-50", 16, 50),
    Case("batch of 1000, 4 connections, 2 workers", "few two", "batch-1000", 4, 1000),
)


@dataclass(slots=True)
class Bench:
    """The servers of the benchmark, and the measured runs of each case."""

    folder: Path
    servers: dict[str, Service] = field(default_factory=dict)
    registries: dict[str, Registry] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def start(self, stack: ExitStack, port: int, grants: Mapping[str, int]) -> None:
        """Start every server and fill the registries."""
        self.servers["empty"] = stack.enter_context(empty_endpoint(port, 1))
        self.servers["empty two"] = stack.enter_context(empty_endpoint(port + 1, 2))
        for number, (name, count) in enumerate(grants.items(), start=2):
            workers = 2 if name.endswith("two") else 1
            server = stack.enter_context(registry(self.folder / name.replace(" ", "-"), port + number, workers))
            self.registries[name] = self.servers[name] = server
            write_bodies(server.data / "bodies", asyncio.run(fill(server, count)))

    def measure(self, case: Case, seconds: float, seed: int) -> Run:
        """Send the requests of a case for some seconds and return the figures."""
        server = self.registries.get(case.server)
        source = server or self.registries["few"]
        token = "none" if server is None else server.token()
        return run_load(
            self.servers[case.server],
            case.path,
            source.data / "bodies" / case.bodies,
            token,
            connections=case.connections,
            seconds=seconds,
            seed=seed,
        )

    def outcomes(self) -> dict[str, int]:
        """The number of each outcome among a thousand questions, which are asked once before the measurements."""
        server = self.registries["few"]
        body = (server.data / "bodies" / "batch-1000").read_bytes().splitlines()[0]
        headers = {"Authorization": f"Bearer {server.token()}", "Content-Type": "application/json"}
        answer = httpx.post(f"{server.address}{DECISIONS}/batch", content=body, headers=headers)
        answer.raise_for_status()
        found: dict[str, int] = {}
        for decision in answer.json()["decisions"]:
            found[decision["outcome"]] = found.get(decision["outcome"], 0) + 1
        return found


def middle(runs: list[Run]) -> Run:
    """A run with the median of each figure."""
    return Run(
        median(run.requests_per_second for run in runs),
        median(run.p50_ms for run in runs),
        median(run.p99_ms for run in runs),
        median(run.loader_cpu for run in runs),
        median(run.worker_us for run in runs),
        median(run.database_us for run in runs),
    )


def main() -> None:
    """Start the servers, measure every case and print the report."""
    options = _options()
    seconds = 1.0 if options.quick else options.seconds
    many = 100_000 if options.quick else options.grants
    cases = [case for case in CASES if options.only in case.name or case.name.startswith("empty")]
    grants = {
        name: count
        for name, count in {"few": 10_000, "many": many, "few two": 10_000}.items()
        if name == "few" or any(case.server == name for case in cases)
    }
    with ExitStack() as stack:
        bench = Bench(options.data or Path(stack.enter_context(_scratch())))
        print_head(bench.folder, seconds, ROUNDS)
        bench.start(stack, options.port, grants)
        print_mix(grants, bench.outcomes())
        sizes = asyncio.run(read_sizes(bench.registries["few"].admin_dsn()))
        for case in cases:
            bench.measure(case, 1.0, 0)  # afterwards plans, caches and connections exist
        for number in range(ROUNDS):
            for case in cases:
                bench.runs.setdefault(case.name, []).append(bench.measure(case, seconds, number + 1))
        print_table(cases, {name: middle(runs) for name, runs in bench.runs.items()})
        after = asyncio.run(read_sizes(bench.registries["few"].admin_dsn()))
        print_disk(after.growth(sizes), after.entries - sizes.entries)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one run (each case has three)")
    parser.add_argument("--quick", action="store_true", help="runs of one second, 100,000 grants instead of a million")
    parser.add_argument("--grants", type=int, default=1_000_000, help="how many grants are many")
    parser.add_argument("--only", default="", help="only cases whose name holds this, and the empty endpoint")
    parser.add_argument("--port", type=int, default=18400, help="first of five ports")
    parser.add_argument("--data", type=Path, help="folder for data that is kept; a temporary one otherwise")
    return parser.parse_args()


def _scratch() -> "tempfile.TemporaryDirectory[str]":
    # Not in memory: /tmp may be, and then a commit would cost nothing.
    return tempfile.TemporaryDirectory(prefix="consent-registry-bench-", dir="/var/tmp")


if __name__ == "__main__":
    main()
