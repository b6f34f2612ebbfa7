"""Commitments: recognised with value and nonce, apart for each meaning, and put in wherever a member holds a value."""

import base64
import hashlib
import hmac

from consent_registry.domain.commitments import Commitment, Committed, bind, commit, digest_members

NONCE = bytes(range(32))


def test_a_commitment_is_of_meaning_and_value() -> None:
    """The worked value by another road; another nonce, meaning, value or cut between the two is another commitment."""
    mac = hmac.new(NONCE, b"kept_at\0Cabinet", hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(commit(NONCE, "kept_at", b"Cabinet") + "=") == mac
    assert commit(NONCE, "kept_at", b"Cabinet") == Commitment("kept_at", NONCE, "").of(b"Cabinet")
    others = [(NONCE, "kept_at", b"cabinet"), (NONCE, "function", b"Cabinet"), (bytes(32), "kept_at", b"Cabinet")]
    assert commit(NONCE, "kept_at", b"Cabinet") not in {commit(*one) for one in others}
    assert commit(NONCE, "ab", b"c") != commit(NONCE, "a", b"bc")


def test_every_value_is_replaced_by_its_commitment() -> None:
    """In a member, in a member's member, in a list; everything else stays as it is."""
    secret = Committed("x", b"secret")
    said = commit(NONCE, "x", b"secret")
    members = {"a": secret, "b": {"c": [secret, 1, None]}, "d": ("e", "f"), "g": "h"}
    assert bind(members, NONCE) == {"a": said, "b": {"c": [said, 1, None]}, "d": ("e", "f"), "g": "h"}


def test_a_digest_is_said_with_its_key() -> None:
    """The key's id is said, the digest committed to."""
    assert digest_members("code", ("digest-1", b"d")) == {
        "digest_key": "digest-1",
        "digest_commitment": Committed("code", b"d"),
    }
