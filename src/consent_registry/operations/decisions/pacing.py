"""How long a batch may work before it lets the event loop serve others.

The event loop serves one task at a time. A batch of a thousand questions takes tens of milliseconds. Without pauses
every other answer of this process would wait for all of them.
"""

import asyncio
import time

# Seconds. A transaction of single questions pauses once or twice; a pause is short compared to a question's own time.
SLICE = 0.0004


class Pace:
    """The working time of one transaction since its last pause."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def pause(self) -> None:
        """Let the event loop serve others if SLICE has passed since the last pause."""
        if time.perf_counter() - self._since >= SLICE:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
