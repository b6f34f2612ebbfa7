"""A commitment is recognised by its value, meaning and nonce."""

import base64
import hashlib
import hmac

from consent_registry.domain.commitments import Commitment, Committed, commit, commit_to

NONCE = bytes(range(32))


def test_a_commitment_is_of_meaning_and_value() -> None:
    """A commitment has its worked value, and changes with the nonce, the meaning, the value and the boundary between
    the two.
    """
    mac = hmac.new(NONCE, b"kept_at\0Cabinet", hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(commit(NONCE, "kept_at", b"Cabinet") + "=") == mac
    assert commit(NONCE, "kept_at", b"Cabinet") == Commitment("kept_at", NONCE, "").of(b"Cabinet")
    others = [(NONCE, "kept_at", b"cabinet"), (NONCE, "function", b"Cabinet"), (bytes(32), "kept_at", b"Cabinet")]
    assert commit(NONCE, "kept_at", b"Cabinet") not in {commit(*words) for words in others}
    assert commit(NONCE, "ab", b"c") != commit(NONCE, "a", b"bc")


def test_a_reference_is_committed_to_without_a_meaning() -> None:
    """A commitment to a reference covers its value alone, as in the first release."""
    mac = hmac.new(NONCE, b"N-1", hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(commit_to("N-1").of(NONCE) + "=") == mac
    assert commit_to("N-1").of(NONCE) == commit(NONCE, "", b"N-1")


def test_a_member_is_committed_to_or_was_read() -> None:
    """Before it is logged its value is hidden with the event's nonce; as it was read it says what it said."""
    hidden = Committed("kept_at", b"Cabinet")
    said = commit(NONCE, "kept_at", b"Cabinet")
    assert hidden.of(NONCE) == said
    assert Committed.read(said).of(bytes(32)) == said
    assert hidden.of(bytes(32)) != said


def test_members_are_equal_by_what_they_hold() -> None:
    """Two of one value and meaning, and two that were read alike; nothing else."""
    equal = [(Committed("a", b"v"), Committed("a", b"v")), (Committed.read("s"), Committed.read("s"))]
    assert all(left == right and hash(left) == hash(right) for left, right in equal)
    different = [Committed("a", b"v"), Committed("b", b"v"), Committed("a", b"w"), Committed.read("s")]
    assert len(set(different)) == len(different)
    assert Committed("a", b"v") != b"v"
