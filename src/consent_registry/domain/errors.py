"""The registry's errors. `api/problems.py` and the command line translate them; a docstring is the public message."""

from collections.abc import Iterable
from itertools import islice

import msgspec

MOST_FAULTS = 100
"""The search for faults in one request stops after this many."""
LONGEST_WORD = 80


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault of a request: its place (RFC 6901 pointer), what is wrong, and the rule and norm that refuse it. A
    fault in the query has an empty pointer; its detail names the parameter.
    """

    pointer: str
    detail: str
    rule: str | None = None
    norm: str | None = None

    @classmethod
    def of_query(cls, parameter: str, detail: str) -> "Fault":
        """A fault of one query parameter. `detail` continues the sentence that begins with the parameter's name."""
        return cls("", f"{parameter} {detail}")


def shortened(word: str) -> str:
    """A caller's word, cut to 80 characters, so that an answer may repeat it."""
    return word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 1]}…"


def quoted(word: str) -> str:
    """A caller's word, shortened, in quotation marks, with unprintable characters escaped."""
    return repr(shortened(word))


class RegistryError(Exception):
    """The registry could not do this."""

    def __init__(
        self, detail: str = "", *, faults: Iterable[Fault] = (), retry_after: int | None = None, reason: str = ""
    ) -> None:
        """Only the first 100 of `faults` are kept, and an iterator is not asked for more. `reason` classifies the error
        in one word, for the server's log only.
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
