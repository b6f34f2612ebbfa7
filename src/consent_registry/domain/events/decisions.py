"""Events of use: decisions, reported transfers, and answers that showed a client's data."""

from typing import Any

from msgspec import UNSET, UnsetType

from consent_registry.domain.decisions import Outcome
from consent_registry.domain.events.event import Event, EventPart, LoggedInstant, SearchColumns
from consent_registry.domain.events.expected_rows import at, listed

# Codes of the search column; never reused.
OUTCOMES: dict[Outcome, int] = {"permit": 1, "partial": 2, "no_permission": 3, "not_consent_based": 4}


class LoggedReceipt(EventPart, frozen=True, kw_only=True):
    """The receipt that was promised with a decision: its issuer, the log key that signs it, and the client that it is
    about. The salt goes to the sender alone.
    """

    iss: str
    key: str | UnsetType = UNSET
    client_salt: str
    client_commitment: str


class DecisionEvent(Event, frozen=True, kw_only=True, tag="decision"):
    """A decision: the question and the complete answer, so that the registry can give the same answer again. The actor
    is the sender. A list that is absent is empty: millions of these are kept.
    """

    number = 1
    retention_class = "use"

    recipient: str
    purpose: str
    categories: list[str]
    permitted: list[str]
    not_consent_based: list[str] | UnsetType = UNSET
    outcome: Outcome
    basis: str
    norm: str | UnsetType = UNSET
    expires_at: LoggedInstant
    grants: list[str]
    receipt: LoggedReceipt | UnsetType = UNSET

    def searched(self) -> SearchColumns:
        """The search columns: sender, recipient, purpose and outcome."""
        return SearchColumns(self.acting, self.recipient, self.purpose, self.outcome)


class TransferEvent(Event, frozen=True, kw_only=True, tag="transfer"):
    """What the sender did after a decision; the actor is the sender."""

    number = 5
    retention_class = "use"

    decision: str
    outcome: str
    categories: list[str]
    beyond_permit: list[str]
    transferred_at: LoggedInstant

    def searched(self) -> SearchColumns:
        """The search columns: the sender."""
        return SearchColumns(sender=self.acting)

    def transfer_row(self) -> dict[str, Any]:
        """The expected row of `transfers`. There are as many of these as of permits, so they are compared one by one,
        and are none of the rows that are expected at the log's end.
        """
        return {
            "transfer_id": self.id,
            "decision_id": self.decision,
            "partner_id": self.acting,
            "client_id": self.client,
            "outcome": self.outcome,
            "category_ids": listed(self.categories),
            "transferred_at": at(self.transferred_at),
            "recorded_at": at(self.at),
        }


class ReadEvent(Event, frozen=True, kw_only=True, tag="read"):
    """Data were shown to the actor: what, how many items, and the SHA-256 of their ids; for an export its format."""

    number = 6
    retention_class = "use"

    what: str
    format: str | UnsetType = UNSET
    count: int
    digest: str
