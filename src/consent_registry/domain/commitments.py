"""Commitments: the keyed hashes that events hold in place of private values. With the event's nonce, which hides it,
anybody who has the value recognises it; once the nonce is gone the commitment says nothing.
"""

import base64
import hmac

import msgspec


class Committed:
    """An event's member that is written as a commitment, so that the log does not hold the value itself.

    In an event that is about to be logged the value is known; in one that was read it is empty, and what the event says
    of it is known.
    `what` keeps values of different meaning apart; it is empty for what the log committed to first, references and ids.
    No native type of msgspec, so that a value that is not replaced by its commitment can't be written.
    """

    __slots__ = ("_said", "_what", "value")

    def __init__(self, what: str, value: bytes) -> None:
        self._what, self.value = what, value
        self._said: str | None = None

    @classmethod
    def read(cls, said: str) -> "Committed":
        """Make the member from a commitment that was read from an event."""
        committed = cls("", b"")
        committed._said = said
        return committed

    def of(self, nonce: bytes) -> str:
        """The commitment that an event with this nonce holds."""
        return commit(nonce, self._what, self.value) if self._said is None else self._said

    def __eq__(self, other: object) -> bool:
        """Whether it is the same commitment, or one to the same value."""
        return isinstance(other, Committed) and self._parts() == other._parts()

    def __hash__(self) -> int:
        """As equal commitments have it."""
        return hash(self._parts())

    def _parts(self) -> tuple[str, bytes, str | None]:
        return self._what, self.value, self._said


class Commitment(msgspec.Struct, frozen=True):
    """A commitment from an event, with the event's nonce, so that a value can be compared with it."""

    what: str
    nonce: bytes
    said: str

    def of(self, value: bytes) -> str:
        """The commitment that the event would hold if this were the value."""
        return commit(self.nonce, self.what, value)


def commit(nonce: bytes, what: str, value: bytes) -> str:
    """HMAC-SHA256(nonce, what ‖ 0x00 ‖ value), or of the value alone where `what` is empty; base64url without padding.
    No event and no reference has a zero byte.
    """
    mac = hmac.digest(nonce, what.encode() + b"\0" + value if what else value, "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def commit_to(text: str) -> Committed:
    """The commitment to a reference or an id."""
    return Committed("", text.encode())
