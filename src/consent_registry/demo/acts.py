"""The act of a made-up client: method, evidence, explanation and interpreter, as the rules on form and secrecy demand.

The choices rotate with `ordinal`, so that the demonstration shows every method, language and kind of interpreter.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from hashlib import sha256

JSON = dict[str, object]

LANGUAGES = ("de", "ar", "uk", "tr", "en")
TOLD = ["consequences_of_refusal", "withdrawal", "complaint"]
# § 8 Abs. 2 KDG (old) demanded written form until 28 February 2026. A further day allows for the time zone.
KDG_WRITTEN_UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
DURABLE = ("written", "signature_pad", "electronic")
MEDIA_TYPES = {"written": "application/pdf", "signature_pad": "image/png", "electronic": "application/pdf"}
# Family members interpret sometimes. This is recorded, so that the DPO sees it.
INTERPRETERS = ("lay", "sworn", "staff", "none", "lay", "sworn", "family")


def instant(value: datetime) -> str:
    """An instant in the format of requests: RFC 3339, UTC, six decimals."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def method(regimes: Collection[str | None], given_at: datetime, *, special: bool, ordinal: int) -> str:
    """A method that the stricter regime of both sides allowed for these data at that time."""
    if "kdg" in regimes and given_at < KDG_WRITTEN_UNTIL:
        return "written"
    durable_only = special or "sgb_x" in regimes
    choices: Sequence[str] = DURABLE if durable_only else (*DURABLE, "oral")
    return choices[ordinal % len(choices)]


def act(how: str, given_at: datetime, evidence_of: str) -> JSON:
    """The act with the digest of its imagined evidence. An oral act has none, but a reason for its form."""
    if how == "oral":
        return {"method": how, "given_at": instant(given_at), "special_circumstances": "remote", "evidence": None}
    evidence = {
        "sha256": sha256(evidence_of.encode()).hexdigest(),
        "media_type": MEDIA_TYPES[how],
        "kept_at": f"Akte {evidence_of.rsplit('/', 2)[1]}",
    }
    return {"method": how, "given_at": instant(given_at), "special_circumstances": None, "evidence": evidence}


def interpreter(language: str, *, special: bool, required: bool, ordinal: int) -> JSON:
    """The interpreter: none for German, a sworn one for special data, no relative if an interpreter is required."""
    if language == "de":
        return {"kind": "none"}
    choices = ("sworn",) if special else INTERPRETERS[:3] if required else INTERPRETERS
    kind = choices[ordinal // len(LANGUAGES) % len(choices)]
    return {"kind": kind} if kind == "none" else {"kind": kind, "language": language}


def information(how: str, language: str, interpreted_by: JSON, ordinal: int) -> JSON:
    """The information that the client got, and from whom. The copy of an oral consent follows by post. Every client
    speaks the language of its text.
    """
    return {
        "explained_by": f"B-{11 + ordinal % 7}",
        "interpreter": interpreted_by,
        "told": TOLD,
        "copy_handed": how != "oral",
        "client_language": language,
    }


def giver(given_at: datetime, *, for_child: bool, for_adult: bool, ordinal: int) -> JSON:
    """The giver: parents for a child at school, otherwise an adult or sometimes a young person with insight. The child
    comes of age at least six years later, and either both parents decide or one who has sole custody.
    """
    if for_child:
        year, month = divmod(given_at.year * 12 + given_at.month - 1 + 6 * 12 + ordinal % 90, 12)
        care: JSON = {"care": "joint", "co_givers": [{"role": "parent"}]} if ordinal % 3 else {"care": "sole"}
        return {"role": "parent", "age_band": "under_14", "adult_from": f"{year}-{month + 1:02}", **care}
    if (ordinal + 1) % 11 == 0 and not for_adult:
        return {
            "role": "self",
            "age_band": "15_17",
            "insight": "present",
            "insight_assessed_by": f"B-{11 + ordinal % 7}",
        }
    return {"role": "self", "age_band": "adult"}
