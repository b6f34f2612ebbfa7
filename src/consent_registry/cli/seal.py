"""`consent-registry seal`: the signer of the logs, as a process of its own, on this machine or on another."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from consent_registry import __version__
from consent_registry.cli.evidence_files import read_policy
from consent_registry.cli.running import Outcome, gives_verdict
from consent_registry.domain.errors import NotFound
from consent_registry.domain.identifiers import origin_fault
from consent_registry.operations.log import checkpoints
from consent_registry.operations.log.checkpoints import Cosigners, NoWitnesses, Seal
from consent_registry.operations.log.sealer import Sealer
from consent_registry.operations.log.witnesses import Witnesses
from consent_registry.process.server_log import configure_log
from consent_registry.process.standard_streams import survive_without_output
from consent_registry.settings import SealerSettings, read_sealer_settings
from consent_registry.storage.database.database import open_pool, session
from consent_registry.storage.files.signed_heads import SignedHeads
from consent_registry.storage.files.unsealed_logs import read_unsealed
from consent_registry.storage.keys.log_keys import load_log_keys
from consent_registry.storage.log.checkpoints import Log, list_logs
from consent_registry.storage.start_checks import require_safe_for_sealing
from consent_registry.tlog.policy import Policy

T = TypeVar("T")
_log = structlog.get_logger(__name__)
# Logs that are sealed at the same time, beside the leader's own connection.
CONNECTIONS = 4


@gives_verdict(when="status")
def seal(
    *,
    status: bool = False,
    adopt: Path | None = None,
    network: str = "",
) -> Outcome | None:
    """Seal every network's log until stopped. Reads CONSENT_REGISTRY_SEALER_DATABASE_URL, _SEALER_STATE and _KEYS, and
    _WITNESS_POLICY, a policy (C2SP tlog-policy) without whose quorum nothing is published.

    Several may run; one leads and the others wait. Those on one machine share one folder of signed heads.

    Parameters
    ----------
    status
        Compare database, signer's memory and checkpoint of every network once. Exit code 0: every log is sealed. 1: one
        is not, or does not fit what was signed. 2: it cannot be told.
    adopt
        A checkpoint you trust, of the network named with --network, for a signer that has lost its memory of it.
    network
        The network of --adopt.
    """
    if status:
        return asyncio.run(_with_tools(_show_standing))
    if adopt is not None:
        note = adopt.read_bytes()
        asyncio.run(_with_tools(partial(_adopt, slug=network, note=note)))
        return None
    survive_without_output()
    asyncio.run(_with_tools(_run))
    return None


async def _with_tools(work: Callable[[Seal, SealerSettings], Awaitable[T]]) -> T:
    settings = read_sealer_settings(os.environ)
    configure_log()
    policy = None if settings.witness_policy is None else read_policy(settings.witness_policy)
    heads, keys = SignedHeads(settings.sealer_state), load_log_keys(settings.keys)
    await require_safe_for_sealing(settings.sealer_database_url)
    pool = await open_pool(settings.sealer_database_url, CONNECTIONS)
    try:
        async with _witnesses(policy) as witnesses:
            return await work(Seal(pool, keys, heads, witnesses), settings)
    finally:
        await pool.close()


async def _run(tools: Seal, settings: SealerSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _log.info("the sealer begins", version=__version__)
    await Sealer(settings.sealer_database_url, settings.keys, tools, time.monotonic).run(stop)
    _log.info("the sealer ends")


async def _show_standing(tools: Seal, settings: SealerSettings) -> Outcome:
    problems, reasons = 0, read_unsealed(settings.sealer_state)
    for log in await _logs(settings):
        one = await checkpoints.inspect(tools, log)
        age = "never" if one.age is None else f"{one.age:.0f} s ago"
        print(
            f"{log.slug:24} leaves {one.leaves}, published {one.published or 0} {age}, signer at {one.remembered or 0}"
        )
        fault = origin_fault(log.origin)
        never = None if fault is None else f"not sealed: no note can carry the log's origin, which {fault}"
        why = reasons.get(log.slug)
        late = one.unsealed if why is None or one.unsealed is None else f"{one.unsealed}: {why}"
        if (problem := never or one.problem or late) is not None:
            print(f"{'':24} {problem}")
            problems += 1
    return Outcome.DOES_NOT_HOLD if problems else Outcome.HOLDS


async def _adopt(tools: Seal, settings: SealerSettings, slug: str, note: bytes) -> None:
    found = [log for log in await _logs(settings) if log.slug == slug]
    if not found:
        raise NotFound(f"there is no network {slug!r}: name it with --network")
    head = await checkpoints.adopt(tools, found[0], note)
    print(f"{slug}: the signer goes on from size {head.size}")


async def _logs(settings: SealerSettings) -> list[Log]:
    async with session(settings.sealer_database_url) as connection:
        return await list_logs(connection)


@asynccontextmanager
async def _witnesses(policy: Policy | None) -> AsyncIterator[Cosigners]:
    """The witnesses a policy names; nobody where there is none."""
    if policy is None:
        yield NoWitnesses()
        return
    async with Witnesses(policy) as asked:
        yield asked
