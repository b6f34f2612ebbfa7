"""What replay cannot compare, column by column: why no event can tell it, and what harm a change of it could do.

A new column is in an event, so that replay compares it, or is explained here.
"""

from collections.abc import Mapping

_WITH_KEYS = "Found by `audit replay --keys`, which the campaign asks as well."
_SEALED = (
    "Sealed by AES-GCM for its row under a key that the database does not have; the event commits to the text."
    f" {_WITH_KEYS} Harm: without that, a text is lost, and whoever reads it gets an error."
)
_CHANGE_ID = "A random number that only keys the row; the change is compared by its act. Harm: none."

# By table and column; `*` is every column of a table that is not replayed at all.
UNTOLD: Mapping[str, Mapping[str, str]] = {
    "client_references": {
        "digest": f"A digest under a key that is rotated, so no event may hold it (docs/design/log.md). {_WITH_KEYS}"
        " Harm: without that, a client is not found, and asked about as an unknown one; exchanged between two clients"
        " of one partner, decisions about each are answered by the other's consents, and everything else is an error.",
        "digest_key": f"Names the key of that digest. {_WITH_KEYS} Harm: without that, its key may be dropped early.",
        "sealed": _SEALED,
    },
    "consents": {"evidence_kept_at": _SEALED},
    "consent_evidence": {"kept_at": _SEALED},
    "releases": {"function_sealed": _SEALED},
    "grant_changes": {"change_id": _CHANGE_ID},
    "release_changes": {"change_id": _CHANGE_ID},
    "catalogue_versions": {
        "*": "A counter by which processes notice a change. Harm: one keeps an older picture until it is started anew."
    },
    "changes": {
        "*": "The feed is derived from acts that are compared. Harm: a partner is told"
        " late or never of a withdrawal; its next question is answered by the withdrawal all the same."
    },
    "code_failures": {"*": "Counted for a throttle and swept. Harm: guessing is throttled later, or sooner."},
    "idempotency_keys": {
        "*": "Answers given before, sealed, kept for two days. Each is sealed for its own key and body. Harm: a"
        " repeated request gets an error, or is done again."
    },
    "key_rotations": {
        "*": "Which keys the log has named, so that it names each once. Harm: it names one twice, or not."
    },
    "schema_migrations": {"*": "Whose digests start-up compares with the program's own. Harm: it refuses to start."},
    "schema_functions": {"*": "As the line above: of functions. Harm: it refuses to start, or they are made again."},
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
# Found by nobody but who has the keys: by table, the columns.
WITH_KEYS: Mapping[str, tuple[str, ...]] = {
    "client_references": ("digest", "digest_key", "sealed"),
    "consents": ("evidence_kept_at",),
    "consent_evidence": ("kept_at",),
    "releases": ("function_sealed",),
}
