"""Limiting guesses at codes: failed attempts of a partner are counted, and after too many it must wait.

A lock makes the attempts of one partner run one after the other, so parallel attempts cannot exceed the limit.
"""

from consent_registry.domain.errors import TooMany
from consent_registry.operations.runtime.commands import Command, new_id
from consent_registry.storage.clients.code_attempts import CodeKind, add_failure

# Enough for an office that mistypes, far too few to guess one code out of 2^55.
FAILURES_AN_HOUR: dict[CodeKind, int] = {"receipt_code": 20, "link_code": 5}
_WAIT_S = 3600


async def require_few_failures(command: Command, kind: CodeKind) -> None:
    """Raise TooMany if the caller tried too many wrong codes within an hour.

    Takes the exclusive lock of the caller's attempts first, so that each attempt sees the earlier ones.
    """
    network_id, partner_id = command.network.network_id, command.actor.partner_id
    steps = command.runtime.steps
    await steps.lock_attempts(command.connection, network_id, partner_id)
    if await steps.count_failures(command.connection, network_id, partner_id, kind) >= FAILURES_AN_HOUR[kind]:
        raise TooMany("Too many wrong codes within an hour.", retry_after=_WAIT_S)


async def count_failure(command: Command, kind: CodeKind) -> None:
    """Record that the caller tried a wrong code. The count must be committed, so the act returns its error and does not
    raise it.
    """
    now = await command.now()
    await add_failure(command.connection, command.network.network_id, command.actor.partner_id, kind, new_id(now), now)
