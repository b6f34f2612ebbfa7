"""What the demonstration does before it serves: a line for each step, with the seconds it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from consent_registry.process.standard_streams import show


@contextmanager
def step(what: str) -> Iterator[None]:
    """Name a step that begins, for the reader who waits, and say when it is done."""
    began = time.monotonic()
    show(f"{what} …")
    yield
    show(f"{what}: {time.monotonic() - began:.1f} s")
