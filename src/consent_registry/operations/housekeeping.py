"""Housekeeping: what each process looks after now and then. Doing it twice does no harm, so nobody is elected."""

import asyncio

import structlog

from consent_registry.domain.errors import RegistryError
from consent_registry.operations.runtime import NO_NETWORK, Runtime
from consent_registry.storage.database import transaction
from consent_registry.storage.idempotency import forget_answers
from consent_registry.storage.partitions import make_event_partitions

PERIOD = 3600.0

_log = structlog.get_logger(__name__)


async def keep_house(runtime: Runtime) -> None:
    """Forget stored answers older than two days and make the log's partitions ahead, every hour until cancelled."""
    while True:
        try:
            await tidy(runtime)
        except RegistryError as error:
            _log.warning("housekeeping put off", error=type(error).__name__)
        await asyncio.sleep(PERIOD)


async def tidy(runtime: Runtime) -> None:
    """Do what is due, once."""
    for network in await runtime.networks():
        async with transaction(runtime.pool, network.network_id, ()) as connection:
            await forget_answers(connection, network.network_id)
    async with transaction(runtime.pool, NO_NETWORK, ()) as connection:
        await make_event_partitions(connection)
