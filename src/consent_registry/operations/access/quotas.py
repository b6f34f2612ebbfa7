"""Quotas: how many calls each caller may make in a minute, counted in this process without touching the database.

The workers of a server share a quota evenly. Its size is in the network's policies, read from the catalogue in memory.
The policies may have been changed since: before a call is refused, the catalogue is read again, at most once a second.
"""

import math
import secrets
import time
from contextlib import suppress
from hashlib import blake2b

from consent_registry.domain.errors import OverQuota, RegistryError
from consent_registry.domain.quotas import Bucket, QuotaClass
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.context import Runtime

REFRESH = 1.0
# Attempts to get a token are counted in at most so many places, chosen by a keyed hash of client id and address.
# Made-up client ids cannot fill the memory, and an attacker cannot know which of them share a place.
PLACES = 1 << 16


class QuotaKeeper:
    """Counts the calls of every caller of this process."""

    def __init__(self, runtime: Runtime, workers: int = 1, places: int = PLACES) -> None:
        self._runtime = runtime
        self._workers = workers
        self._places = places
        self._buckets: dict[tuple[str, str, QuotaClass], Bucket] = {}
        self._attempts: dict[int, Bucket] = {}
        self._key = secrets.token_bytes(16)
        self._looked_at: dict[str, float] = {}

    async def charge(self, actor: Actor, kind: QuotaClass, cost: int = 1) -> None:
        """Count a call of this class against the caller's quota; raises OverQuota."""
        network = actor.network.slug
        key = (network, actor.payer, kind)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket()
        if self._wait(bucket, network, kind, cost):
            await self._refuse(bucket, network, kind, cost)

    async def charge_token(self, client_id: str) -> None:
        """Count a token that will be issued to a client that knew its secret; raises OverQuota."""
        network = client_id.partition(".")[0]
        bucket = self._buckets.setdefault((network, client_id, "tokens"), Bucket())
        if self._wait(bucket, network, "tokens", 1):
            await self._refuse(bucket, network, "tokens", 1)

    async def charge_attempt(self, client_id: str, address: str) -> None:
        """Count an attempt to get a token, before the client id is looked up; raises OverQuota.

        It is counted by client id and address, so an attacker elsewhere cannot use up a client's attempts.
        """
        tried = f"{client_id}\0{address}".encode("utf-8", "surrogatepass")
        place = int.from_bytes(blake2b(tried, key=self._key, digest_size=8).digest(), "big") % self._places
        bucket = self._attempts.get(place)
        if bucket is None:
            bucket = self._attempts[place] = Bucket()
        network = client_id.partition(".")[0]
        if self._wait(bucket, network, "tokens", 1):
            await self._refuse(bucket, network, "tokens", 1)

    def _wait(self, bucket: Bucket, network: str, kind: QuotaClass, cost: int) -> float:
        """Take `cost` from the bucket; returns 0, or the seconds after which there is enough."""
        quota = self._runtime.known_policies(network).quotas.of(kind)
        return 0.0 if quota is None else bucket.take(time.monotonic(), quota, max(1.0, quota / self._workers), cost)

    async def _refuse(self, bucket: Bucket, slug: str, kind: QuotaClass, cost: int) -> None:
        """Raise OverQuota, unless the network's quota was raised meanwhile."""
        now = time.monotonic()
        network = self._runtime.known_network(slug)
        if network is not None and now - self._looked_at.get(slug, -math.inf) >= REFRESH:
            self._looked_at[slug] = now
            with suppress(RegistryError):  # without the database the known quota applies
                await self._runtime.picture(network, fresh=True)
        if wait := self._wait(bucket, slug, kind, cost):
            raise OverQuota(_DETAILS[kind], retry_after=math.ceil(wait))


_DETAILS: dict[QuotaClass, str] = {
    "decisions": "More single decisions than this partner's quota for a minute.",
    "batch_items": "More questions in batches than this partner's quota for a minute.",
    "writes": "More acts than this partner's quota for a minute.",
    "reads": "More searches and reads than this caller's quota for a minute.",
    "tokens": "More access tokens than this client's quota for a minute.",
}
