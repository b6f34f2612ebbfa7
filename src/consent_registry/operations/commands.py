"""How an act happens: one transaction, locks in the order of the house, log last, answer kept for its key.

Order: idempotency key (tried, never waited for), catalogue, clients ascending, log (design.md section 5).
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.act_entries import entries_of, with_padding
from consent_registry.domain.catalogue import Catalogue, Network
from consent_registry.domain.errors import CannotRecord, Fault, KeyInUse, Refused, RegistryError
from consent_registry.domain.events import Event
from consent_registry.domain.identifiers import uuid7s
from consent_registry.operations.context import ADMINISTRATION, Caller, Runtime, require_standing
from consent_registry.operations.response_delay import evenly
from consent_registry.operations.turns import Kind
from consent_registry.storage.catalogue.catalogue import lock_catalogue
from consent_registry.storage.clients.clients import find_own_clients
from consent_registry.storage.consents.grants import read_clock
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.database.idempotency import add_answer, find_answers, try_lock_keys
from consent_registry.storage.keys.keyring import Keys
from consent_registry.storage.keys.sealed_places import place_of_answer, place_of_value
from consent_registry.storage.log import append as log

# How often an act begins anew because a client it is about was linked while it waited for that client's lock.
BEGINNINGS = 10

# How many times the constant for acts an answer takes: of an act on one consent or reference, whose work differs by the
# locks it takes; and of one that also reads or changes what is under all client numbers of the person.
EVEN = 1
EVEN_FOR_ALL_NUMBERS = 3


class LinkedMeanwhile(CannotRecord):
    """A client was linked while this waited for it. Nothing was recorded. Ask again shortly."""


class Once(msgspec.Struct, frozen=True):
    """A request that is to have one effect however often it is sent: digests of (partner, method, path, key) and of its
    body.
    """

    scope: bytes
    body_sha256: bytes

    @classmethod
    def of(cls, partner_id: int, method: str, path: str, key: str, body: bytes) -> "Once":
        """The one for this partner's request with this Idempotency-Key; another partner's same key is another one."""
        scope = hashlib.sha256(f"{partner_id}\0{method}\0{path}\0{key}".encode()).digest()
        return cls(scope, hashlib.sha256(body).digest())


class Done(msgspec.Struct, frozen=True):
    """What an act answers: status, value (encoded as JSON), where the new thing is, and the clients it is about (one
    number of each will do).
    """

    status: int
    value: object
    location: str | None = None
    client_ids: tuple[str, ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """An answer ready to leave; `replayed` when it was given before for the same key."""

    status: int
    body: bytes
    location: str | None = None
    replayed: bool = False


class Act:
    """A running act: its transaction, the catalogue as of it, who acts, and when it began (`now`)."""

    def __init__(
        self, runtime: Runtime, connection: Connection, caller: Caller, catalogue: Catalogue, now: datetime
    ) -> None:
        self.runtime = runtime
        self.now = now
        self.connection = connection
        self.caller = caller
        self.catalogue = catalogue
        # The keys as of the act's beginning: a value and the id of its key are from the same ones, whatever is rotated.
        self.keys = runtime.keys

    @property
    def network(self) -> Network:
        """The network this happens in."""
        return self.caller.network

    async def clock(self) -> datetime:
        """The database's time; asked after the locks are held."""
        return await read_clock(self.connection)

    def seal(self, column: str, row_id: str, value: str) -> bytes:
        """A free text of the caller's, for the caller alone to read again in this row's column (`table.column`)."""
        place = place_of_value(column, self.network.network_id, self.caller.partner_id, row_id)
        return self.keys.seal(value.encode(), place)

    async def append(self, at: datetime, *events: Event) -> list[log.LogPlace]:
        """Write the log: the last thing an act does.

        A client number that is not one of the caller's own references stays out of the bytes, which are exported: no
        two partners are to share an identifier of a client.
        """
        foreign = await self._foreign_numbers(events)
        told = [msgspec.structs.replace(one, client_unsaid=one.client_id in foreign) for one in events]
        return await log.append(self.connection, self.network, self.caller.actor, at, told)

    async def _foreign_numbers(self, events: Sequence[Event]) -> set[str]:
        """The client numbers of these events, as far as the caller is shown them, that are not the caller's own."""
        about = {one.client_id for one in events if one.client_id is not None and not one.without_actor}
        partner_id = self.caller.partner_id
        if partner_id == ADMINISTRATION or not about:
            return set()
        return about - await find_own_clients(self.connection, self.network.network_id, partner_id, sorted(about))

    async def append_padded(self, at: datetime, acting: Event, others: Sequence[Event] = ()) -> log.LogPlace:
        """Write an act's entry, those about client numbers its caller may not know, and padding, as many in all as acts
        of this kind write; returns where the act's own is. As `append`, the last thing an act does.
        """
        ids = new_ids(at, entries_of(acting.kind, acting.members))
        return (await self.append(at, *with_padding(acting, others, ids)))[0]


Work = Callable[[Act], Awaitable[Done | RegistryError]]


async def perform(
    runtime: Runtime,
    caller: Caller,
    work: Work,
    *,
    once: Once | None = None,
    exclusive: bool = False,
    even: int = 0,
    kind: Kind = "acts",
) -> Reply:
    """Run `work` in one transaction and answer after its commit; with `once`, the answer given before is given again.

    `even`: the work depends on what the caller may not know, such as how many others know the person, so the answer or
    error leaves after so many times the constant for acts. Only a lock that another act holds may make it later.

    `exclusive` holds the catalogue alone, `kind` says whether it is an act or a read. Work that returns an error
    instead of raising it has what it wrote committed before the error is raised: a failed attempt that must be counted.
    Work that raises LinkedMeanwhile begins anew, in a transaction of its own: locks are taken in order, so what is
    missing cannot be added to what is held.
    """
    async with runtime.turn(caller, "even acts" if even else kind):
        answering = _perform(runtime, caller, work, once=once, exclusive=exclusive)
        return await (evenly(even * runtime.even_acts, answering) if even else answering)


async def _perform(runtime: Runtime, caller: Caller, work: Work, *, once: Once | None, exclusive: bool) -> Reply:
    for _ in range(BEGINNINGS - 1):
        try:
            return await _perform_once(runtime, caller, work, once=once, exclusive=exclusive)
        except LinkedMeanwhile:
            continue
    return await _perform_once(runtime, caller, work, once=once, exclusive=exclusive)


async def _perform_once(runtime: Runtime, caller: Caller, work: Work, *, once: Once | None, exclusive: bool) -> Reply:
    network_id = caller.network.network_id
    async with transaction(runtime.pool, network_id, [caller.partner_id]) as connection:
        if once is not None and not (await try_lock_keys(connection, network_id, [once.scope]))[0]:
            raise KeyInUse(retry_after=1)
        await lock_catalogue(connection, network_id, exclusive=exclusive)
        catalogue = await runtime.catalogue(connection, caller.network)
        require_standing(caller, catalogue)
        if once is not None:
            answers = await find_answers(connection, network_id, [caller.partner_id], [once.scope])
            if once.scope in answers:
                return stored_reply(runtime.keys, caller, once, answers[once.scope])
        done = await work(Act(runtime, connection, caller, catalogue, await read_clock(connection)))
        if isinstance(done, Done):
            reply = Reply(done.status, msgspec.json.encode(done.value), done.location)
            if once is not None:
                await remember(connection, runtime.keys, caller, once, reply, done.client_ids)
    if isinstance(done, RegistryError):
        raise done
    return reply


def stored_reply(keys: Keys, caller: Caller, once: Once, stored: tuple[bytes, bytes]) -> Reply:
    """The reply given before, opened; raises Refused when the key came with another body then."""
    body_sha256, sealed = stored
    if body_sha256 != once.body_sha256:
        raise Refused(
            "This Idempotency-Key was used with another body.",
            faults=(
                Fault("", "The body differs from the first request with this Idempotency-Key.", "idempotency_key"),
            ),
        )
    status, location, body = msgspec.msgpack.decode(
        keys.unseal(sealed, _place(caller, once)), type=tuple[int, str | None, bytes]
    )
    return Reply(status, body, location, replayed=True)


async def remember(
    connection: Connection, keys: Keys, caller: Caller, once: Once, reply: Reply, client_ids: Sequence[str]
) -> None:
    """Keep a reply for the next request with its key, in the transaction it belongs to."""
    sealed = keys.seal(msgspec.msgpack.encode((reply.status, reply.location, reply.body)), _place(caller, once))
    await add_answer(
        connection,
        caller.network.network_id,
        caller.partner_id,
        once.scope,
        once.body_sha256,
        sealed,
        client_ids,
        await read_clock(connection),
    )


def _place(caller: Caller, once: Once) -> str:
    return place_of_answer(caller.network.network_id, caller.partner_id, once.scope, once.body_sha256)


def new_id(at: datetime) -> str:
    """A UUIDv7 of this moment."""
    return new_ids(at, 1)[0]


def new_ids(at: datetime, number: int) -> list[str]:
    """So many UUIDv7s of this moment, for one question to the source of randomness."""
    return uuid7s(at, secrets.token_bytes(10 * number))


def digest_of(ids: Sequence[str]) -> str:
    """SHA-256 (hex) over a list of ids, one a line: says what was shown without showing it again."""
    return hashlib.sha256("".join(f"{one}\n" for one in ids).encode()).hexdigest()
