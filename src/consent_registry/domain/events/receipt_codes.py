"""Events about receipt codes: the digest by which a consent's first code is found, and the codes issued later."""

from collections.abc import Iterable

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.event import Event, EventPart
from consent_registry.domain.events.expected_rows import ExpectedRows, Row


class LoggedCode(EventPart, frozen=True, kw_only=True):
    """The digest by which a code is found: the id of its key, and the commitment to it."""

    digest_key: str
    digest_commitment: Committed


class ReceiptCodeEvent(Event, frozen=True, kw_only=True, tag="receipt_code"):
    """A further receipt code was issued for a consent; the earlier codes are no longer valid."""

    number = 25
    retention_class = "state"

    consent: str
    issue: int
    digest_key: str
    digest_commitment: Committed

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected row: the code, which the partners of its consent may read."""
        yield self.row(
            "receipt_codes",
            consent_id=self.consent,
            client_id=self.client,
            partner_ids=expected.value("consents", "partner_ids", self.consent),
            digest=expected.opened("receipt_code", self.digest_commitment),
        )
