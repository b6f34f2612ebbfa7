"""Events about withdrawals: one entry for each client number under which something was withdrawn."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType

from consent_registry.domain.events.event import LARGEST_GROUP, Event, EventPart, LoggedInstant
from consent_registry.domain.events.expected_rows import ExpectedRows, Row
from consent_registry.domain.events.grant_changes import change_of_grant


class LoggedWithdrawal(EventPart, frozen=True, kw_only=True):
    """A withdrawn grant: its categories if only some were withdrawn, its consent if the caller takes part in that."""

    grant: str
    consent: str | UnsetType = UNSET
    categories: list[str] | None


class WithdrawalEvent(Event, frozen=True, kw_only=True, tag="withdrawal"):
    """A client withdrew grants or releases. The caller's entry also names what it may know of other client numbers
    (`also`), of which their entries say it. Theirs have no actor and name the partner that took the withdrawal.
    """

    number = 4
    retention_class = "state"

    by: str
    channel: str
    declared_at: LoggedInstant
    received_at: LoggedInstant
    grants: list[LoggedWithdrawal]
    releases: list[str]
    also: list[LoggedWithdrawal] | UnsetType = UNSET
    partner: str | UnsetType = UNSET

    def entries(self) -> int:
        """The number of the act's log entries: one for each client number that a person can have."""
        return LARGEST_GROUP

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: the withdrawal, and a change of each grant and release."""
        yield self.row(
            "withdrawals",
            withdrawal_id=self.id,
            act_id=self.act or self.id,
            client_id=self.client,
            partner_id=self.actor or self.partner,
        )
        for withdrawn in self.grants:
            yield from change_of_grant(
                self,
                expected,
                withdrawn.grant,
                "withdrawn",
                category_ids=withdrawn.categories,
                effective_at=self.received_at,
            )
        for release in self.releases:
            if expected.is_attached("releases", release):
                yield self.row(
                    "release_changes",
                    release_id=release,
                    act_id=self.id,
                    kind="withdrawn",
                    client_id=expected.value("releases", "client_id", release),
                    partner_ids=expected.value("releases", "partner_ids", release),
                    effective_at=self.received_at,
                )
