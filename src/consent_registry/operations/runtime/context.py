"""The runtime that all operations of one process share: connections, keys, networks, and the catalogues in memory."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import copy
from typing import Self

from consent_registry.domain.catalogue import Catalogue, Network
from consent_registry.domain.flags import Policies
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.clock import Clock
from consent_registry.operations.runtime.steps import ReadingLimits, Steps
from consent_registry.operations.runtime.turns import TurnKind, Turns
from consent_registry.storage.catalogue.catalogue import catalogue_version, load_catalogue, lock_catalogue
from consent_registry.storage.catalogue.networks import list_networks
from consent_registry.storage.database.database import Connection, Connections, transaction
from consent_registry.storage.keys.keyring import Keys

ORDINARY = Policies()
STEPS, LIMITS = Steps(), ReadingLimits()
# Networks are numbered from 1: a transaction in this one sees no tenant's rows.
NO_NETWORK = 0
# Seconds after a failure to record for which readiness probes thoroughly.
FAILURE_COUNTS = 5.0


class Runtime:
    """What the operations of one process share; opened and closed with the application."""

    def __init__(
        self,
        pool: Connections,
        keys: Keys,
        issuer: str,
        constant_time_seconds: float = 0.0,
        *,
        oversight: Connections | None = None,
        turns: Turns | None = None,
        steps: Steps = STEPS,
        limits: ReadingLimits = LIMITS,
    ) -> None:
        self.pool = pool
        self._oversight = oversight or pool
        self.keys = keys
        self.issuer = issuer
        # The response time, in seconds, of commands whose work depends on what their caller may not know.
        self.constant_time_seconds = constant_time_seconds
        self.turns = turns or Turns()
        self.steps = steps
        self.limits = limits
        self.clock = Clock()
        self._networks: dict[str, Network] = {}
        self._catalogues: dict[int, Catalogue] = {}
        self._failed_at = float("-inf")

    def for_oversight(self) -> Self:
        """A copy for one call of a data-protection officer. Its transactions use a separate pool of connections, so
        slow calls wait for each other and no decision waits for them.
        """
        copied = copy(self)
        copied.pool = self._oversight
        copied.turns = Turns()  # the pool of these connections has its own queue
        return copied

    async def take_turn(self, actor: Actor, kind: TurnKind) -> Callable[[], None]:
        """Wait for the caller's turn for work of this kind; call the returned function to give the turn back.

        Turns keep time and connections for others when one caller floods. A turn is held until the answer is sent, so
        the start of the caller's next request depends on nothing that the caller may not know. Raises CannotRecord
        when too many requests of the caller wait.
        """
        return await self.turns.take(actor.turn_key, kind)

    @asynccontextmanager
    async def turn(self, actor: Actor | Network, kind: TurnKind) -> AsyncIterator[None]:
        """Hold the caller's turn for work of this kind for the length of a block. A network as the caller means all who
        read its public log.
        """
        caller = actor.slug if isinstance(actor, Network) else actor.turn_key
        give_back = await self.turns.take(caller, kind)
        try:
            yield
        finally:
            give_back()

    def note_failure(self) -> None:
        """Note that something could not be recorded; readiness then probes thoroughly."""
        self._failed_at = time.monotonic()

    def failed_lately(self) -> bool:
        """Whether recording failed within the last FAILURE_COUNTS seconds."""
        return time.monotonic() - self._failed_at < FAILURE_COUNTS

    async def network(self, slug: str) -> Network | None:
        """The network with this slug, read from memory if it is there: networks are only ever added."""
        if slug not in self._networks:
            await self.networks()
        return self._networks.get(slug)

    async def networks(self) -> list[Network]:
        """All networks, read from the database."""
        async with transaction(self.pool, NO_NETWORK, ()) as connection:
            self._networks = {network.slug: network for network in await list_networks(connection)}
        return list(self._networks.values())

    async def catalogue(self, connection: Connection, network: Network) -> Catalogue:
        """The catalogue as of this transaction, which must hold the catalogue lock."""
        known = self._catalogues.get(network.network_id)
        if known is not None and known.version == await catalogue_version(connection, network.network_id):
            return known
        return await self.reload(connection, network)

    async def reload(self, connection: Connection, network: Network) -> Catalogue:
        """Read the catalogue from the database in this transaction, which must hold the catalogue lock."""
        fresh = self._catalogues[network.network_id] = await load_catalogue(connection, network)
        return fresh

    def known_network(self, slug: str) -> Network | None:
        """The network with this slug if it is in memory, else None."""
        return self._networks.get(slug)

    def known_policies(self, slug: str) -> Policies:
        """The policies of this network from the catalogue in memory; the default policies if it is not in memory."""
        network = self._networks.get(slug)
        known = None if network is None else self._catalogues.get(network.network_id)
        return ORDINARY if known is None else known.policies

    async def picture(self, network: Network, *, fresh: bool = False) -> Catalogue:
        """The catalogue in memory, which may be out of date: to read slugs, never to decide. `fresh` updates it."""
        known = self._catalogues.get(network.network_id)
        if known is not None and not fresh:
            return known
        async with transaction(self.pool, network.network_id, ()) as connection:
            await lock_catalogue(connection, network.network_id)
            return await self.catalogue(connection, network)
