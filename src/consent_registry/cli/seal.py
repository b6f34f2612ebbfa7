"""`consent-registry seal`: sign the logs' checkpoints, as a separate process on this machine or on another."""

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
from consent_registry.cli.exit_codes import ExitCode, gives_verdict
from consent_registry.operations.log.checkpoints import Cosigners, NoWitnesses, SealerTools
from consent_registry.operations.log.sealer import Sealer
from consent_registry.operations.log.sealing import adopt_checkpoint, inspect_logs, opened_sealer_tools
from consent_registry.operations.log.witnesses import Witnesses
from consent_registry.process.server_log import configure_log
from consent_registry.process.standard_streams import survive_without_output
from consent_registry.settings import SealerSettings, read_sealer_settings
from consent_registry.tlog.policy import Policy

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@gives_verdict(when="status")
def seal(
    *,
    status: bool = False,
    adopt: Path | None = None,
    network: str = "",
) -> ExitCode | None:
    """Seal every network's log until stopped.

    It reads CONSENT_REGISTRY_SEALER_DATABASE_URL, _SEALER_STATE and _KEYS, and optionally _WITNESS_POLICY, a policy
    (C2SP tlog-policy): a checkpoint without its quorum is not published. If several sealers run, one leads and the
    others wait. Sealers on the same machine share the folder of signed heads.

    Parameters
    ----------
    status
        Compare the database, the signed heads and the checkpoint of every network once. Exit code 0: every log is
        sealed. 1: a log is not sealed, or does not match what was signed. 2: this could not be checked.
    adopt
        A checkpoint that you trust, of the network in --network, for a signer that lost its signed head.
    network
        The network of --adopt.
    """
    if status:
        return asyncio.run(_with_tools(_show_state))
    if adopt is not None:
        note = adopt.read_bytes()
        asyncio.run(_with_tools(partial(_adopt, slug=network, note=note)))
        return None
    survive_without_output()
    asyncio.run(_with_tools(_run))
    return None


async def _with_tools(work: Callable[[SealerTools, SealerSettings], Awaitable[T]]) -> T:
    settings = read_sealer_settings(os.environ)
    configure_log()
    policy = None if settings.witness_policy is None else read_policy(settings.witness_policy)
    opening = opened_sealer_tools(
        settings.sealer_database_url, settings.sealer_state, settings.keys, _witnesses(policy)
    )
    async with opening as tools:
        return await work(tools, settings)


async def _run(tools: SealerTools, settings: SealerSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _log.info("the sealer begins", version=__version__)
    await Sealer(settings.sealer_database_url, settings.keys, tools, time.monotonic).run(stop)
    _log.info("the sealer ends")


async def _show_state(tools: SealerTools, settings: SealerSettings) -> ExitCode:
    logs = await inspect_logs(tools, settings.sealer_database_url, settings.sealer_state)
    for log in logs:
        found = log.sealing
        age = "never" if found.age is None else f"{found.age:.0f} s ago"
        sizes = f"leaves {found.leaves}, published {found.published or 0} {age}, signer at {found.remembered or 0}"
        print(f"{log.slug:24} {sizes}")
        if log.problem is not None:
            print(f"{'':24} {log.problem}")
    return ExitCode.DOES_NOT_HOLD if any(log.problem is not None for log in logs) else ExitCode.HOLDS


async def _adopt(tools: SealerTools, settings: SealerSettings, slug: str, note: bytes) -> None:
    size = await adopt_checkpoint(tools, settings.sealer_database_url, slug, note)
    print(f"{slug}: the signer continues from size {size}")


@asynccontextmanager
async def _witnesses(policy: Policy | None) -> AsyncIterator[Cosigners]:
    """The witnesses of a policy; none without a policy."""
    if policy is None:
        yield NoWitnesses()
        return
    async with Witnesses(policy) as asked:
        yield asked
