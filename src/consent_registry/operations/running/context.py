"""What every operation of one process shares: connections, keys, networks, and the picture of each catalogue."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import copy
from typing import Self

from consent_registry.domain.catalogue import Catalogue, Network
from consent_registry.domain.flags import Policies
from consent_registry.operations.running.actors import Actor
from consent_registry.operations.running.clock import Clock
from consent_registry.operations.running.turns import Kind, Turns
from consent_registry.storage.catalogue.catalogue import catalogue_version, load_catalogue, lock_catalogue
from consent_registry.storage.catalogue.networks import list_networks
from consent_registry.storage.database.database import Connection, Connections, transaction
from consent_registry.storage.keys.keyring import Keys

ORDINARY = Policies()
# Networks are numbered from 1: a transaction in this one sees no tenant's rows.
NO_NETWORK = 0
# Seconds for which a failure to record makes readiness look more closely.
FAILURE_COUNTS = 5.0


class Runtime:
    """Shared by the operations of one process; opened and closed with the application."""

    def __init__(
        self,
        pool: Connections,
        keys: Keys,
        issuer: str,
        constant_time_seconds: float = 0.0,
        *,
        oversight: Connections | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.pool = pool
        self._oversight = oversight or pool
        self.keys = keys
        self.issuer = issuer
        # Seconds after which the answer to an act leaves whose work depends on what its caller may not know.
        self.constant_time_seconds = constant_time_seconds
        self.turns = turns or Turns()
        self.clock = Clock()
        self._networks: dict[str, Network] = {}
        self._catalogues: dict[int, Catalogue] = {}
        self._failed_at = float("-inf")

    def for_oversight(self) -> Self:
        """The same for one call of a data-protection officer's: its transactions get connections of their own, so that
        slow ones wait for each other and no decision waits for them.
        """
        other = copy(self)
        other.pool = self._oversight
        other.turns = Turns()  # these connections have a queue
        return other

    async def take_turn(self, actor: Actor, kind: Kind) -> Callable[[], None]:
        """Wait for the caller's turn for work of this kind, so that one that floods leaves time and connections for
        others; what is returned gives it back. It is held until the answer leaves: when the next one begins depends on
        nothing that the caller may not know. Raises CannotRecord when too many of the caller's wait.
        """
        return await self.turns.take(actor.turn_key, kind)

    @asynccontextmanager
    async def turn(self, actor: Actor | Network, kind: Kind) -> AsyncIterator[None]:
        """As `take_turn`, for the length of a block; a network is all who read its public log."""
        who = actor.slug if isinstance(actor, Network) else actor.turn_key
        give_back = await self.turns.take(who, kind)
        try:
            yield
        finally:
            give_back()

    def note_failure(self) -> None:
        """Remember that something could not be recorded; readiness then looks more closely."""
        self._failed_at = time.monotonic()

    def failed_lately(self) -> bool:
        """Whether something could not be recorded within the last seconds."""
        return time.monotonic() - self._failed_at < FAILURE_COUNTS

    async def network(self, slug: str) -> Network | None:
        """The network with this slug; networks are only ever added."""
        if slug not in self._networks:
            await self.networks()
        return self._networks.get(slug)

    async def networks(self) -> list[Network]:
        """All networks, read afresh."""
        async with transaction(self.pool, NO_NETWORK, ()) as connection:
            self._networks = {one.slug: one for one in await list_networks(connection)}
        return list(self._networks.values())

    async def catalogue(self, connection: Connection, network: Network) -> Catalogue:
        """The catalogue as of this transaction, which holds the catalogue lock."""
        known = self._catalogues.get(network.network_id)
        if known is not None and known.version == await catalogue_version(connection, network.network_id):
            return known
        return await self.reload(connection, network)

    async def reload(self, connection: Connection, network: Network) -> Catalogue:
        """Read the catalogue afresh in this transaction, which holds the catalogue lock."""
        fresh = self._catalogues[network.network_id] = await load_catalogue(connection, network)
        return fresh

    def known_network(self, slug: str) -> Network | None:
        """The network with this slug, if it was read before."""
        return self._networks.get(slug)

    def known_policies(self, slug: str) -> Policies:
        """The policies of the network with this slug, as the picture at hand has them; the ordinary ones without."""
        network = self._networks.get(slug)
        known = None if network is None else self._catalogues.get(network.network_id)
        return ORDINARY if known is None else known.policies

    async def picture(self, network: Network, *, fresh: bool = False) -> Catalogue:
        """A picture of the catalogue that may have aged: for reading slugs, never for deciding. `fresh` looks again."""
        known = self._catalogues.get(network.network_id)
        if known is not None and not fresh:
            return known
        async with transaction(self.pool, network.network_id, ()) as connection:
            await lock_catalogue(connection, network.network_id)
            return await self.catalogue(connection, network)
