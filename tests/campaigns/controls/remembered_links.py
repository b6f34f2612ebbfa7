"""A registry that remembers for 200 ms whom a reference means, and its grants: the campaign of links must see it."""

import time
from collections.abc import Sequence

from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.domain.grants import Grant
from consent_registry.operations.decisions import batch
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions import client_locks
from consent_registry.storage.decisions import facts as decisions
from consent_registry.storage.decisions.client_locks import NOBODY, Asked, Whose
from consent_registry.storage.decisions.facts import Facts

KEPT_S = 0.2

_kept: dict[tuple[int, Asked], tuple[float, Whose, list[Grant]]] = {}


def _remembered(network_id: int, one: Asked) -> tuple[Whose, list[Grant]] | None:
    at, whose, grants = _kept.get((network_id, one), (0.0, NOBODY, []))
    return (whose, grants) if time.monotonic() - at < KEPT_S else None


async def lock_clients(connection: Connection, network_id: int, asked: Sequence[Asked]) -> list[tuple[Whose, bool]]:
    """Lock as usual, but believe what was found a moment ago."""
    found = await _real_lock(connection, network_id, asked)
    remembered = [_remembered(network_id, one) for one in asked]
    return [
        (whose if old is None else old[0], held or old is not None)
        for (whose, held), old in zip(found, remembered, strict=True)
    ]


async def load_facts(connection: Connection, network_id: int, asked: Sequence[Asked]) -> Facts:
    """Return fresh facts for questions not asked lately and remembered ones for the others."""
    facts = await _real_facts(connection, network_id, asked)
    for number, one in enumerate(asked):
        old = _remembered(network_id, one)
        if old is None:
            _kept[network_id, one] = (time.monotonic(), facts.clients[number], facts.grants[number])
        else:
            facts.clients[number], facts.grants[number] = old
    return facts


def create_app() -> ASGIApp:
    """Return the real application with the memory in it."""
    vars(batch).update(lock_clients=lock_clients, load_facts=load_facts)
    return real_app()


_real_lock, _real_facts = client_locks.lock_clients, decisions.load_facts
