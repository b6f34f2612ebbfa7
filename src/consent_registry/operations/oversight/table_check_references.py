"""Checks, with the installation's keys, that every reference is found by its own digest and is the registered one.

Without the keys this cannot be checked: no event holds a digest, and the reference itself is encrypted.
"""

from msgspec import UNSET

from consent_registry.domain.errors import Unusable
from consent_registry.domain.events.all_kinds import NotAnEvent, read_event
from consent_registry.storage.database.database import Connection
from consent_registry.storage.keys.associated_data import associated_data_of_reference
from consent_registry.storage.keys.keyring import Keys, base64url
from consent_registry.storage.oversight import table_check as storage
from consent_registry.tlog.leaf import reference_commitment
from consent_registry.tlog.report import Check, Verdict


async def check_references(check: Check, connection: Connection, network_id: int, keys: Keys | None) -> None:
    """Decrypt every reference, digest it again, and compare it with the commitment in its registration's event."""
    if keys is None:
        check.verdict, check.says = Verdict.NOT_ASKED, "no keys were given"
        return
    equal = 0
    async for stored in storage.read_references(connection, network_id):
        place = f"client_references client_id={stored.client_id}"
        found = check.count
        _compare(check, place, stored, network_id, keys)
        equal += found == check.count
    if check.verdict == Verdict.HOLDS:
        check.says = f"{equal} references are found by their own digests, and are those that were registered"


def _compare(check: Check, place: str, stored: storage.StoredReference, network_id: int, keys: Keys) -> None:
    # 1. The reference decrypts for the partner for which it is stored.
    try:
        bound_to = associated_data_of_reference(
            network_id, stored.partner_id, str(stored.client_id), stored.digest or b""
        )
        reference = keys.decrypt(stored.ciphertext or b"", bound_to).decode()
    except (Unusable, UnicodeDecodeError) as error:
        check.find("reference_not_opened", f"{place}: its sealed reference does not open: {error}", path=place)
        return
    # 2. Its digest, under the key that the row names, is the row's digest.
    digest = keys.digest_with(stored.digest_key or "", "reference", network_id, stored.partner_id, reference)
    if digest is None or digest != stored.digest:
        check.find("reference_digest", f"{place} is found by the digest of another reference, or by none", path=place)
    # 3. It is the reference with which the client was registered.
    if stored.event is not None and stored.nonce is not None:
        committed = _commitment(stored.event, stored.nonce)
        if committed is not None and committed != base64url(reference_commitment(stored.nonce, reference)):
            check.find("reference_other", f"{place} has another reference than it was registered with", path=place)


def _commitment(event: bytes, nonce: bytes) -> str | None:
    """The event's commitment to the reference; None if it has none, or cannot be read, which is reported elsewhere."""
    try:
        commitment = read_event(event).reference_commitment
    except NotAnEvent:
        return None
    return None if commitment is UNSET else commitment.of(nonce)
