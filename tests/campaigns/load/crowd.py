"""Callers that only hold connections: silent ones, and slow ones that send a byte a second. A process of its own.

`python -m tests.campaigns.load.crowd PORT SILENT SLOW` prints `here` when all are connected; whichever is closed
comes back.
"""

import asyncio
import contextlib
import itertools
import resource
import sys

# Each stops at another place: within the head, within a body, within a chunk.
BEGINNINGS = (
    b"GET /live HTTP/1.1\r\nHost: a\r\nX: ",
    b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n",
    b"POST /api/v1/decisions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
)
PAUSE_S = 1.0


async def hold(port: int, beginning: bytes | None, here: asyncio.Semaphore) -> None:
    """Hold one connection for ever; None says nothing on it."""
    is_first = True
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if is_first:
                is_first = False
                here.release()
            closed = asyncio.ensure_future(reader.read())
            writer.write(beginning or b"")
            while not closed.done():
                await asyncio.wait([closed], timeout=PAUSE_S)
                if beginning is not None and not closed.done():
                    writer.write(b"x")
            with contextlib.suppress(OSError):
                await closed
            writer.close()
        await asyncio.sleep(PAUSE_S)


async def main(port: int, silent: int, slow: int) -> None:
    """Connect all, fifty at a time, then hold them until killed."""
    here = asyncio.Semaphore(0)
    beginnings = [None] * silent + list(itertools.islice(itertools.cycle(BEGINNINGS), slow))
    tasks = []
    for number, beginning in enumerate(beginnings, start=1):
        tasks.append(asyncio.create_task(hold(port, beginning, here)))
        if number % 50 == 0:
            await asyncio.sleep(0.05)
    for _ in beginnings:
        await here.acquire()
    sys.stdout.write("here\n")
    sys.stdout.flush()
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 10_000), hard))
    asyncio.run(main(*map(int, sys.argv[1:])))
