"""A registry that looks up the person for each question of a batch, so that a thousand questions multiply the time
difference (the timing test finds it).
"""

from collections.abc import Sequence
from functools import partial

from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions import facts
from consent_registry.storage.decisions.client_locks import FactsQuery
from consent_registry.storage.decisions.facts import Facts


async def load_facts(connection: Connection, network_id: int, queries: Sequence[FactsQuery]) -> Facts:
    """Look the facts of each question up in a statement of its own."""
    if not queries:
        return await _real(connection, network_id, queries)
    each = [await _real(connection, network_id, [query]) for query in queries]
    return Facts(each[0].now, each[0].catalogue_version, [facts.questions[0] for facts in each])


def create_app() -> ASGIApp:
    """Return the real application with the repetition in it."""
    return real_app(make_runtime=partial(Runtime, steps=Steps(load_facts=load_facts)))


_real = facts.load_facts
