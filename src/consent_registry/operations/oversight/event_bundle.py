"""The auditor's bundle: every event that a published checkpoint covers, for `consent-registry verify --events`."""

from collections.abc import AsyncIterator

from consent_registry.domain.errors import NotFound, Unusable
from consent_registry.storage.database.database import Connection
from consent_registry.storage.log.checkpoints import latest_checkpoint
from consent_registry.storage.oversight import table_check as storage
from consent_registry.tlog.event_bundle import FORMAT, BundleHead, OpenedEvent


async def open_bundle(connection: Connection, slug: str) -> tuple[BundleHead, AsyncIterator[OpenedEvent]]:
    """A network's whole bundle as of now, read on the auditor's connection. Raises NotFound, and Unusable for a log
    without a checkpoint, or without one since a removal: the removed events would be missing without a record.
    """
    networks = await storage.list_networks(connection)
    if slug not in networks:
        raise NotFound("There is no such network.")
    network_id, origin = networks[slug]
    await storage.enter_network(connection, network_id)
    published = await latest_checkpoint(connection, network_id)
    if published is None:
        raise Unusable(f"the log of {slug} has no checkpoint yet: is a sealer running?")
    if await storage.has_removal_from(connection, network_id, published.size):
        raise Unusable(f"events of {slug} were removed and no checkpoint says so yet: ask again shortly")
    return BundleHead(FORMAT, origin, published.size), _events(connection, network_id, published.size)


async def _events(connection: Connection, network_id: int, size: int) -> AsyncIterator[OpenedEvent]:
    """The events under the checkpoint, in the log's order, without those that were removed."""
    async for row in storage.read_log(connection, network_id):
        if row["log_index"] < size and row["event"] is not None:
            yield OpenedEvent(row["log_index"], row["event"], row["nonce"])
