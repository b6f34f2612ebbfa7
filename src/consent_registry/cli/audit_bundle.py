"""Writes the bundle of all events of a network to a file, for `consent-registry audit bundle`."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from consent_registry.operations.oversight.event_bundle import open_bundle
from consent_registry.operations.oversight.table_check import auditing
from consent_registry.tlog.event_bundle import format_bundle, format_event


async def write_bundle(dsn: str, network: str, file: Path) -> tuple[int, int]:
    """Write a network's bundle to a file and return the checkpoint's size and the number of events.

    The file is readable for its owner only, and it appears under its name when it is complete.
    """
    count, unfinished = 0, file.with_name(f"{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as plain, _compressed(plain, file) as written:
            async with auditing(dsn) as connection:
                head, events = await open_bundle(connection, network)
                written.writelines(format_bundle(head, ()))  # only the first line
                async for event in events:
                    written.write(format_event(event))
                    count += 1
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return head.size, count


@contextmanager
def _compressed(plain: BinaryIO, file: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    if file.suffix != ".gz":
        yield plain
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as packed:
        yield packed
