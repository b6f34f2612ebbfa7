"""Measures how long a DPO's offline verification of a large log takes: `python -m benchmarks.verification [ENTRIES]`.

Prints seconds, processor seconds and peak memory of the verifying process, without and with the bundle of events.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from consent_registry.tlog.checkpoint import Checkpoint, sign_checkpoint
from consent_registry.tlog.event_bundle import BundleHead, OpenedEvent, format_bundle
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.leaf import canonical, make_leaf
from consent_registry.tlog.merkle import leaf_hash
from consent_registry.tlog.note import SignerKey
from consent_registry.tlog.tile import TILE_WIDTH, Bundle, encode_bundle, right_edge

KEY = SignerKey.of_seed("registry.example/benchmark", bytes(32))


def main() -> None:
    """Make the log, verify it twice and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", type=int, nargs="?", default=1_000_000)
    entries = parser.parse_args().entries
    with tempfile.TemporaryDirectory(prefix="verification-") as folder:
        made = time.perf_counter()
        make(Path(folder), entries)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        print(f"{entries:,} entries, {size / 1e6:.0f} MB with events, made in {time.perf_counter() - made:.1f} s")
        log = f"{folder}/log"
        run("log alone", [log, "--vkey", str(KEY.verifier)], entries)
        run("log and events", [log, "--vkey", str(KEY.verifier), "--events", f"{folder}/events.jsonl"], entries)


def make(folder: Path, entries: int) -> None:
    """Write an exported log and its bundle of events."""
    frontier = Frontier()
    with (folder / "events.jsonl").open("wb") as bundle:
        for start in range(0, entries, TILE_WIDTH):
            events = [_event(index) for index in range(start, min(entries, start + TILE_WIDTH))]
            leaves = [make_leaf(event.event, event.nonce) for event in events]
            grown, tiles = frontier.extend([leaf_hash(leaf) for leaf in leaves])
            edge = set(right_edge(entries))
            for tile, data in tiles.items():
                if tile.width == TILE_WIDTH or tile in edge:
                    _write(folder / "log" / tile.path(), data)
            _write(folder / "log" / Bundle(start // TILE_WIDTH, len(leaves)).path(), encode_bundle(leaves))
            lines = list(format_bundle(BundleHead(1, KEY.name, entries), events))
            bundle.writelines(lines if start == 0 else lines[1:])
            frontier = grown
    note = sign_checkpoint(Checkpoint(KEY.name, entries, frontier.root), [KEY])
    _write(folder / "log/checkpoint", note.format())


def _event(index: int) -> OpenedEvent:
    facts = {
        "v": 1,
        "kind": "decision",
        "id": f"0192f0c1-7c1a-7000-8000-{index:012x}",
        "at": "2026-11-20T09:30:00.000000Z",
        "network": "paderborn",
        "actor": "awo-paderborn",
        "sender": "awo-paderborn",
        "recipient": "jobcenter-kreis-paderborn",
        "purpose": "employment",
        "categories": ["identity", "contact"],
        "permitted": ["identity", "contact"],
        "outcome": "permit",
        "basis": "consent",
        "client": f"0192f0c1-7c1a-7000-8000-{index % 9973:012x}",
        "reference_commitment": "1xbm_QzoFubybCKB7yKhamyiOVJjrvuuWeZaXAaBk3Y",
        "expires_at": "2026-11-20T09:35:00.000000Z",
    }
    return OpenedEvent(index, canonical(facts), sha256(index.to_bytes(8, "big")).digest())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def run(name: str, words: Sequence[str], entries: int) -> None:
    """Run `consent-registry verify` in its own process and print its time and memory."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "consent_registry", "verify", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds, busy = time.perf_counter() - began, used.ru_utime + used.ru_stime
    if process.returncode != 0:
        sys.exit(f"verify ended with {process.returncode}")
    rate = entries / busy
    print(f"{name:16} {seconds:6.1f} s, {busy:6.1f} s of processor, {rate:,.0f}/s, {used.ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
