"""Commitments: what an event says of a value that it does not hold. With the event's nonce, which hides it, whoever has
the value recognises it; with the nonce gone it says nothing.
"""

import base64
import hmac
from typing import Any

import msgspec


class Committed(msgspec.Struct, frozen=True):
    """A value in the members of an event that is about to be logged: the log gets only its commitment. `what` keeps
    values of different meaning apart.
    """

    what: str
    value: bytes


class Commitment(msgspec.Struct, frozen=True):
    """A commitment as an event tells it, with what opens it."""

    what: str
    nonce: bytes
    said: str

    def of(self, value: bytes) -> str:
        """What the event would say of this value."""
        return commit(self.nonce, self.what, value)


def commit(nonce: bytes, what: str, value: bytes) -> str:
    """HMAC-SHA256(nonce, what ‖ 0x00 ‖ value), base64url without padding. No event and no reference has a zero byte."""
    mac = hmac.digest(nonce, what.encode() + b"\0" + value, "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def bind(value: Any, nonce: bytes) -> Any:  # noqa: ANN401 - of whatever kind a member is
    """The same members with each Committed replaced by its commitment."""
    if isinstance(value, Committed):
        return commit(nonce, value.what, value.value)
    if isinstance(value, dict):
        return {name: bind(one, nonce) for name, one in value.items()}
    if isinstance(value, list):
        return [bind(one, nonce) for one in value]
    return value


def digest_members(what: str, digest: tuple[str, bytes]) -> dict[str, Any]:
    """What an event says of the digest by which a code is found: the id of its key, and its commitment."""
    return {"digest_key": digest[0], "digest_commitment": Committed(what, digest[1])}
