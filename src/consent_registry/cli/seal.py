"""`consent-registry seal`: the signer of the logs, as a process of its own, on this machine or on another."""

import asyncio
import os
import signal
import time

from consent_registry.api.server_log import configure_log
from consent_registry.operations.checkpoints import NoWitnesses, Seal
from consent_registry.operations.sealer import Sealer
from consent_registry.settings import read_sealer_settings
from consent_registry.storage.checks import require_safe_for_sealing
from consent_registry.storage.database import open_pool
from consent_registry.storage.log_keys import load_log_keys
from consent_registry.storage.signed_heads import SignedHeads

# Logs that are sealed at the same time, beside the leader's own connection.
CONNECTIONS = 4


def seal() -> None:
    """Seal every network's log until stopped. Reads CONSENT_REGISTRY_SEALER_DATABASE_URL, _SEALER_STATE and _KEYS.

    Several may run; one leads and the others wait. Those on one machine share one folder of signed heads.
    """
    asyncio.run(_run())


async def _run() -> None:
    settings = read_sealer_settings(os.environ)
    configure_log()
    heads, keys = SignedHeads(settings.sealer_state), load_log_keys(settings.keys)
    await require_safe_for_sealing(settings.sealer_database_url)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool = await open_pool(settings.sealer_database_url, CONNECTIONS)
    try:
        tools = Seal(pool, keys, heads, NoWitnesses())
        await Sealer(settings.sealer_database_url, settings.keys, tools, time.monotonic).run(stop)
    finally:
        await pool.close()
