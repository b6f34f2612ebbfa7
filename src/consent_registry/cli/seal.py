"""`consent-registry seal`: the signer of the logs, as a process of its own, on this machine or on another."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from consent_registry.api.server_log import configure_log
from consent_registry.audit.policy import Policy, PolicyRefused
from consent_registry.domain.errors import Unusable
from consent_registry.operations.checkpoints import Cosigners, NoWitnesses, Seal
from consent_registry.operations.sealer import Sealer
from consent_registry.operations.witnesses import Witnesses
from consent_registry.settings import read_sealer_settings
from consent_registry.storage.checks import require_safe_for_sealing
from consent_registry.storage.database import open_pool
from consent_registry.storage.log_keys import load_log_keys
from consent_registry.storage.signed_heads import SignedHeads

# Logs that are sealed at the same time, beside the leader's own connection.
CONNECTIONS = 4


def seal() -> None:
    """Seal every network's log until stopped. Reads CONSENT_REGISTRY_SEALER_DATABASE_URL, _SEALER_STATE and _KEYS, and
    _WITNESS_POLICY, a policy (C2SP tlog-policy) without whose quorum nothing is published.

    Several may run; one leads and the others wait. Those on one machine share one folder of signed heads.
    """
    asyncio.run(_run())


async def _run() -> None:
    settings = read_sealer_settings(os.environ)
    configure_log()
    policy = _read_policy(settings.witness_policy)
    heads, keys = SignedHeads(settings.sealer_state), load_log_keys(settings.keys)
    await require_safe_for_sealing(settings.sealer_database_url)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool = await open_pool(settings.sealer_database_url, CONNECTIONS)
    try:
        async with _witnesses(policy) as witnesses:
            tools = Seal(pool, keys, heads, witnesses)
            await Sealer(settings.sealer_database_url, settings.keys, tools, time.monotonic).run(stop)
    finally:
        await pool.close()


@asynccontextmanager
async def _witnesses(policy: Policy | None) -> AsyncIterator[Cosigners]:
    """The witnesses a policy names; nobody where there is none."""
    if policy is None:
        yield NoWitnesses()
        return
    async with Witnesses(policy) as asked:
        yield asked


def _read_policy(path: Path | None) -> Policy | None:
    try:
        return None if path is None else Policy.parse(path.read_bytes())
    except PolicyRefused as error:
        raise Unusable(f"{path} cannot be followed: {error}") from error
