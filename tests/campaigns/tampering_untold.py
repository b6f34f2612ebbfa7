"""What replay cannot compare, column by column: why no event can tell it, and what harm a change of it could do.

Whoever adds a column lets an event tell it and replay compare it, or writes down here why not.
"""

from collections.abc import Mapping

_SEALED = (
    "Sealed by AES-GCM under a key that the database does not have: another text cannot be put there, and one that was"
    " altered is refused when it is read. Harm: a text is lost, or changed for another of the same partner's."
)
_DIGEST = "A digest under a key that is rotated, so no event may hold it (design.md section 7). Harm: {}"
_WITH_KEYS = "Found by `audit replay --keys` (tests/operations/test_replays.py)."
_CHANGE_ID = "A random number that only keys the row; the change is compared by its act. Harm: none."

# By table and column; `*` is every column of a table that is not replayed at all.
UNTOLD: Mapping[str, Mapping[str, str]] = {
    "client_references": {
        "digest": _DIGEST.format(
            f"exchanged between two clients of one partner, each is answered for by the other's consents. {_WITH_KEYS}"
        ),
        "digest_key": _DIGEST.format(
            f"the reference is not found, and is asked about as an unknown one: no permit. {_WITH_KEYS}"
        ),
        "sealed": f"{_SEALED} {_WITH_KEYS}",
    },
    "consents": {"evidence_kept_at": _SEALED},
    "consent_evidence": {"kept_at": _SEALED},
    "releases": {"function_sealed": _SEALED},
    "grant_changes": {"change_id": _CHANGE_ID},
    "release_changes": {"change_id": _CHANGE_ID},
    "receipt_codes": {
        "digest": _DIGEST.format("a client's code withdraws another's consent, or is refused; it never permits."),
        "digest_key": _DIGEST.format("the code is refused; withdrawing by reference goes on."),
    },
    "link_codes": {
        "digest": _DIGEST.format(
            "a code that was handed out links another client than it was made for. The row of the link names which,"
            " and the link's event commits to it."
        ),
        "digest_key": _DIGEST.format("the code is refused."),
    },
    "credentials": {
        "secret_key": "Names the key of the next column. Harm: the credential proves nothing any more.",
        "secret_mac": "A keyed digest of client id and secret: without the key file nobody can make one that a secret"
        " of his own fits, and another credential's does not fit here. Harm: the credential proves nothing any more.",
    },
    "catalogue_versions": {
        "*": "A counter by which processes notice a change. Harm: one keeps an older picture until it is started anew."
    },
    "changes": {
        "*": "The feed is derived from acts that are compared. Harm: a partner is told"
        " late or never of a withdrawal; its next question is answered by the withdrawal all the same."
    },
    "code_failures": {"*": "Counted for a throttle and swept. Harm: guessing is throttled later, or sooner."},
    "idempotency_keys": {
        "*": "Answers given before, sealed, kept for two days. Harm: a repeated request gets another answer of the"
        " same partner's; that answer has an event and, as a receipt, its own client's commitment."
    },
    "key_rotations": {
        "*": "Which keys the log has named, so that it names each once. Harm: it names one twice, or not."
    },
    "schema_migrations": {"*": "Whose digests start-up compares with the program's own. Harm: it refuses to start."},
    "checkpoints": {"published_at": "When it was; witnesses say when they saw it. Harm: it is signed again too late."},
}
# These are judged by a fresh export, by verify and by the sealer (tampering_log.py).
OF_THE_LOG: Mapping[str, frozenset[str]] = {
    "events": frozenset(
        {"log_index", "at", "event_id", "client_id", "network_id", "actor_id", "sender_id", "recipient_id"}
        | {"purpose_id", "kind", "outcome", "person", "nonce", "event"}
    ),
    "leaves": frozenset({"network_id", "log_index", "leaf"}),
    "tiles": frozenset({"network_id", "level", "number", "width", "data"}),
    "checkpoints": frozenset({"network_id", "size", "root", "note"}),
}
