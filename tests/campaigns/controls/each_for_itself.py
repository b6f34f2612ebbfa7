"""A registry that looks a person up for each question of a batch: a thousand questions then tell a thousand times."""

from collections.abc import Sequence

from litestar.types import ASGIApp

from consent_registry.app import create_app as real_app
from consent_registry.operations.decisions import batch
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions import facts
from consent_registry.storage.decisions.client_locks import Asked
from consent_registry.storage.decisions.facts import Facts


async def load_facts(connection: Connection, network_id: int, asked: Sequence[Asked]) -> Facts:
    """Look the facts of each question up in a statement of its own."""
    if not asked:
        return await _real(connection, network_id, asked)
    each = [await _real(connection, network_id, [one]) for one in asked]
    return Facts(
        each[0].now,
        each[0].catalogue_version,
        [one.clients[0] for one in each],
        [one.grants[0] for one in each],
        [one.others[0] for one in each],
    )


def create_app() -> ASGIApp:
    """Return the real application with the repetition in it."""
    vars(batch)["load_facts"] = load_facts
    return real_app()


_real = facts.load_facts
