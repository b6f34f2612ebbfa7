"""How an operator's act happens: one transaction as the network's administration, the catalogue's lock, one time, the
log last. No partner's request does this, and no partner is asked.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from consent_registry.domain.catalogue import Network
from consent_registry.domain.events import Event
from consent_registry.operations.context import ADMINISTRATION, Runtime
from consent_registry.storage.catalogue.catalogue import lock_catalogue
from consent_registry.storage.consents.grants import read_clock
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.log import append

# By this name the log knows who acts.
_ACTOR = (ADMINISTRATION, "administration")


class OperatorsAct:
    """A running act of an operator's: its transaction, its network and its one time."""

    def __init__(self, connection: Connection, network: Network) -> None:
        self.connection = connection
        self.network = network
        self._now: datetime | None = None

    async def now(self) -> datetime:
        """The act's time, the database's, read when it is first asked for: after its locks."""
        if self._now is None:
            self._now = await read_clock(self.connection)
        return self._now

    async def append(self, *events: Event) -> list[append.LogPlace]:
        """Write the log: the last thing an act does."""
        return await append.append(self.connection, self.network, _ACTOR, await self.now(), events)


@asynccontextmanager
async def administering(runtime: Runtime, network: Network, *, exclusive: bool = False) -> AsyncIterator[OperatorsAct]:
    """An operator's act in a network for the length of a block; it commits when the block ends without an error.

    `exclusive` holds the catalogue alone, for what changes it. Raises CannotRecord and OutcomeUnknown as `transaction`
    does.
    """
    async with transaction(runtime.pool, network.network_id, [ADMINISTRATION]) as connection:
        await lock_catalogue(connection, network.network_id, exclusive=exclusive)
        yield OperatorsAct(connection, network)
