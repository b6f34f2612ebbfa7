"""Two clocks: the database's, which decides, and this machine's, by which tokens expire."""

import time
from datetime import datetime

import asyncpg
import msgspec

from consent_registry.storage.database.database import Connection

# Two clocks further apart than this are a fault of one of them, not of the network between.
CLOCKS_APART = 5.0


class Clocks(msgspec.Struct, frozen=True):
    """The database's time, and by how many seconds this machine's is behind it (negative: ahead)."""

    database_at: datetime
    behind: float


async def compare_clocks(connection: Connection | asyncpg.Connection) -> Clocks:
    """Ask the database how late it is. Whatever its answer, it may have been given at any moment of the question."""
    asked_at = time.time()
    theirs = await connection.fetchval("select clock_timestamp()")
    answered_at = time.time()
    late = theirs.timestamp()
    return Clocks(theirs, late - answered_at if late > answered_at else min(late - asked_at, 0.0))
