"""Quotas: how many calls a caller may make in a minute, and the token bucket that counts them.

A bucket holds one minute's quota and refills evenly. Its state is the time until it is full again (the generic cell
rate algorithm, ITU-T I.371 annex A).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# The class of a call. `free` calls read no client's data: health, keys, metadata, public log files.
QuotaClass = Literal["decisions", "batch_items", "writes", "reads", "tokens", "free"]
WINDOW = 60.0
LARGEST = 10_000_000
# Seconds; less than one question costs under the largest quota.
_ROUNDING = 1e-6

Quota = Annotated[int, Meta(ge=1, le=LARGEST)] | None


class Quotas(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A network's quotas per partner and minute (null: unlimited) for single decisions, questions in batches, writing
    calls, searches and reads, and access tokens. The credentials of the administration, of a DPO and of a coordinating
    post have quotas of their own.
    """

    decisions: Quota = 60_000
    batch_items: Quota = 300_000
    writes: Quota = 6_000
    reads: Quota = 6_000
    tokens: Quota = 600

    def of(self, kind: QuotaClass) -> int | None:
        """The quota of a class of calls."""
        quota: int | None = None if kind == "free" else getattr(self, kind)
        return quota


class Bucket:
    """The token bucket of one caller and one class of calls in this process. Times are seconds of a monotonic clock."""

    __slots__ = ("_at", "_owed", "_rate")

    def __init__(self) -> None:
        # Seconds from `_at` until the bucket is full.
        self._owed = 0.0
        self._at = 0.0
        self._rate = 0.0

    def take(self, now: float, quota: int, share: float, cost: int = 1) -> float:
        """Take `cost` from this process's `share` of a quota. Returns 0 if it was taken; else nothing was taken and the
        result is the seconds to wait. A cost above the share, but within the quota, needs a full bucket. A cost above
        the quota is always refused, with a minute to wait.
        """
        rate = share / WINDOW
        owed = max(0.0, self._owed - (now - self._at))
        if rate != self._rate:
            # The quota changed: what was taken stays taken, at most a minute's worth.
            owed = min(owed * self._rate / rate, WINDOW)
        wait = owed + cost / rate - WINDOW
        if cost > share:
            wait = owed if cost <= quota else WINDOW
        if wait <= _ROUNDING:
            owed += cost / rate
            wait = 0.0
        self._owed, self._at, self._rate = owed, now, rate
        return wait
