"""With the installation's keys at hand: whether every reference is found by its own digest, and is the one that was
registered. Without them nobody can tell: no event holds a digest, and the reference itself is sealed.
"""

from msgspec import UNSET

from consent_registry.domain.errors import Unusable
from consent_registry.domain.events.all_kinds import NotAnEvent, read_event
from consent_registry.storage.database.database import Connection
from consent_registry.storage.keys.associated_data import place_of_reference
from consent_registry.storage.keys.keyring import Keys, base64url
from consent_registry.storage.oversight import table_check as storage
from consent_registry.tlog.leaf import reference_commitment
from consent_registry.tlog.report import Check, Verdict


async def check_references(check: Check, connection: Connection, network_id: int, keys: Keys | None) -> None:
    """Open every reference, digest it anew, and hold it against the commitment of its registration's event."""
    if keys is None:
        check.verdict, check.says = Verdict.NOT_ASKED, "no keys were given"
        return
    equal = 0
    async for one in storage.read_references(connection, network_id):
        place = f"client_references client_id={one.client_id}"
        found = check.count
        _compare(check, place, one, network_id, keys)
        equal += found == check.count
    if check.verdict == Verdict.HOLDS:
        check.says = f"{equal} references are found by their own digests, and are those that were registered"


def _compare(check: Check, place: str, one: storage.StoredReference, network_id: int, keys: Keys) -> None:
    # 1. The sealed reference opens for the partner it is stored for.
    try:
        bound_to = place_of_reference(network_id, one.partner_id, str(one.client_id), one.digest or b"")
        reference = keys.decrypt(one.ciphertext or b"", bound_to).decode()
    except (Unusable, UnicodeDecodeError) as error:
        check.find("reference_not_opened", f"{place}: its sealed reference does not open: {error}", path=place)
        return
    # 2. Its digest, under the key that is named, is the one by which it is found.
    digest = keys.digest_with(one.digest_key or "", "reference", network_id, one.partner_id, reference)
    if digest is None or digest != one.digest:
        check.find("reference_digest", f"{place} is found by the digest of another reference, or by none", path=place)
    # 3. It is the reference with which the client was registered.
    if one.event is not None and one.nonce is not None:
        told = _commitment(one.event, one.nonce)
        if told is not None and told != base64url(reference_commitment(one.nonce, reference)):
            check.find("reference_other", f"{place} has another reference than it was registered with", path=place)


def _commitment(event: bytes, nonce: bytes) -> str | None:
    """What the event says of the reference; None for one that is no event, which is named where the log is read."""
    try:
        said = read_event(event).reference_commitment
    except NotAnEvent:
        return None
    return None if said is UNSET else said.of(nonce)
