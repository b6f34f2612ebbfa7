"""A partner that asks as much as it can, in a process of its own: what it is given is in one line of its standard
input; it stops when that is closed, and then says how often it heard which status.
"""

import asyncio
import itertools
import json
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tests.campaigns.support.access import Access
from tests.campaigns.support.wire import Wire

Kind = Literal["batches", "questions", "writes"]
LANES: Mapping[Kind, int] = {"batches": 8, "questions": 64, "writes": 16}
BATCH = 1000
PATHS: Mapping[Kind, str] = {"batches": "/decisions/batch", "questions": "/decisions", "writes": "/clients"}


class Task(msgspec.Struct, frozen=True):
    """A flood's task: the kind of request, the partner that sends it, and its question, each time about another client
    who is unknown.
    """

    kind: Kind
    port: int
    network: str
    partner: str
    client_id: str
    client_secret: str
    question: dict[str, Any]


class Heard(msgspec.Struct):
    """How many answers the flooder got of each status, and how many 429 came with Retry-After."""

    statuses: dict[int, int]
    with_retry_after: int = 0


def body(task: Task, number: int) -> bytes:
    """Return the next request's body."""
    client = f"F-{number}"
    if task.kind == "writes":
        return json.dumps({"reference": client}).encode()
    asked = task.question | {"client": client}
    return json.dumps({"decisions": [asked] * BATCH} if task.kind == "batches" else asked).encode()


async def flood(task: Task, until: asyncio.Event) -> Heard:
    """Send requests on many connections at once until the event is set; returns the statuses that were answered."""
    heard, numbers = Heard(Counter()), itertools.count()
    access = Access(task.port, task.network, task.partner, task.client_id, task.client_secret)

    async def lane() -> None:
        wire = Wire(task.port)
        while not until.is_set():
            content = body(task, next(numbers))
            answer = await wire.post(f"/api/v1{PATHS[task.kind]}", content, await access.headers())
            heard.statuses[answer.status] += 1
            heard.with_retry_after += answer.status == 429 and int(answer.headers.get("retry-after", "0")) > 0
        wire.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(LANES[task.kind]):
            group.create_task(lane())
    return heard


async def main() -> None:
    """Read the task, send requests until standard input is closed, and print the statuses that were answered."""
    task = msgspec.json.decode(sys.stdin.readline(), type=Task)
    until = asyncio.Event()
    flooding = asyncio.create_task(flood(task, until))
    await asyncio.to_thread(sys.stdin.read)
    until.set()
    sys.stdout.write(msgspec.json.encode(await flooding).decode())


if __name__ == "__main__":
    asyncio.run(main())
