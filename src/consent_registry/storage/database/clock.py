"""Compares the database's clock, which decides, with this machine's clock, by which tokens expire."""

import time
from datetime import datetime

import asyncpg
import msgspec

from consent_registry.storage.database.database import Connection

# Seconds. A larger difference means that one of the clocks is wrong; network delay cannot explain it.
CLOCKS_APART = 5.0


class Clocks(msgspec.Struct, frozen=True):
    """The database's time, and how many seconds this machine's clock is behind it (negative: ahead)."""

    database_at: datetime
    behind: float


async def compare_clocks(connection: Connection | asyncpg.Connection) -> Clocks:
    """Compare this machine's clock with the database's. A difference counts only if the query's duration cannot explain
    it, because the database may have read its clock at any moment of the query.
    """
    asked_at = time.time()
    database_at = await connection.fetchval("select clock_timestamp()")
    answered_at = time.time()
    seconds = database_at.timestamp()
    return Clocks(database_at, seconds - answered_at if seconds > answered_at else min(seconds - asked_at, 0.0))
