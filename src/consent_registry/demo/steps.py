"""Shows a line for each step of the demonstration's start, with its duration."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from consent_registry.process.standard_streams import show


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show a line when a step begins, and another with its seconds when it ends."""
    began = time.monotonic()
    show(f"{what} …")
    yield
    show(f"{what}: {time.monotonic() - began:.1f} s")
