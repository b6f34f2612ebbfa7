"""A registry that caches the facts of a decision: for 50 ms, which the freshness campaign must find, or for as long as
the model's state machine needs to come back to a client.
"""

import time
from collections.abc import Sequence
from functools import partial

from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions import facts as decisions
from consent_registry.storage.decisions.client_locks import FactsQuery
from consent_registry.storage.decisions.facts import Facts, QuestionFacts

SHORT_S, LONG_S = 0.05, 10.0

_kept_s = SHORT_S
_kept: dict[tuple[int, FactsQuery], tuple[float, QuestionFacts]] = {}


async def load_facts(connection: Connection, network_id: int, queries: Sequence[FactsQuery]) -> Facts:
    """Return fresh facts for questions not asked lately and remembered ones for the others."""
    facts = await _real(connection, network_id, queries)
    now = time.monotonic()
    for number, query in enumerate(queries):
        at, known = _kept.setdefault((network_id, query), (now, facts.questions[number]))
        if now - at < _kept_s:
            facts.questions[number] = known
        else:
            _kept[network_id, query] = (now, facts.questions[number])
    return facts


def create_app() -> ASGIApp:
    """Return the real application with the cache in it."""
    return real_app(make_runtime=partial(Runtime, steps=Steps(load_facts=load_facts)))


def create_app_with_a_long_memory() -> ASGIApp:
    """Return the real application with a cache that keeps for seconds."""
    global _kept_s  # noqa: PLW0603 - one process, one application
    _kept_s = LONG_S
    return create_app()


_real = decisions.load_facts
