"""Events about recorded grants: confirmed, ended, void, restricted, and renewed by a later consent."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from msgspec import UNSET, UnsetType

from consent_registry.domain.events.event import ACT_AND_RENEWAL, LARGEST_GROUP, Event, EventPart, LoggedInstant
from consent_registry.domain.events.expected_rows import ExpectedRows, Row, listed
from consent_registry.domain.grants import ChangeKind, readers_of


class LoggedUnrenewal(EventPart, frozen=True, kw_only=True):
    """An earlier grant whose renewal by the grant `by` was void."""

    grant: str
    by: str
    effective_at: LoggedInstant


class LoggedRenewal(LoggedUnrenewal, frozen=True, kw_only=True):
    """An earlier grant that the grant `by` renews until `valid_until`."""

    valid_until: LoggedInstant


def change_of_grant(
    event: Event,
    expected: ExpectedRows,
    grant: str,
    kind: ChangeKind,
    **columns: Any,  # noqa: ANN401 - of any type
) -> Iterator[Row]:
    """The expected row for a change of this grant; none if the event that recorded the grant was removed."""
    if expected.is_attached("grants", grant):
        parties = (expected.value("grants", name, grant) for name in ("recorder_id", "sender_id", "recipient_id"))
        nothing = {"category_ids": None, "valid_until": None, "by_grant_id": None}
        named = {
            "grant_id": grant,
            "act_id": event.id,
            "kind": kind,
            "client_id": expected.value("grants", "client_id", grant),
            "partner_ids": listed(readers_of(expected.value("grants", "answer", grant), *parties)),
        }
        yield event.row("grant_changes", **nothing | named | columns)


class RenewingEvent(Event, frozen=True, kw_only=True):
    """An event that can also renew earlier grants, or make their renewal void."""

    renewed: list[LoggedRenewal] | UnsetType = UNSET
    unrenewed: list[LoggedUnrenewal] | UnsetType = UNSET

    def renewal_rows(self, expected: ExpectedRows) -> Iterator[Row]:
        """The expected rows: the changes of the earlier grants."""
        for renewal in self.renewed or ():
            yield from change_of_grant(
                self,
                expected,
                renewal.grant,
                "renewed",
                valid_until=renewal.valid_until,
                by_grant_id=renewal.by,
                effective_at=renewal.effective_at,
            )
        for unrenewal in self.unrenewed or ():
            yield from change_of_grant(
                self,
                expected,
                unrenewal.grant,
                "unrenewed",
                by_grant_id=unrenewal.by,
                effective_at=unrenewal.effective_at,
            )


class GrantChangeEvent(RenewingEvent, frozen=True, kw_only=True):
    """A partner changed grants of a consent. Entries about other client numbers, which say the same yes, have `act`;
    the act's own names its consent, and in `also` the grants of the others.
    """

    change: ClassVar[ChangeKind]

    consent: str | UnsetType = UNSET
    grants: list[str]
    also: list[str] | UnsetType = UNSET
    effective_at: LoggedInstant

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: a change of each grant, and the renewals that go with it."""
        for grant in self.grants:
            yield from change_of_grant(
                self,
                expected,
                grant,
                self.change,
                category_ids=self.categories_of(expected, grant),
                effective_at=self.effective_at,
            )
        yield from self.renewal_rows(expected)

    def categories_of(self, expected: ExpectedRows, grant: str) -> tuple[str, ...] | None:  # noqa: ARG002
        """The categories of a grant that the act concerns; None for all."""
        return None


class ConfirmationEvent(GrantChangeEvent, frozen=True, kw_only=True, tag="confirmation"):
    """The sender confirmed grants that the recipient had recorded."""

    number = 12
    retention_class = "state"
    change = "confirmed"

    def entries(self) -> int:
        """The number of the act's log entries: its own, and one about the consent that is renewed."""
        return ACT_AND_RENEWAL


class EndingEvent(GrantChangeEvent, frozen=True, kw_only=True, tag="ending"):
    """Grants ended without the client's doing."""

    number = 13
    retention_class = "state"
    change = "ended"

    reason: str | UnsetType = UNSET

    def entries(self) -> int:
        """The number of the act's log entries: one for each client number that a person can have."""
        return LARGEST_GROUP


class InvalidationEvent(GrantChangeEvent, frozen=True, kw_only=True, tag="invalidation"):
    """Grants were void from the start; `text_invalidation` is set if they are void because their text is."""

    number = 14
    retention_class = "state"
    change = "invalidated"

    reason: str | UnsetType = UNSET
    text_invalidation: str | UnsetType = UNSET

    def entries(self) -> int:
        """The number of the act's log entries: its own, and one about the consent whose renewal is void."""
        return ACT_AND_RENEWAL


class _RestrictingEvent(GrantChangeEvent, frozen=True, kw_only=True):
    """An act on some data categories of grants, or on all of them."""

    categories: list[str] | None

    def entries(self) -> int:
        """The number of the act's log entries: one for each client number that a person can have."""
        return LARGEST_GROUP

    def categories_of(self, expected: ExpectedRows, grant: str) -> tuple[str, ...] | None:
        """Those of the named categories that the grant has."""
        if self.categories is None:
            return None
        return listed(set(self.categories).intersection(expected.value("grants", "category_ids", grant)))


class RestrictionEvent(_RestrictingEvent, frozen=True, kw_only=True, tag="restriction"):
    """Grants were restricted: until the restriction is lifted, nothing may be sent on them."""

    number = 15
    retention_class = "state"
    change = "restricted"


class RestrictionLiftingEvent(_RestrictingEvent, frozen=True, kw_only=True, tag="restriction_lifting"):
    """A restriction was lifted."""

    number = 16
    retention_class = "state"
    change = "unrestricted"


class RenewalEvent(RenewingEvent, frozen=True, kw_only=True, tag="renewal"):
    """A log entry without an actor: an act changed an earlier consent that is recorded under another client number."""

    number = 38
    retention_class = "state"
    is_searchable = False

    actor: None = None

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: the changes of the earlier grants."""
        return self.renewal_rows(expected)


class PaddingEvent(Event, frozen=True, kw_only=True, tag="padding"):
    """A log entry without content: with it every act of a kind writes equally many entries (act_entries.py)."""

    number = 37
    retention_class = "state"
    is_searchable = False

    actor: None = None
