"""What can go wrong, as values the doors translate: one base, seven kinds. The docstring is the public message."""

import msgspec


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault of a request: where (RFC 6901 pointer), what, and for a refusal by rule its rule and norm."""

    pointer: str
    detail: str
    rule: str | None = None
    norm: str | None = None


class RegistryError(Exception):
    """The registry could not do this."""

    def __init__(self, detail: str = "", *, faults: tuple[Fault, ...] = (), retry_after: int | None = None) -> None:
        super().__init__(detail or type(self).__doc__)
        self.detail = detail or (type(self).__doc__ or "")
        self.faults = faults
        self.retry_after = retry_after


class Malformed(RegistryError):
    """The request is not well formed. Nothing was changed."""


class NotAuthentic(RegistryError):
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


class CannotRecord(RegistryError):
    """This cannot be recorded now, so there is no answer. Nothing was recorded. Ask again shortly."""


class OutcomeUnknown(RegistryError):
    """The connection was lost while this was being committed. Send it again with the same Idempotency-Key."""


class Unusable(RegistryError):
    """The installation is not usable as it is."""
