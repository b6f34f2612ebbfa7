"""The sealer: the leader among its processes brings every network's checkpoint up to date four times a second.

Decisions do not need it: when it stops, loses its connection or refuses to sign, decisions go on and their leaves wait.
It must never sign two histories. That is ensured by compare and swap for each network (checkpoints.py); the lock that
elects a leader only saves a second sealer from useless work.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from consent_registry.domain.errors import CannotRecord, RegistryError, Unusable
from consent_registry.operations.log.checkpoints import HistoryChanged, SealerTools, seal
from consent_registry.operations.log.witnesses import BelowQuorum
from consent_registry.operations.runtime.reasons import reason_of
from consent_registry.storage.database.database import Connection, session, transaction
from consent_registry.storage.files.signed_heads import HeadMoved
from consent_registry.storage.files.unsealed_logs import read_unsealed, write_unsealed
from consent_registry.storage.keys.log_keys import load_log_keys
from consent_registry.storage.log.checkpoints import NetworkLog, list_logs, thin_checkpoints, try_to_lead
from consent_registry.tlog.refusal import TlogRefused

# Seconds between two looks at all logs; a checkpoint is at most 1 s behind.
PERIOD = 0.25
# Seconds after which a checkpoint is signed and cosigned again without new leaves, so that readers see it is fresh.
AGAIN_AFTER = 600.0
# Seconds until the next attempt: of a sealer that does not lead, after a failure, after a refusal to sign.
STANDBY, PATIENCE, HALT = 1.0, 1.0, 10.0
# Seconds between two looks at the key files, and between two thinnings of the checkpoints.
KEYS_EVERY, THIN_EVERY = 1.0, 3600.0
# Seconds that the last round may take after the signal to stop.
LAST_ROUND = 3.0

_log = structlog.get_logger(__name__)


class _LogProgress(msgspec.Struct):
    """The leader's work on one log: the size it published and when, the time before which it does not try again, and
    the running task.
    """

    size: int = -1
    published_at: float = float("-inf")
    not_before: float = float("-inf")
    task: asyncio.Task[None] | None = None

    def is_due(self, log: NetworkLog, now: float) -> bool:
        """Whether the log must be sealed, or its checkpoint signed again, now."""
        idle = self.task is None or self.task.done()
        return idle and now >= self.not_before and (log.size != self.size or now - self.published_at >= AGAIN_AFTER)


class Sealer:
    """Seals every network's log while it is the leader among the sealers. `clock` counts seconds and never jumps."""

    def __init__(self, dsn: str, keys: Path, tools: SealerTools, clock: Callable[[], float]) -> None:
        self._dsn = dsn
        self._keys = keys
        self._tools = tools
        self._clock = clock
        self._progress: dict[int, _LogProgress] = {}
        self._reasons = read_unsealed(tools.heads.folder)
        self._keys_at = self._thinned_at = clock()

    async def run(self, stop: asyncio.Event) -> None:
        """Lead whenever no other sealer does, until `stop`; then seal once more."""
        while not stop.is_set():
            try:
                async with session(self._dsn) as connection:
                    if await self._elected(connection, stop):
                        await self._lead(connection, stop)
            except RegistryError as error:
                _log.warning("the sealer lost its connection", reason=error.detail)
                await _rest(stop, PATIENCE)

    async def _elected(self, connection: Connection, stop: asyncio.Event) -> bool:
        while not await try_to_lead(connection):
            await _rest(stop, STANDBY)
            if stop.is_set():
                return False
        _log.info("this sealer leads")
        return True

    async def _lead(self, connection: Connection, stop: asyncio.Event) -> None:
        self._progress = {}  # another sealer may have led meanwhile
        try:
            while not stop.is_set():
                await self._look(connection)
                await _rest(stop, PERIOD)
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_ROUND):
                    await self._finish(connection)
        finally:
            for progress in self._progress.values():
                if progress.task is not None:
                    progress.task.cancel()
            await asyncio.gather(*self._tasks(), return_exceptions=True)

    async def _look(self, connection: Connection) -> None:
        """Start a task for each log that is due: a witness that is slow for one log does not delay the others."""
        self._follow_keys()
        for log in await list_logs(connection):
            progress = self._progress.setdefault(log.network_id, _LogProgress())
            if progress.is_due(log, self._clock()):
                progress.task = asyncio.create_task(self._seal(progress, log))
        if self._clock() - self._thinned_at >= THIN_EVERY:
            self._thinned_at = self._clock()
            await self._thin(await list_logs(connection))

    async def _finish(self, connection: Connection) -> None:
        """Wait for the tasks under way, then seal the leaves added since."""
        await asyncio.gather(*self._tasks())
        await self._look(connection)
        await asyncio.gather(*self._tasks())

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [progress.task for progress in self._progress.values() if progress.task is not None]

    async def _seal(self, progress: _LogProgress, log: NetworkLog) -> None:
        again = progress.size == log.size
        try:
            sealed = await seal(self._tools, log, again=again)
        except HeadMoved:
            _log.warning("another sealer signed in between", network=log.slug)
            progress.not_before = self._clock() + STANDBY
        except Exception as error:  # noqa: BLE001 - logged; the other logs are still sealed
            progress.not_before = self._clock() + self._put_off(log, error)
        else:
            self._note(log, None)
            progress.size = sealed.size
            # The database's clock may have been set, so the age is limited to what is possible.
            progress.published_at = self._clock() - min(max(sealed.age, 0.0), AGAIN_AFTER)

    def _put_off(self, log: NetworkLog, error: Exception) -> float:
        """Log and store why a log is not sealed; returns the seconds until the next attempt."""
        reason = reason_of(error)
        self._note(log, reason)
        if isinstance(error, HistoryChanged | Unusable):
            _log.error("SEALING IS HALTED: nothing is signed", network=log.slug, reason=reason)
            return HALT
        if isinstance(error, TlogRefused):
            _log.error("SEALING IS IMPOSSIBLE: no note can carry this log", network=log.slug, reason=reason)
            return HALT
        if isinstance(error, BelowQuorum):
            _log.error("not published: too few witnesses", network=log.slug, reason=reason)
            return PATIENCE
        if isinstance(error, RegistryError):
            _log.warning("sealing is put off", network=log.slug, reason=reason)
            return PATIENCE
        _log.error("sealing failed", network=log.slug, exc_info=error)
        return HALT

    def _note(self, log: NetworkLog, reason: str | None) -> None:
        """Write the reasons to the sealer's folder when one changed; servers and `seal --status` read them there."""
        reasons = {slug: why for slug, why in self._reasons.items() if slug != log.slug}
        if reason is not None:
            reasons[log.slug] = reason
        if reasons != self._reasons:
            self._reasons = reasons
            write_unsealed(self._tools.heads.folder, reasons)

    def _follow_keys(self) -> None:
        """Load the key files again: files may have changed, and keys may have become active or ended."""
        if self._clock() - self._keys_at < KEYS_EVERY:
            return
        self._keys_at = self._clock()
        try:
            self._tools = msgspec.structs.replace(self._tools, keys=load_log_keys(self._keys))
        except (Unusable, OSError) as error:
            _log.error("the log's keys cannot be read; those read before are used", reason=str(error))

    async def _thin(self, logs: list[NetworkLog]) -> None:
        for log in logs:
            with suppress(CannotRecord):  # the next hour will do
                async with transaction(self._tools.pool, log.network_id, ()) as connection:
                    await thin_checkpoints(connection, log.network_id)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
