"""Quotas: how much one caller may ask in a minute, and the bucket that counts it.

A bucket holds a minute's quota and fills evenly. What it remembers is how long it takes to be full again (the generic
cell rate algorithm, ITU-T I.371 annex A).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# What a call counts as. `free` is what asks the database for nobody's data: health, keys, metadata, public log files.
QuotaClass = Literal["decisions", "batch_items", "writes", "reads", "tokens", "free"]
WINDOW = 60.0
LARGEST = 10_000_000
# Seconds: less than one question of the largest quota takes.
_ROUNDING = 1e-6

Quota = Annotated[int, Meta(ge=1, le=LARGEST)] | None


class Quotas(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A network's quotas for each partner and minute, null for none: single decisions, questions in batches, acts,
    searches and reads, access tokens. An administration's, a DPO's or a coordinating post's credential is a caller of
    its own.
    """

    decisions: Quota = 60_000
    batch_items: Quota = 300_000
    writes: Quota = 6_000
    reads: Quota = 6_000
    tokens: Quota = 600

    def of(self, kind: QuotaClass) -> int | None:
        """The quota of a class."""
        quota: int | None = None if kind == "free" else getattr(self, kind)
        return quota


class Bucket:
    """What one caller may still ask of one class, in this process. Times are a monotonic clock's seconds."""

    __slots__ = ("_at", "_owed", "_rate")

    def __init__(self) -> None:
        # How many seconds from `_at` on the bucket takes to be full.
        self._owed = 0.0
        self._at = 0.0
        self._rate = 0.0

    def take(self, now: float, quota: int, share: float, cost: int = 1) -> float:
        """Take `cost` out of this process's `share` of a quota; 0 when it was there, else nothing was taken and the
        seconds after which it is. What is more than the share, but not more than the quota, is taken from a full
        bucket; what is more than the quota is never there, and the answer is a minute.
        """
        rate = share / WINDOW
        owed = max(0.0, self._owed - (now - self._at))
        if rate != self._rate:
            # A new quota: what was taken stays taken, a minute's worth at most.
            owed = min(owed * self._rate / rate, WINDOW)
        wait = owed + cost / rate - WINDOW
        if cost > share:
            wait = owed if cost <= quota else WINDOW
        if wait <= _ROUNDING:
            owed += cost / rate
            wait = 0.0
        self._owed, self._at, self._rate = owed, now, rate
        return wait
