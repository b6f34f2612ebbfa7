"""Results kept for an Idempotency-Key, so that a request sent several times has one effect.

A result is kept as a value in a named and versioned shape, encrypted, in the transaction of its command. The HTTP doors
render it with the same code as the first answer.
"""

import hashlib
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from consent_registry.domain.errors import Refused
from consent_registry.domain.law.rules.all_rules import network_refusal
from consent_registry.operations.runtime.actors import Actor
from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.idempotency import add_answer
from consent_registry.storage.keys.associated_data import associated_data_of_answer
from consent_registry.storage.keys.keyring import Keys

T = TypeVar("T")


class IdempotencyKey(msgspec.Struct, frozen=True):
    """Identifies a repeated request by two digests: `scope`, of partner, method, path and key; and that of the body."""

    scope: bytes
    body_sha256: bytes

    @classmethod
    def of(cls, partner_id: int, method: str, path: str, key: str, body: bytes) -> "IdempotencyKey":
        """The key of this partner's request. The same header from another partner is another key."""
        scope = hashlib.sha256(f"{partner_id}\0{method}\0{path}\0{key}".encode()).digest()
        return cls(scope, hashlib.sha256(body).digest())


class WorkResult(msgspec.Struct, Generic[T], frozen=True):
    """What the work of a command returns: a value, the clients it is about (one client id of each is enough), and
    whether the resource that the value shows is new.
    """

    value: T
    client_ids: tuple[str, ...] = ()
    is_new: bool = True


class CommandResult(msgspec.Struct, Generic[T], frozen=True):
    """What a command returns: a value, whether its resource is new, and whether it was kept from an earlier request."""

    value: T
    is_new: bool = True
    is_replayed: bool = False


class StoredShape(msgspec.Struct, Generic[T], frozen=True):
    """The type of a kept value, under a name and a version.

    A kept value must render to the same bytes as the first answer. So a type named here gets new members only with a
    new version, and the old type stays beside it; `tests/samples/kept.json` has an example of each.
    """

    name: str
    version: int
    type: type[T]


async def keep_result(
    connection: Connection,
    keys: Keys,
    actor: Actor,
    idempotency_key: IdempotencyKey,
    shape: StoredShape[T],
    result: WorkResult[T],
    at: datetime,
) -> None:
    """Keep a result for the next request with this key, in the transaction of its command."""
    encrypted = keys.encrypt(
        encode_kept(shape, result.value, is_new=result.is_new), _associated_data(actor, idempotency_key)
    )
    await add_answer(
        connection,
        actor.network.network_id,
        actor.partner_id,
        idempotency_key.scope,
        idempotency_key.body_sha256,
        encrypted,
        result.client_ids,
        at,
    )


def kept_result(
    keys: Keys, actor: Actor, idempotency_key: IdempotencyKey, shape: StoredShape[T], stored: tuple[bytes, bytes]
) -> CommandResult[T]:
    """The result kept for this key; raises Refused when the first request with this key had another body."""
    body_sha256, encrypted = stored
    if body_sha256 != idempotency_key.body_sha256:
        detail = "The body differs from the first request with this Idempotency-Key."
        fault = network_refusal("", detail, "idempotency_key")
        raise Refused("This Idempotency-Key was used with another body.", faults=(fault,))
    return decode_kept(keys.decrypt(encrypted, _associated_data(actor, idempotency_key)), shape)


def encode_kept(shape: StoredShape[T], value: T, *, is_new: bool) -> bytes:
    """Encode a value with its shape's name and version (MessagePack)."""
    return msgspec.msgpack.encode((shape.name, shape.version, is_new, value))


def decode_kept(kept: bytes, shape: StoredShape[T]) -> CommandResult[T]:
    """Decode a kept value; raises ValueError when its shape has another name or version."""
    name, version, is_new, value = msgspec.msgpack.decode(kept, type=tuple[str, int, bool, msgspec.Raw])
    if (name, version) != (shape.name, shape.version):
        raise ValueError(f"a result was kept as {name} {version}, not as {shape.name} {shape.version}")
    return CommandResult(msgspec.msgpack.decode(value, type=shape.type), is_new, is_replayed=True)


def _associated_data(actor: Actor, idempotency_key: IdempotencyKey) -> str:
    return associated_data_of_answer(
        actor.network.network_id, actor.partner_id, idempotency_key.scope, idempotency_key.body_sha256
    )
