"""How a command runs: one transaction, locks in a fixed order, the log last, the result kept for its idempotency key.

Lock order: idempotency key (tried, never waited for), catalogue, clients ascending, log (docs/design/locks.md).
"""

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

from consent_registry.domain.catalogue import Catalogue, Network
from consent_registry.domain.errors import CannotRecord, KeyInUse, RegistryError
from consent_registry.domain.events.event import Event
from consent_registry.domain.identifiers import uuid7s
from consent_registry.operations.runtime.actors import ADMINISTRATION, Actor, operator, require_standing
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import (
    CommandResult,
    IdempotencyKey,
    StoredShape,
    WorkResult,
    keep_result,
    kept_result,
)
from consent_registry.operations.runtime.turns import TurnKind
from consent_registry.storage.catalogue.catalogue import lock_catalogue
from consent_registry.storage.consents.grants import read_clock
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.database.idempotency import find_answers, try_lock_keys
from consent_registry.storage.keys.associated_data import associated_data_of_text
from consent_registry.storage.log import append as log

# How often a command is begun, at most: a client may be linked while the command waits for that client's lock.
BEGINNINGS = 10

# The response time of a command that must not show what it found, in multiples of the configured constant. The first is
# for a command on one consent or reference: its work differs by the locks it takes. The second is for a command that
# also reads or changes what is recorded under all client ids of the person.
CONSTANT_TIME = 1
CONSTANT_TIME_FOR_ALL_NUMBERS = 3

T = TypeVar("T")


class LinkedMeanwhile(CannotRecord):
    """A client was linked while this waited for it. Nothing was recorded. Ask again shortly."""


class OperatorCommand:
    """A running transaction of an actor, with one time for all that it writes."""

    def __init__(self, connection: Connection, actor: Actor) -> None:
        self.connection = connection
        self.actor = actor
        self._now: datetime | None = None

    @property
    def network(self) -> Network:
        """The network of the actor."""
        return self.actor.network

    async def now(self) -> datetime:
        """The command's single time, read from the database's clock. The first call reads it, and must come after the
        command's locks: a withdrawal that waited for a client's lock is then not older than the decision that held it.
        """
        if self._now is None:
            self._now = await read_clock(self.connection)
        return self._now

    async def append(self, *events: Event) -> list[log.LogPlace]:
        """Append events to the log. Do this last: the log's lock is held until COMMIT."""
        return await log.append(self.connection, self.network, self.actor.log_name, await self.now(), events)


class Command(OperatorCommand):
    """A running command of a partner or of the administration, with the catalogue as of its transaction."""

    def __init__(self, runtime: Runtime, connection: Connection, actor: Actor, catalogue: Catalogue) -> None:
        super().__init__(connection, actor)
        self.runtime = runtime
        self.catalogue = catalogue
        # The keys as of the command's beginning: if they rotate meanwhile, a value still has the id of its own key.
        self.keys = runtime.keys

    @property
    def regime(self) -> str | None:
        """The data-protection regime of the partner that acts; None for the network's administration."""
        partner = self.catalogue.partner_by_id.get(self.actor.partner_id)
        return None if partner is None else partner.regime

    def encrypt(self, column: str, row_id: str, value: str) -> bytes:
        """Encrypt the actor's free text for this row's column (`table.column`); only the actor may read it."""
        bound_to = associated_data_of_text(column, self.network.network_id, self.actor.partner_id, row_id)
        return self.keys.encrypt(value.encode(), bound_to)

    async def append(self, *events: Event) -> list[log.LogPlace]:
        """Append events to the log. Do this last: the log's lock is held until COMMIT.

        The bytes of an event are exported. They name a client id only if it belongs to one of the actor's own
        references: two partners must never share an identifier of a client.
        """
        foreign = await self._foreign_numbers(events)
        name, now = self.actor.log_name, await self.now()
        return await log.append(self.connection, self.network, name, now, events, foreign)

    async def _foreign_numbers(self, events: Sequence[Event]) -> set[str]:
        """The client ids in events with an actor that do not belong to this actor's own references."""
        about = {event.client for event in events if event.client is not None and event.actor is not None}
        if self.actor.is_administration or not about:
            return set()
        asked = (self.network.network_id, self.actor.partner_id, sorted(about))
        return about - await self.runtime.steps.find_own_clients(self.connection, *asked)

    async def append_padded(self, acting: Event, others: Sequence[Event] = ()) -> log.LogPlace:
        """Append the command's own event, `others` about client ids that its actor may not know, and padding; returns
        the place of the own event. Every command of this kind writes the same number of events. Do this last.
        """
        ids = new_ids(await self.now(), acting.entries())
        return (await self.append(*self.runtime.steps.with_padding(acting, others, ids)))[0]


@asynccontextmanager
async def administering(
    runtime: Runtime, network: Network, *, exclusive: bool = False
) -> AsyncIterator[OperatorCommand]:
    """Run a block as an operator's command; it commits when the block ends without an error.

    The transaction acts as the network's administration and holds the catalogue lock, `exclusive` for a change of the
    catalogue. Raises CannotRecord and OutcomeUnknown as `transaction` does.
    """
    async with transaction(runtime.pool, network.network_id, [ADMINISTRATION]) as connection:
        await lock_catalogue(connection, network.network_id, exclusive=exclusive)
        yield OperatorCommand(connection, operator(network))


Work = Callable[[Command], Awaitable[WorkResult[T] | RegistryError]]


async def run_command(
    runtime: Runtime,
    actor: Actor,
    work: Work[T],
    *,
    idempotency_key: IdempotencyKey | None = None,
    shape: StoredShape[T] | None = None,
    exclusive: bool = False,
    constant_time: int = 0,
    kind: TurnKind = "commands",
    may_be_suspended: bool = False,
) -> CommandResult[T]:
    """Run `work` in one transaction and return its result after the commit.

    With an `idempotency_key`, a result kept for this key is returned again; a new one is kept in this `shape`.

    `constant_time`: the work depends on what the actor may not know, such as how many others know the person. The
    answer or error is sent after so many times the configured constant. Only a lock of another command may delay it.

    `exclusive` takes the catalogue lock exclusively; `kind` is what the turn is counted as; `may_be_suspended` is that
    of `require_standing`. When the work returns an error instead of raising it, its writes are committed before the
    error is raised, so that a failed attempt is counted. When it raises LinkedMeanwhile, it begins again in a new
    transaction: locks are taken in order, so a missing lock cannot be added to those already held.
    """
    async with runtime.turn(actor, "constant-time commands" if constant_time else kind):
        run_once = _run_once(work, idempotency_key, shape, exclusive=exclusive, may_be_suspended=may_be_suspended)
        answering = _run(runtime, actor, run_once)
        if not constant_time:
            return await answering
        return await runtime.steps.respond_after(constant_time * runtime.constant_time_seconds, answering)


async def run_query(runtime: Runtime, actor: Actor, work: Callable[[Command], Awaitable[T]]) -> T:
    """Run `work` in one transaction and return its value after the commit. It only reads, and may log what it shows."""

    async def query(command: Command) -> WorkResult[T]:
        return WorkResult(await work(command))

    return (await run_command(runtime, actor, query, kind="reads")).value


async def _run(
    runtime: Runtime, actor: Actor, run_once: Callable[[Runtime, Actor], Awaitable[CommandResult[T]]]
) -> CommandResult[T]:
    for _ in range(BEGINNINGS - 1):
        try:
            return await run_once(runtime, actor)
        except LinkedMeanwhile:
            continue
    return await run_once(runtime, actor)


def _run_once(
    work: Work[T],
    idempotency_key: IdempotencyKey | None,
    shape: StoredShape[T] | None,
    *,
    exclusive: bool,
    may_be_suspended: bool,
) -> Callable[[Runtime, Actor], Awaitable[CommandResult[T]]]:
    """A function that runs the command's transaction; it may be called several times."""

    async def run_once(runtime: Runtime, actor: Actor) -> CommandResult[T]:
        network_id = actor.network.network_id
        async with transaction(runtime.pool, network_id, [actor.partner_id]) as connection:
            if idempotency_key and not (await try_lock_keys(connection, network_id, [idempotency_key.scope]))[0]:
                raise KeyInUse(retry_after=1)
            await lock_catalogue(connection, network_id, exclusive=exclusive)
            catalogue = await runtime.catalogue(connection, actor.network)
            require_standing(actor, catalogue, may_be_suspended=may_be_suspended)
            if idempotency_key and shape:
                answers = await find_answers(connection, network_id, [actor.partner_id], [idempotency_key.scope])
                if stored := answers.get(idempotency_key.scope):
                    return kept_result(runtime.keys, actor, idempotency_key, shape, stored)
            command = Command(runtime, connection, actor, catalogue)
            result = await work(command)
            if isinstance(result, WorkResult) and idempotency_key and shape:
                now = await command.now()
                await keep_result(connection, runtime.keys, actor, idempotency_key, shape, result, now)
        if isinstance(result, RegistryError):
            raise result
        return CommandResult(result.value, result.is_new)

    return run_once


def new_id(at: datetime) -> str:
    """Make a UUIDv7 with this time."""
    return new_ids(at, 1)[0]


def new_ids(at: datetime, number: int) -> list[str]:
    """Make `number` UUIDv7s with this time, from one call for random bytes."""
    return uuid7s(at, secrets.token_bytes(10 * number))


def digest_of(ids: Sequence[str]) -> str:
    """SHA-256 (hex) over a list of ids, one per line. It records what was shown without showing it again."""
    return hashlib.sha256("".join(f"{shown_id}\n" for shown_id in ids).encode()).hexdigest()
