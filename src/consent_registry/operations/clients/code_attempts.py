"""Guessing at codes: a partner's failed attempts are counted, and after too many it has to wait.

Attempts of one partner happen one after the other, so that many at once are no way around the count.
"""

from consent_registry.domain.errors import TooMany
from consent_registry.operations.running.commands import Command, new_id
from consent_registry.storage.clients.code_attempts import CodeKind, add_failure, count_failures, lock_attempts

# Enough for an office that mistypes, far too little to guess one of 2^55.
FAILURES_AN_HOUR: dict[CodeKind, int] = {"receipt_code": 20, "link_code": 5}
_WAIT_S = 3600


async def require_few_failures(command: Command, kind: CodeKind) -> None:
    """Hold the caller's attempts alone until the act ends; raises TooMany after too many failures within an hour."""
    network_id, partner_id = command.network.network_id, command.actor.partner_id
    await lock_attempts(command.connection, network_id, partner_id)
    if await count_failures(command.connection, network_id, partner_id, kind) >= FAILURES_AN_HOUR[kind]:
        raise TooMany("Too many wrong codes within an hour.", retry_after=_WAIT_S)


async def count_failure(command: Command, kind: CodeKind) -> None:
    """Count a failed attempt. The act must commit: return the error to `perform`, do not raise it."""
    now = await command.now()
    await add_failure(command.connection, command.network.network_id, command.actor.partner_id, kind, new_id(now), now)
