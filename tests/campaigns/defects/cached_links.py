"""A registry that caches for 200 ms which client a reference means, and its grants (the campaign of links finds it)."""

import time
from collections.abc import Sequence
from functools import partial

from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions import client_locks
from consent_registry.storage.decisions import facts as decisions
from consent_registry.storage.decisions.client_locks import FactsQuery, ResolvedClient
from consent_registry.storage.decisions.facts import Facts, QuestionFacts

KEPT_S = 0.2

_kept: dict[tuple[int, FactsQuery], tuple[float, QuestionFacts]] = {}


def _remembered(network_id: int, query: FactsQuery) -> QuestionFacts | None:
    at, known = _kept.get((network_id, query), (0.0, None))
    return known if time.monotonic() - at < KEPT_S else None


async def lock_clients(
    connection: Connection, network_id: int, queries: Sequence[FactsQuery]
) -> list[tuple[ResolvedClient, bool]]:
    """Lock as usual, but believe what was found a moment ago."""
    found = await _real_lock(connection, network_id, queries)
    remembered = [_remembered(network_id, query) for query in queries]
    return [
        (client if old is None else old.client, held or old is not None)
        for (client, held), old in zip(found, remembered, strict=True)
    ]


async def load_facts(connection: Connection, network_id: int, queries: Sequence[FactsQuery]) -> Facts:
    """Return fresh facts for questions not asked lately and remembered ones for the others."""
    facts = await _real_facts(connection, network_id, queries)
    for number, query in enumerate(queries):
        old = _remembered(network_id, query)
        if old is None:
            _kept[network_id, query] = (time.monotonic(), facts.questions[number])
        else:
            facts.questions[number] = old
    return facts


def create_app() -> ASGIApp:
    """Return the real application with the memory in it."""
    steps = Steps(lock_clients=lock_clients, load_facts=load_facts)
    return real_app(make_runtime=partial(Runtime, steps=steps))


_real_lock, _real_facts = client_locks.lock_clients, decisions.load_facts
