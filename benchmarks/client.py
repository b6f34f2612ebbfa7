"""A load generator for machines without wrk: keeps each of its connections busy with one request at a time.

Reads the same environment as wrk.lua and prints the same line.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit


class _Connection(asyncio.Protocol):
    """Sends a request as soon as the answer to the last one is complete."""

    def __init__(self, requests: list[bytes], number: int, latencies: list[float]) -> None:
        self._requests = requests
        self._number = number
        self._latencies = latencies
        self._received = bytearray()
        self._sent_at = 0.0
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.failed += exc is not None

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        start = head.index(b"content-length:") + len(b"content-length:")
        if len(self._received) < end + 4 + int(head[start:].split(b"\r\n", 1)[0]):
            return
        self.failed += not head.startswith(b"http/1.1 2")
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._received.clear()
        self._send()

    def close(self) -> None:
        self._transport.close()

    def _send(self) -> None:
        self._number = (self._number + 1) % len(self._requests)
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests[self._number])


def _requests(host: str) -> list[bytes]:
    head = (
        f"POST {os.environ['BENCH_PATH']} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {os.environ['BENCH_TOKEN']}\r\nContent-Length: "
    ).encode()
    lines = Path(os.environ["BENCH_BODIES"]).read_bytes().splitlines()
    return [head + str(len(line)).encode() + b"\r\n\r\n" + line for line in lines]


async def _load(address: str, connections: int, seconds: float) -> dict[str, float]:
    place = urlsplit(address)
    requests = _requests(place.netloc)
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    opened = []
    for number in range(connections):
        beginning = int(os.environ["BENCH_SEED"]) + number * len(requests) // connections
        _, connection = await loop.create_connection(
            lambda beginning=beginning: _Connection(requests, beginning, latencies),  # type: ignore[misc]
            place.hostname or "",
            place.port or 80,
        )
        opened.append(connection)
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    for connection in opened:
        connection.close()
    latencies.sort()
    return {
        "requests": len(latencies),
        "seconds": took,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
        "failed": sum(connection.failed for connection in opened),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_load(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))))
