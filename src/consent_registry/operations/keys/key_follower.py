"""Following the key files while serving: a process loads changed files, and each network's log names every new key.

A new key is in the files before it is current (storage/files/key_files.py). A process reads them twice a second, so it
has the key before any process uses it. Unusable files are logged as an error, and the loaded keys stay in use.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog
from msgspec import UNSET

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import RegistryError, Unusable
from consent_registry.domain.events.keys import KeyRotationEvent
from consent_registry.domain.instants import format_instant
from consent_registry.operations.runtime.commands import administering, new_id
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.files.key_files import FILES, FileMarks, SecretKey, key_file_marks
from consent_registry.storage.keys.key_rotations import add_key_rotation
from consent_registry.storage.keys.keyring import Keys, load_keys

PERIOD = 0.5

_log = structlog.get_logger(__name__)


class KeyFollower:
    """Keeps a process's keys equal to its key files, and records new keys in the logs."""

    def __init__(self, runtime: Runtime, directory: Path) -> None:
        self._runtime = runtime
        self._directory = directory
        self._marks: FileMarks | None = None
        self._announced: frozenset[tuple[str, str]] = frozenset()

    async def run(self, period: float = PERIOD) -> None:
        """Refresh the keys and announce new ones every `period` seconds until cancelled."""
        while True:
            try:
                self.refresh(datetime.now(UTC))
                await self.announce()
            except RegistryError as error:
                _log.warning("key rotation not logged yet", reason=error.detail)
            except Exception:  # noqa: BLE001 - a process that stopped following would fail at the next rotation
                _log.exception("following the key files failed")
            await asyncio.sleep(period)

    def refresh(self, now: datetime) -> None:
        """Load the keys if the files changed or a key's time has come; running commands keep their keys."""
        marks = key_file_marks(self._directory)
        keys = self._runtime.keys
        if marks != self._marks:
            # The marks are kept before reading: a change during reading is then seen as another change.
            self._marks = marks
            try:
                fresh = load_keys(self._directory, now)
                _require_successor(keys, fresh)
            except (Unusable, OSError) as error:
                _log.error("key files refused, the keys at hand stay in use", reason=str(error))
            else:
                self._take(fresh)
        elif keys.changes_at is not None and keys.changes_at <= now:
            self._take(keys.as_of(now))

    def _take(self, fresh: Keys) -> None:
        before, self._runtime.keys = self._runtime.keys, fresh
        for name in FILES:
            if before.ids(name) != fresh.ids(name):
                _log.info("keys changed", file=name, current=fresh.ids(name)[0], known=fresh.ids(name)[1:])

    async def announce(self) -> None:
        """Record every successor key once in the log of every network; the first process to do so writes the event.

        The event is written when the key is published, before it signs: checkpoints of the former key cover it.
        """
        keys = self._runtime.keys
        successors = [(name, key, former) for name in FILES for key, former in keys.successions(name)]
        ids = frozenset((name, key.id) for name, key, _ in successors)
        if ids <= self._announced:
            return
        for network in await self._runtime.networks():
            await _announce(self._runtime, network, keys, successors)
        self._announced = ids


def _require_successor(keys: Keys, fresh: Keys) -> None:
    """Raise Unusable for key files that lack a key in use: values made with it could not be read."""
    for name in FILES:
        current = keys.of(name)[0]
        found = {key.id: key.secret for key in fresh.of(name)}
        if current.id not in found:
            raise Unusable(f"key {current.id} is in use and missing from {name}.json")
        if found[current.id] != current.secret:
            raise Unusable(f"key {current.id} has another secret in {name}.json than in use")


async def _announce(
    runtime: Runtime, network: Network, keys: Keys, successors: list[tuple[str, SecretKey, SecretKey]]
) -> None:
    async with administering(runtime, network) as command:
        now = await command.now()
        events = []
        for name, key, former in successors:
            if await add_key_rotation(command.connection, network.network_id, name, key.id, now):
                events.append(_event(new_id(now), _vkeys(keys, network, name), name, key, former))
        if events:
            await command.append(*events)


def _vkeys(keys: Keys, network: Network, name: str) -> Mapping[str, str]:
    """The verifier keys (C2SP) of log keys by their ids; keys of other files have none."""
    return keys.log_vkeys_by_id(network.log_origin) if name == "log" else {}


def _event(event_id: str, vkeys: Mapping[str, str], name: str, key: SecretKey, former: SecretKey) -> KeyRotationEvent:
    """The event for a successor key: its id and from when it is active; for a log key also both verifier keys."""
    return KeyRotationEvent(
        id=event_id,
        step="published",
        file=name,
        key=key.id,
        former_key=former.id,
        active_from=UNSET if key.active_from is None else format_instant(key.active_from.astimezone(UTC)),
        vkey=vkeys.get(key.id, UNSET),
        former_vkey=vkeys.get(former.id, UNSET),
    )
