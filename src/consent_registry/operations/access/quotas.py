"""Who may still ask: each caller's quotas, counted in this process, without a row and without a statement.

The workers of a server share a quota evenly. A network's policies say how large it is; the picture of the catalogue
that is at hand is asked for them. A caller that was refused may have been given more since: before a refusal leaves,
the picture is looked at again, once a second at most.
"""

import math
import secrets
import time
from contextlib import suppress
from hashlib import blake2b

from consent_registry.domain.errors import OverQuota, RegistryError
from consent_registry.domain.quotas import Bucket, QuotaClass
from consent_registry.operations.running.actors import Actor
from consent_registry.operations.running.context import Runtime

REFRESH = 1.0
# Attempts to get a token are counted by who tries, in so many places at most: whoever makes up client ids fills no
# memory, and cannot know which of them share a place.
PLACES = 1 << 16


class QuotaKeeper:
    """Counts what every caller of this process asks."""

    def __init__(self, runtime: Runtime, workers: int = 1) -> None:
        self._runtime = runtime
        self._workers = workers
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
        """Count a token that is about to be given to a client who knew its secret; raises OverQuota."""
        network = client_id.partition(".")[0]
        bucket = self._buckets.setdefault((network, client_id, "tokens"), Bucket())
        if self._wait(bucket, network, "tokens", 1):
            await self._refuse(bucket, network, "tokens", 1)

    async def charge_attempt(self, client_id: str, address: str) -> None:
        """Count an attempt to get a token, before anything is asked about the client id; raises OverQuota. It is
        counted by client id and address: nobody keeps a client from its token by trying in its name.
        """
        tried = f"{client_id}\0{address}".encode("utf-8", "surrogatepass")
        place = int.from_bytes(blake2b(tried, key=self._key, digest_size=8).digest(), "big") % PLACES
        bucket = self._attempts.get(place)
        if bucket is None:
            bucket = self._attempts[place] = Bucket()
        network = client_id.partition(".")[0]
        if self._wait(bucket, network, "tokens", 1):
            await self._refuse(bucket, network, "tokens", 1)

    def _wait(self, bucket: Bucket, network: str, kind: QuotaClass, cost: int) -> float:
        """Take from the bucket; the seconds after which there is enough, 0 when it was taken."""
        quota = self._runtime.known_policies(network).quotas.of(kind)
        return 0.0 if quota is None else bucket.take(time.monotonic(), quota, max(1.0, quota / self._workers), cost)

    async def _refuse(self, bucket: Bucket, slug: str, kind: QuotaClass, cost: int) -> None:
        """Raise OverQuota, unless the network gives more by now."""
        now = time.monotonic()
        network = self._runtime.known_network(slug)
        if network is not None and now - self._looked_at.get(slug, -math.inf) >= REFRESH:
            self._looked_at[slug] = now
            with suppress(RegistryError):  # without the database the quota that is known holds
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
