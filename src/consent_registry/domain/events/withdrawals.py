"""Events about withdrawals: one entry for each client number that means the client, and one about a paper that was
recorded after a withdrawal that takes it back.
"""

from collections.abc import Iterable, Iterator

from msgspec import UNSET, UnsetType

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.event import LARGEST_GROUP, Event, EventPart, LoggedInstant
from consent_registry.domain.events.expected_rows import NOT_SAID, ExpectedRows, Row
from consent_registry.domain.events.grant_changes import change_of_grant


class LoggedWithdrawal(EventPart, frozen=True, kw_only=True):
    """A withdrawn grant: its categories if only some were withdrawn, its consent if the caller takes part in that."""

    grant: str
    consent: str | UnsetType = UNSET
    categories: list[str] | None


class LoggedCoveredFlow(EventPart, frozen=True, kw_only=True):
    """A flow that a withdrawal covers, with the categories that it withdrew."""

    sender: str
    recipient: str
    purpose: str
    categories: list[str]


def text_of_flows(flows: Iterable[LoggedCoveredFlow]) -> bytes:
    """The flows as the table check compares them, and as an event commits to them: a line for each, in order."""
    lines = (" ".join((flow.sender, flow.recipient, flow.purpose, ",".join(sorted(flow.categories)))) for flow in flows)
    return "\n".join(sorted(lines)).encode()


def commit_to_flows(flows: Iterable[LoggedCoveredFlow]) -> Committed:
    """The commitment to the flows that a withdrawal covers."""
    return Committed("flows", text_of_flows(flows))


class WithdrawalEvent(Event, frozen=True, kw_only=True, tag="withdrawal"):
    """A client withdrew grants or releases, or what it gives on papers that come later. The caller's entry also names
    what it may know of other client numbers (`also`), of which their entries say it. Theirs have no actor and name the
    partner that took the withdrawal. By a receipt code the caller may not know all that is under the code's own number:
    another entry of that number, without an actor, says the rest.

    `covers` says what it takes back beyond the grants that it named: of papers given until it was received, recorded
    before or after. The `flows` of a receipt code are committed to in the caller's entry. The first withdrawals did not
    say it.
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
    covers: str | UnsetType = UNSET
    flows: list[LoggedCoveredFlow] | UnsetType = UNSET
    flows_commitment: Committed | UnsetType = UNSET
    categories: list[str] | UnsetType | None = UNSET

    def entries(self) -> int:
        """The number of the act's log entries: one for each client number that a person can have; by a receipt code a
        second one for the code's own.
        """
        return LARGEST_GROUP + (self.by == "receipt_code")

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: the withdrawal, and a change of each grant and release."""
        yield self.row(
            "withdrawals",
            withdrawal_id=self.id,
            act_id=self.act or self.id,
            client_id=self.client,
            partner_id=self.actor or self.partner,
            covers=NOT_SAID if self.covers is UNSET else self.covers,
            covered_flows=self._covered_flows(expected),
            category_ids=self.categories or None,
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
            yield from self._release_rows(expected, release)

    def _covered_flows(self, expected: ExpectedRows) -> object:
        """What the table holds of the flows: a text, nothing, or what the event commits to."""
        if self.flows_commitment is not UNSET:
            return expected.opened("flows", self.flows_commitment)
        if self.flows is not UNSET:
            return text_of_flows(self.flows)
        return NOT_SAID if self.covers is UNSET else None

    def _release_rows(self, expected: ExpectedRows, release: str) -> Iterator[Row]:
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


class LoggedTakenBack(EventPart, frozen=True, kw_only=True):
    """A grant of a paper that an earlier withdrawal takes back, with the categories if only some."""

    grant: str
    withdrawal: str
    categories: list[str] | None
    effective_at: LoggedInstant


class LateWithdrawalEvent(Event, frozen=True, kw_only=True, tag="late_withdrawal"):
    """An entry without an actor: a paper was given before withdrawals were received that cover its flows, and recorded
    after them. It names the withdrawals, which the paper's recorder may not know, and the paper's own entry as `act`.
    """

    number = 45
    retention_class = "state"
    is_searchable = False

    actor: None = None
    taken_back: list[LoggedTakenBack]

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: a change of each of the paper's grants, by the act of its withdrawal."""
        for item in self.taken_back:
            yield from change_of_grant(
                self,
                expected,
                item.grant,
                "withdrawn",
                act_id=item.withdrawal,
                category_ids=item.categories,
                effective_at=item.effective_at,
            )
