"""Opening a sealer's tools on an installation, inspecting how far logs are sealed, and adopting a checkpoint."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

from consent_registry.domain.errors import NotFound
from consent_registry.domain.identifiers import origin_fault
from consent_registry.operations.log import checkpoints
from consent_registry.operations.log.checkpoints import Cosigners, SealerTools, SealingState
from consent_registry.storage.database.database import open_pool, session
from consent_registry.storage.files.signed_heads import SignedHeads
from consent_registry.storage.files.unsealed_logs import read_unsealed
from consent_registry.storage.keys.log_keys import load_log_keys
from consent_registry.storage.log.checkpoints import NetworkLog, list_logs
from consent_registry.storage.start_checks import require_safe_for_sealing

# How many logs can be sealed at the same time; the leader's own connection is extra.
CONNECTIONS = 4


class LogState(msgspec.Struct, frozen=True):
    """How far a network's log is sealed, and the reason if it is not."""

    slug: str
    sealing: SealingState
    problem: str | None


@asynccontextmanager
async def opened_sealer_tools(
    dsn: str, state: Path, keys: Path, witnesses: AbstractAsyncContextManager[Cosigners]
) -> AsyncIterator[SealerTools]:
    """Open a sealer's tools for the length of a block: its login at `dsn`, its folder of signed heads in `state`, the
    key files and its witnesses. Raises Unusable for a login that has more rights than the sealer's role.
    """
    heads, log_keys = SignedHeads(state), load_log_keys(keys)
    await require_safe_for_sealing(dsn)
    pool = await open_pool(dsn, CONNECTIONS)
    try:
        async with witnesses as cosigners:
            yield SealerTools(pool, log_keys, heads, cosigners)
    finally:
        await pool.close()


async def inspect_logs(tools: SealerTools, dsn: str, state: Path) -> list[LogState]:
    """Compare every network's log with what was signed; nothing is written or signed."""
    reasons = read_unsealed(state)
    return [await _inspect(tools, log, reasons.get(log.slug)) for log in await _logs(dsn)]


async def _inspect(tools: SealerTools, log: NetworkLog, reason: str | None) -> LogState:
    sealing = await checkpoints.inspect(tools, log)
    fault = origin_fault(log.origin)
    unsealable = None if fault is None else f"not sealed: no note can carry the log's origin, which {fault}"
    unsealed = sealing.unsealed
    late = unsealed if reason is None or unsealed is None else f"{unsealed}: {reason}"
    return LogState(log.slug, sealing, unsealable or sealing.problem or late)


async def adopt_checkpoint(tools: SealerTools, dsn: str, slug: str, note: bytes) -> int:
    """Let a signer that has lost its disk go on from this checkpoint of a network's log; returns the checkpoint's size.
    Raises NotFound for an unknown network, and as `checkpoints.adopt`.
    """
    log = next((log for log in await _logs(dsn) if log.slug == slug), None)
    if log is None:
        raise NotFound(f"there is no network {slug!r}: name it with --network")
    return (await checkpoints.adopt(tools, log, note)).size


async def _logs(dsn: str) -> list[NetworkLog]:
    async with session(dsn) as connection:
        return await list_logs(connection)
