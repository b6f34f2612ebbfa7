"""`consent-registry keys`: make and list the key files, rotate keys, re-encrypt stored values, drop old keys."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from cyclopts import App, Parameter
from cyclopts.validators import Number

from consent_registry.cli.options import Flag
from consent_registry.operations.keys import key_folder
from consent_registry.operations.keys.key_folder import KeyState
from consent_registry.operations.keys.key_uses import KeyUse, count_key_uses
from consent_registry.operations.keys.reencryption import Reencrypted, reencrypt
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.installation import opened_runtime
from consent_registry.process.data_folder import CannotServe

T = TypeVar("T")
DATABASE_URL = "CONSENT_REGISTRY_DATABASE_URL"
MIGRATOR_URL = "CONSENT_REGISTRY_MIGRATOR_DATABASE_URL"
# Longer than a server needs to read a new key (a second) with clocks five seconds apart. For public keys also longer
# than others cache the key set (five minutes).
AFTER = {"digest": 15, "sealing": 15, "token": 600, "log": 600}
OVERLAP_DAYS = 7

keys = App(name="keys", help="Check or make the key files, rotate keys, drop old keys. It never shows a secret.")

KeyFileName = Literal["digest", "sealing", "token", "log"]
ActivationDelay = Annotated[int | None, Parameter(validator=Number(gte=2, lte=86400))]
OverlapDays = Annotated[float, Parameter(validator=Number(gte=0, lte=3650))]


@keys.default
def show(folder: Path, *, make: Flag = False) -> None:
    """Check the key files in a folder and list their keys. If CONSENT_REGISTRY_DATABASE_URL is set, also list how many
    stored values need each key.

    Parameters
    ----------
    folder
        The folder of the key files: CONSENT_REGISTRY_KEYS of `serve`.
    make
        Make the missing files. Keep a copy apart from the database's backup: without the keys it cannot be read.
    """
    now = datetime.now(UTC)
    if make:
        key_folder.make_missing_keys(folder, now)
    listed = key_folder.list_keys(folder, now)
    dsn = os.environ.get(DATABASE_URL)
    uses = _with_database(dsn, folder, count_key_uses) if dsn and not make else []
    print("\n".join(_lines(listed, uses, now)))


@keys.command
def rotate(
    folder: Path, *, name: KeyFileName, after: ActivationDelay = None, overlap_days: OverlapDays = OVERLAP_DAYS
) -> None:
    """Add a new key. Every server reads it at once and uses it for new values from its start time on.

    Parameters
    ----------
    folder
        The folder of the key files.
    name
        The key file.
    after
        Seconds until the new key is current. The default is 15 for digest and sealing, 600 for token and log.
    overlap_days
        How many days the earlier log key still signs checkpoints beside the new key. Use 0 if it leaked.
    """
    seconds = AFTER[name] if after is None else after
    overlap = timedelta(days=overlap_days)
    key_id, current_at = key_folder.add_key(folder, name, datetime.now(UTC), timedelta(seconds=seconds), overlap)
    print(f"{key_id} becomes current at {current_at:%Y-%m-%d %H:%M:%S} UTC")
    print(f"Servers that read {folder} follow automatically. Copy the file to other servers' folders before that time.")


@keys.command
def reseal(folder: Path) -> None:
    """Move stored values to the current sealing and digest keys, while the servers serve. Can be repeated.

    Needs the migrator's login in CONSENT_REGISTRY_MIGRATOR_DATABASE_URL: the application may not change a stored value.
    """
    done: Reencrypted = _with_database(_required(MIGRATOR_URL), folder, reencrypt)
    print(f"{done.moved} values moved to the current keys")
    if done.left:
        raise CannotServe(
            f"{done.left} values stay as they are: no key in {folder} opens them, or they are stored twice"
        )


@keys.command
def drop(folder: Path, key_id: str, *, name: KeyFileName, leaked: Flag = False) -> None:
    """Remove an earlier key from its file for ever, if nothing needs it any more.

    Parameters
    ----------
    folder
        The folder of the key files.
    key_id
        The key's id, as `keys` lists it.
    name
        The key's file.
    leaked
        Drop a token key although tokens signed with it have not expired. Their holders must sign in again.
    """
    now = datetime.now(UTC)
    uses = _with_database(_required(DATABASE_URL), folder, count_key_uses)
    if reason := key_folder.why_needed(folder, name, key_id, uses, now, leaked=leaked):
        raise CannotServe(f"{key_id} is still needed: {reason}")
    key_folder.drop_key(folder, name, key_id, now)
    print(f"{key_id} was removed from {folder / f'{name}.json'}; remove it from every copy")


def _lines(listed: list[KeyState], uses: list[KeyUse], now: datetime) -> list[str]:
    needed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for use in uses:
        needed[use.key_file, use.key_id].append(f"{use.number} {use.what}")
    lines = []
    for key in listed:
        made_with_it = ", ".join(needed.pop((key.key_file, key.key_id), []))
        words = [_state(key), _age(key, now), made_with_it]
        lines.append(f"{key.key_file:8} {key.key_id:12} {'; '.join(word for word in words if word)}")
    for (name, key_id), what in needed.items():
        lines.append(f"{name:8} {key_id:12} MISSING; {', '.join(what)}")
    return lines


def _state(key: KeyState) -> str:
    if key.is_current:
        return "current"
    return "earlier" if key.is_active else f"current from {key.active_from:%Y-%m-%d %H:%M:%S} UTC"


def _age(key: KeyState, now: datetime) -> str:
    return "" if key.made_at is None else f"made {key.made_at:%Y-%m-%d}, {(now - key.made_at).days} days ago"


def _required(name: str) -> str:
    if not os.environ.get(name):
        raise CannotServe(f"set {name}")
    return os.environ[name]


def _with_database(dsn: str, folder: Path, work: Callable[[Runtime], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened_runtime(dsn, folder) as runtime:
            return await work(runtime)

    return asyncio.run(run())
