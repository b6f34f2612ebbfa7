"""Events about partners: suspended, reinstated, approved; and about the credentials of their systems."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.event import Event, EventPart, LoggedInstant, SearchColumns
from consent_registry.domain.events.expected_rows import ExpectedRows, Row


class SuspensionEvent(Event, frozen=True, kw_only=True, tag="suspension"):
    """A partner was suspended. The first suspensions did not say why; they were for its security."""

    number = 7
    retention_class = "state"

    partner: str
    reason: str | UnsetType = UNSET

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the suspension."""
        reason = self.reason or "security"
        yield self.row("suspensions", suspension_id=self.id, partner_id=self.partner, reason=reason)


class ReinstatementEvent(Event, frozen=True, kw_only=True, tag="reinstatement"):
    """A partner's suspension ended."""

    number = 8
    retention_class = "state"

    partner: str
    suspension: str

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the reinstatement."""
        yield self.row("reinstatements", reinstatement_id=self.id, suspension_id=self.suspension)


class CredentialRevocationEvent(Event, frozen=True, kw_only=True, tag="credential_revocation"):
    """A credential was revoked permanently."""

    number = 9
    retention_class = "state"

    client_id: str

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the revocation of the credential."""
        yield self.row("credential_revocations")


class CredentialEvent(Event, frozen=True, kw_only=True, tag="credential"):
    """A client id and secret were issued for a partner, or for the network's administration. Of what proves the secret
    the log says the id of its key, and commits to the SHA-256 of what is stored.
    """

    number = 11
    retention_class = "state"

    client_id: str
    partner: str | None
    scopes: list[str]
    secret_key: str
    secret_commitment: Committed

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected row: the credential."""
        yield self.row(
            "credentials", partner_id=self.partner, secret_mac=expected.opened("secret", self.secret_commitment)
        )


class LoggedSubject(EventPart, frozen=True, kw_only=True):
    """The subject of an approval: a partner or a purpose."""

    partner: str | UnsetType = UNSET
    purpose: str | UnsetType = UNSET


class ApprovalEvent(Event, frozen=True, kw_only=True, tag="approval"):
    """A data-protection officer approved a partner or a purpose, for one flow or for all."""

    number = 17
    retention_class = "state"

    approval_id: str
    subject: LoggedSubject
    sender: str | None
    recipient: str | None
    purpose: str | None
    approved_by: str
    norm: str | None
    valid_until: LoggedInstant | None
    recorded_at: LoggedInstant
    revoked_at: LoggedInstant | None

    def searched(self) -> SearchColumns:
        """The search columns: the person who approved."""
        return SearchColumns(person=self.approved_by)

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the approval."""
        yield self.row(
            "approvals",
            approval_id=self.id,
            partner_id=self.subject.partner or None,
            subject_purpose_id=self.subject.purpose or None,
            sender_id=self.sender,
            recipient_id=self.recipient,
            purpose_id=self.purpose,
        )


class ApprovalRevocationEvent(Event, frozen=True, kw_only=True, tag="approval_revocation"):
    """An approval was revoked."""

    number = 18
    retention_class = "state"

    approval: str
    revoked_by: str

    def searched(self) -> SearchColumns:
        """The search columns: the person who revoked the approval."""
        return SearchColumns(person=self.revoked_by)

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the revocation of the approval."""
        yield self.row("approval_revocations", revocation_id=self.id, approval_id=self.approval)
