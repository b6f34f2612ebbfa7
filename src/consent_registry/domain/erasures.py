"""Erasure (Art. 17 DSGVO): its grounds, and what is kept and why. A DPO must still confirm the norms."""

import msgspec

GROUNDS = {
    "no_longer_needed": "Art. 17 Abs. 1 lit. a DSGVO",
    "consent_withdrawn": "Art. 17 Abs. 1 lit. b DSGVO",
    "objection": "Art. 17 Abs. 1 lit. c DSGVO",
    "unlawful": "Art. 17 Abs. 1 lit. d DSGVO",
    "legal_duty": "Art. 17 Abs. 1 lit. e DSGVO",
    "child": "Art. 17 Abs. 1 lit. f DSGVO",
}
# The grounds of a legal hold.
HOLD_NORMS = {
    "legal_claims": "Art. 17 Abs. 3 lit. e DSGVO",
    "legal_duty": "Art. 17 Abs. 3 lit. b DSGVO",
    "restriction": "Art. 18 Abs. 1 lit. c DSGVO",
}


class KeptData(msgspec.Struct, frozen=True):
    """Something that an erasure does not remove, and the norm that allows this."""

    what: str
    norm: str


LEAVES = KeptData(
    "leaves, tiles and checkpoints of the log: commitments whose keys are erased, nothing personal",
    "Art. 5 Abs. 2, Art. 17 Abs. 3 lit. b DSGVO",
)
ERASURE_EVENT = KeptData(
    "the event that says which places of the log were emptied and on which ground, without a word about whom",
    "Art. 5 Abs. 2, Art. 17 Abs. 3 lit. b DSGVO",
)
LEDGER = KeptData(
    "the random client numbers in the erasure ledger outside the database, so that a restored backup is erased again",
    "Art. 17 Abs. 1, Art. 32 Abs. 1 lit. c DSGVO",
)
BACKUPS = KeptData(
    "backups and the write-ahead log until their own period ends; what is restored from them is erased again",
    "Art. 32 Abs. 1 lit. c DSGVO",
)
PARTNERS_FILES = KeptData(
    "what the partners named above keep in their own files: each answers for its own and is to be told",
    "Art. 17 Abs. 1, Art. 19 DSGVO",
)
ALWAYS_KEPT = (LEAVES, ERASURE_EVENT, LEDGER, BACKUPS, PARTNERS_FILES)
