"""How an act happens: one transaction, locks in the order of the house, log last, answer kept for its key.

Order: idempotency key (tried, never waited for), catalogue, clients ascending, log (docs/design/locks.md).
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

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


T = TypeVar("T")


class Done(msgspec.Struct, Generic[T], frozen=True):
    """What work comes to: its value, the clients it is about (one number of each will do), and whether the thing that
    the value shows is new.
    """

    value: T
    client_ids: tuple[str, ...] = ()
    is_new: bool = True


class Performed(msgspec.Struct, Generic[T], frozen=True):
    """What an act returns: its value, whether the thing is new, and whether this was returned before for its key."""

    value: T
    is_new: bool = True
    is_replayed: bool = False


class Shape(msgspec.Struct, Generic[T], frozen=True):
    """What is kept of an outcome for the next request with its key: a value of this type, under a name and a version.

    A kept value is rendered again as it was rendered first. So a type that stands here is only added to behind a new
    version, with the old type beside it; `tests/samples/kept.json` has one of each.
    """

    name: str
    version: int
    type: type[T]

    def by(self, once: Once | None) -> "Keeping[T]":
        """Keep an outcome of this shape for the next request with this key, nothing for one without."""
        return Keeping(once, self)


class Act:
    """A running act: its transaction, the catalogue as of it, who acts, and its one time."""

    def __init__(self, runtime: Runtime, connection: Connection, caller: Caller, catalogue: Catalogue) -> None:
        self.runtime = runtime
        self._now: datetime | None = None
        self.connection = connection
        self.caller = caller
        self.catalogue = catalogue
        # The keys as of the act's beginning: a value and the id of its key are from the same ones, whatever is rotated.
        self.keys = runtime.keys

    @property
    def network(self) -> Network:
        """The network this happens in."""
        return self.caller.network

    async def now(self) -> datetime:
        """The act's time, the database's: one for all that it writes. It is read when it is first asked for, which is
        after the act's locks: a withdrawal that waited for a client is not older than the decision it waited for.
        """
        if self._now is None:
            self._now = await read_clock(self.connection)
        return self._now

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


Work = Callable[[Act], Awaitable[Done[T] | RegistryError]]


class Keeping(msgspec.Struct, Generic[T], frozen=True):
    """By what a request is known again, None for one without a key, and how its outcome is kept."""

    once: Once | None
    shape: Shape[T]


async def perform(
    runtime: Runtime,
    caller: Caller,
    work: Work[T],
    *,
    keeping: Keeping[T] | None = None,
    exclusive: bool = False,
    even: int = 0,
    kind: Kind = "acts",
) -> Performed[T]:
    """Run `work` in one transaction and return after its commit; what was kept for the same key is returned again.

    `even`: the work depends on what the caller may not know, such as how many others know the person, so the answer or
    error leaves after so many times the constant for acts. Only a lock that another act holds may make it later.

    `exclusive` holds the catalogue alone, `kind` says whether it is an act or a read. Work that returns an error
    instead of raising it has what it wrote committed before the error is raised: a failed attempt that must be counted.
    Work that raises LinkedMeanwhile begins anew, in a transaction of its own: locks are taken in order, so what is
    missing cannot be added to what is held.
    """
    async with runtime.turn(caller, "even acts" if even else kind):
        answering = _perform(runtime, caller, work, keeping=keeping, exclusive=exclusive)
        return await (evenly(even * runtime.even_acts, answering) if even else answering)


async def look_up(runtime: Runtime, caller: Caller, work: Callable[[Act], Awaitable[T]]) -> T:
    """Run `work`, which changes nothing and may log what was shown, in one transaction; its value after the commit."""

    async def done(act: Act) -> Done[T]:
        return Done(await work(act))

    return (await perform(runtime, caller, done, kind="reads")).value


async def _perform(
    runtime: Runtime, caller: Caller, work: Work[T], *, keeping: Keeping[T] | None, exclusive: bool
) -> Performed[T]:
    for _ in range(BEGINNINGS - 1):
        try:
            return await _perform_once(runtime, caller, work, keeping=keeping, exclusive=exclusive)
        except LinkedMeanwhile:
            continue
    return await _perform_once(runtime, caller, work, keeping=keeping, exclusive=exclusive)


async def _perform_once(
    runtime: Runtime, caller: Caller, work: Work[T], *, keeping: Keeping[T] | None, exclusive: bool
) -> Performed[T]:
    once = None if keeping is None else keeping.once
    network_id = caller.network.network_id
    async with transaction(runtime.pool, network_id, [caller.partner_id]) as connection:
        if once is not None and not (await try_lock_keys(connection, network_id, [once.scope]))[0]:
            raise KeyInUse(retry_after=1)
        await lock_catalogue(connection, network_id, exclusive=exclusive)
        catalogue = await runtime.catalogue(connection, caller.network)
        require_standing(caller, catalogue)
        if keeping is not None and once is not None:
            answers = await find_answers(connection, network_id, [caller.partner_id], [once.scope])
            if once.scope in answers:
                return kept_outcome(runtime.keys, caller, once, keeping.shape, answers[once.scope])
        act = Act(runtime, connection, caller, catalogue)
        done = await work(act)
        if isinstance(done, Done) and keeping is not None and once is not None:
            await keep(connection, runtime.keys, caller, once, keeping.shape, done, await act.now())
    if isinstance(done, RegistryError):
        raise done
    return Performed(done.value, done.is_new)


def kept_outcome(keys: Keys, caller: Caller, once: Once, shape: Shape[T], stored: tuple[bytes, bytes]) -> Performed[T]:
    """The outcome kept for this key, opened; raises Refused when the key came with another body then."""
    body_sha256, sealed = stored
    if body_sha256 != once.body_sha256:
        raise Refused(
            "This Idempotency-Key was used with another body.",
            faults=(
                Fault("", "The body differs from the first request with this Idempotency-Key.", "idempotency_key"),
            ),
        )
    return read_kept(keys.unseal(sealed, _place(caller, once)), shape)


def written_to_keep(shape: Shape[T], value: T, *, is_new: bool) -> bytes:
    """A value with its shape's name and version, as it is kept."""
    return msgspec.msgpack.encode((shape.name, shape.version, is_new, value))


def read_kept(kept: bytes, shape: Shape[T]) -> Performed[T]:
    """The reverse; raises ValueError for what was kept under another name or in a version that is not known here."""
    name, version, is_new, value = msgspec.msgpack.decode(kept, type=tuple[str, int, bool, msgspec.Raw])
    if (name, version) != (shape.name, shape.version):
        raise ValueError(f"an outcome was kept as {name} {version}, not as {shape.name} {shape.version}")
    return Performed(msgspec.msgpack.decode(value, type=shape.type), is_new, is_replayed=True)


async def keep(
    connection: Connection,
    keys: Keys,
    caller: Caller,
    once: Once,
    shape: Shape[T],
    done: Done[T],
    at: datetime,
) -> None:
    """Keep an outcome for the next request with its key, in the transaction it belongs to."""
    sealed = keys.seal(written_to_keep(shape, done.value, is_new=done.is_new), _place(caller, once))
    await add_answer(
        connection,
        caller.network.network_id,
        caller.partner_id,
        once.scope,
        once.body_sha256,
        sealed,
        done.client_ids,
        at,
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
