"""What can go wrong, as values the doors translate: one base, seven kinds. The docstring is the public message."""

from collections.abc import Iterable
from itertools import islice

import msgspec

MOST_FAULTS = 100
"""How many faults of one request are looked for."""
LONGEST_WORD = 80


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault of a request: where (RFC 6901 pointer), what, and for a refusal by rule its rule and norm. One of the
    query has the empty pointer, and its detail names the parameter.
    """

    pointer: str
    detail: str
    rule: str | None = None
    norm: str | None = None

    @classmethod
    def of_query(cls, parameter: str, detail: str) -> "Fault":
        """A fault of one parameter of the query; `detail` goes on after the parameter's name."""
        return cls("", f"{parameter} {detail}")


def shortened(word: str) -> str:
    """A caller's word as an answer may repeat it: at most 80 characters."""
    return word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 1]}…"


def quoted(word: str) -> str:
    """A caller's word in quotation marks, shortened, without characters that cannot be printed."""
    return repr(shortened(word))


class RegistryError(Exception):
    """The registry could not do this."""

    def __init__(
        self, detail: str = "", *, faults: Iterable[Fault] = (), retry_after: int | None = None, reason: str = ""
    ) -> None:
        """Of `faults` the first 100 are taken; what an iterator would find after them is not looked for. `reason` is
        its class in one word, for the server's log alone.
        """
        super().__init__(detail or type(self).__doc__)
        self.detail = detail or (type(self).__doc__ or "")
        self.faults = tuple(islice(faults, MOST_FAULTS))
        self.retry_after = retry_after
        self.reason = reason


class Malformed(RegistryError):
    """The request is not well formed. Nothing was changed."""


class NotAuthentic(RegistryError):
    """A valid access token is needed."""


class NoToken(NotAuthentic):
    """A valid access token is needed."""


class NotAllowed(RegistryError):
    """The access token does not carry the scope this call needs."""


class NotFound(RegistryError):
    """There is nothing here that this caller may see."""


class Conflict(RegistryError):
    """The present state does not allow this."""


class KeyInUse(Conflict):
    """A request with the same Idempotency-Key is still running. Ask again shortly."""


class Refused(RegistryError):
    """A rule refuses this. Nothing was recorded."""


class TooMany(RegistryError):
    """Too many attempts. Ask again later."""


class OverQuota(RegistryError):
    """More than this caller's quota for a minute. Nothing was looked at. Ask again later."""


class CannotRecord(RegistryError):
    """This cannot be recorded now, so there is no answer. Nothing was recorded. Ask again shortly."""


class OutcomeUnknown(RegistryError):
    """The connection was lost while this was being committed. Send it again with the same Idempotency-Key."""


class Unusable(RegistryError):
    """The installation is not usable as it is."""
