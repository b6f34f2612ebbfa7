"""Checks, with the installation's keys, that every encrypted text decrypts in its row and is what was recorded.

Events commit to these texts (domain/commitments.py). Re-encrypting changes the ciphertext, not the commitment.
"""

from uuid import UUID

from consent_registry.domain.commitments import Committed, commit
from consent_registry.domain.errors import Unusable
from consent_registry.domain.events.all_kinds import NotAnEvent, read_event
from consent_registry.domain.events.consents import ConsentEvent, EvidenceEvent, LoggedEvidence
from consent_registry.storage.database.database import Connection
from consent_registry.storage.keys.associated_data import associated_data_of_text
from consent_registry.storage.keys.keyring import Keys
from consent_registry.storage.oversight import table_check as storage
from consent_registry.tlog.report import Check, Verdict


async def check_encrypted_texts(check: Check, connection: Connection, network_id: int, keys: Keys | None) -> None:
    """Decrypt every encrypted text and compare it with the commitment in its event."""
    if keys is None:
        check.verdict, check.says = Verdict.NOT_ASKED, "no keys were given"
        return
    equal = 0
    async for stored in storage.read_encrypted_texts(connection, network_id):
        found = check.count
        _compare(check, stored, network_id, keys)
        equal += found == check.count
    if check.verdict == Verdict.HOLDS:
        check.says = f"{equal} sealed texts open in their places, and are those that were recorded"


def _compare(check: Check, stored: storage.StoredText, network_id: int, keys: Keys) -> None:
    table, _, column = stored.column.partition(".")
    key = "release_id" if table == "releases" else "consent_id"
    place = f"{table} {key}={stored.row_id} {column}"
    # 1. The text decrypts in its row, for its consent's recorder.
    try:
        bound_to = associated_data_of_text(stored.column, network_id, stored.partner_id, str(stored.row_id))
        text = keys.decrypt(stored.ciphertext or b"", bound_to)
    except Unusable as error:
        check.find("text_not_opened", f"{place} does not open: {error}", path=place)
        return
    # 2. It is the text that was recorded.
    if stored.event is not None and stored.nonce is not None:
        what, committed = _commitment(stored.column, stored.row_id, stored.event)
        if committed is not None and committed.of(stored.nonce) != commit(stored.nonce, what, text):
            check.find("text_other", f"{place} has another text than was recorded", path=place)


def _commitment(column: str, row_id: UUID, body: bytes) -> tuple[str, Committed | None]:
    """The name of the committed value, and the event's commitment; None if the event has none, or cannot be read, which
    is reported where the log is read.
    """
    try:
        event = read_event(body)
    except NotAnEvent:
        return "", None
    if column == "releases.function_sealed" and isinstance(event, ConsentEvent):
        releases = {release.release: release.function_commitment for release in event.releases}
        return f"function {row_id}", releases.get(str(row_id))
    evidence = event.evidence if isinstance(event, ConsentEvent) else event
    if isinstance(evidence, LoggedEvidence | EvidenceEvent):
        return "kept_at", evidence.kept_at_commitment
    return "", None
