"""The request bodies and the form rules a second time, written from the contract and the rule table only."""

from datetime import date, datetime

import msgspec

DURABLE = {"written", "signature_pad", "electronic"}
# Stricter first; what each form accepts as a method without special circumstances.
FORMS = {
    "written": {"written"},
    "written_or_electronic": DURABLE,
    "written_or_electronic_preferred": DURABLE,
    "provable": DURABLE | {"oral"},
}
# (regime, special or not or None for any, form, since, until)
RULES = [
    ("sgb_x", False, "written_or_electronic_preferred", date(2018, 5, 25), date.max),
    ("sgb_x", True, "written_or_electronic", date(2018, 5, 25), date.max),
    ("gdpr_bdsg", None, "provable", date(2018, 5, 25), date.max),
    ("kdg", None, "written", date(2018, 5, 24), date(2026, 2, 28)),
    ("kdg", None, "provable", date(2026, 3, 1), date.max),
    ("dsg_ekd", None, "provable", date(2025, 5, 1), date.max),
    ("dsg_nrw", None, "provable", date(2018, 5, 25), date.max),
]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A struct that refuses unknown members."""


class Text(Strict, frozen=True):
    """The shown text and its language; before loading its id is its version."""

    id: str
    language: str


class Grant(Strict, frozen=True):
    """A grant of a consent."""

    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    explicit: bool
    answer: str
    third_parties: str | None = None


class Release(Strict, frozen=True):
    """A release from professional secrecy."""

    holder: str
    towards: str
    function: str
    person: str | None


class Giver(Strict, frozen=True):
    """The giver of a consent."""

    role: str
    age_band: str
    insight: str | None = None
    insight_assessed_by: str | None = None
    adult_from: str | None = None
    care: str | None = None
    co_givers: list[dict[str, str]] = []


class Evidence(Strict, frozen=True):
    """The digest of the evidence of an act."""

    sha256: str
    media_type: str
    kept_at: str


class Act(Strict, frozen=True):
    """The method and the time of a consent."""

    method: str
    given_at: datetime
    special_circumstances: str | None
    evidence: Evidence | None


class Interpreter(Strict, frozen=True):
    """The kind of interpreter, and the language."""

    kind: str
    language: str | None = None


class Information(Strict, frozen=True):
    """The information that the client got, and from whom."""

    explained_by: str
    interpreter: Interpreter
    told: list[str]
    copy_handed: bool
    client_language: str


class Body(Strict, frozen=True):
    """The members of a body of `POST /api/v1/consents` that the demonstration uses."""

    client: str
    text: Text
    grants: list[Grant]
    releases: list[Release]
    giver: Giver
    act: Act
    information: Information
    valid_until: datetime | None = None
