"""What acts on consents tell of the tables' rows: recording, withdrawing, confirming, ending, voiding, restricting."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from consent_registry.domain.grants import readers_of
from consent_registry.domain.table_check.expected_rows import UNTOLD, Facts, ToldRows, at, listed
from consent_registry.domain.table_check.row_mapping import Act, Computed, Said, code_columns, rows


def _readers(said: Said) -> tuple[str, ...]:
    return listed(_readers_of_grants(said.event["actor"], said.event["grants"]))


def _release_readers(said: Said) -> tuple[str, ...]:
    sides = (said.one["holder"], said.one["towards"])
    served = [one for one in said.event["grants"] if (one["sender"], one["recipient"]) == sides]
    return listed(_readers_of_grants(said.event["actor"], served))


def _readers_of_grants(recorder: str, grants: Sequence[Facts]) -> frozenset[str]:
    each = [readers_of(one["answer"], recorder, one["sender"], one["recipient"]) for one in grants]
    return frozenset({recorder}).union(*each)


def _actor_alone(said: Said) -> tuple[str, ...]:
    return (said.event["actor"],)


def _consent_readers(said: Said) -> Any:  # noqa: ANN401 - a column
    return said.told.value("consents", "partner_ids", said.event["consent"])


def _first_from(said: Said) -> datetime:
    return min(at(one["valid_from"]) for one in said.event["grants"])


def _last_until(said: Said) -> datetime:
    return max(at(one["valid_until"]) for one in said.event["grants"])


def _given_at(said: Said) -> datetime | None:
    """Before grants told whose data else is in them they did not keep when they were given either."""
    return at(said.event["given_at"]) if "third_parties" in said.one else None


def _third_party_grants(said: Said) -> tuple[str, ...] | None:
    return tuple(said.one.get("third_party_grants", ())) or None


def _shown_text(told: ToldRows, event: Facts) -> None:
    """A consent says which bytes its client was shown; so may several."""
    text = event["text"]
    key, sha256 = (text["id"], text["language"]), text["sha256"]
    if not told.has("text_languages", *key):
        _SHOWN_TEXT(told, event)
    elif told.value("text_languages", "sha256", *key) != sha256:
        raise ValueError("this text had other bytes before")


_SHOWN_TEXT = rows(
    "text_languages",
    text_id="text.id",
    language="text.language",
    sha256="text.sha256",
    content="text.sha256",
    translation_of=UNTOLD,
)


def _grant_readers(said: Said) -> tuple[str, ...]:
    names = ("answer", "recorder_id", "sender_id", "recipient_id")
    return listed(readers_of(*(said.changed_value("grants", name) for name in names)))


def _named_part(said: Said) -> tuple[str, ...] | None:
    """Of the categories that an act names a grant has some; an act that names none concerns all."""
    named = said.event.get("categories")
    return None if named is None else listed(set(named).intersection(said.changed_value("grants", "category_ids")))


def _always(word: str) -> Computed:
    return lambda _: word


def _changes(each: str, grant: str, **columns: Any) -> Act:  # noqa: ANN401 - as `rows` takes them
    """Changes of grants by one act, each told if its grant was."""
    row = {"category_ids": None, "valid_until": None, "by_grant_id": None, "effective_at": "effective_at"}
    return rows(
        "grant_changes",
        each=each,
        of=("grants", grant),
        grant_id=grant,
        client_id=lambda said: said.changed_value("grants", "client_id"),
        partner_ids=_grant_readers,
        **row | {"act_id": "id"} | columns,
    )


_RENEWED = {"by_grant_id": ".by", "effective_at": ".effective_at"}
_RENEWALS = [
    _changes("renewed?", ".grant", kind=_always("renewed"), valid_until=".valid_until", **_RENEWED),
    _changes("unrenewed?", ".grant", kind=_always("unrenewed"), **_RENEWED),
]


def _act_on_grants(kind: str) -> Sequence[Act]:
    return [_changes("grants", ".", kind=_always(kind), category_ids=_named_part), *_RENEWALS]


def _taken_by(said: Said) -> Any:  # noqa: ANN401 - a column
    """Who took a withdrawal: what is said of a number that this partner may not know has no actor."""
    return said.event["actor"] or said.event["partner"]


def _act(said: Said) -> Any:  # noqa: ANN401 - a column
    return said.event.get("act", said.event["id"])


_CONSENT = rows(
    "consents",
    consent_id="id",
    client_id="client",
    recorder_id="actor",
    partner_ids=_readers,
    text_id="text.id",
    language="text.language",
    giver_role="giver.role",
    giver_age_band="giver.age_band",
    giver_insight_assessed_by="giver.insight_assessed_by",
    giver_mandate_until="giver.mandate_until",
    guardian_id="giver.partner",
    evidence_sha256="evidence.sha256",
    evidence_media_type="evidence.media_type",
    has_kept_at=lambda said: said.event["evidence"] is not None,
    explained_by="information.explained_by",
    interpreter_kind="information.interpreter.kind",
    interpreter_language="information.interpreter.language",
    told="information.told",
    copy_handed="information.copy_handed",
    valid_from=_first_from,
    valid_until=_last_until,
)
_GRANTS = rows(
    "grants",
    each="grants",
    grant_id=".grant",
    consent_id="id",
    client_id="client",
    recorder_id="actor",
    sender_id=".sender",
    recipient_id=".recipient",
    purpose_id=".purpose",
    category_ids=".categories",
    given_at=_given_at,
    third_parties=".third_parties?",
    third_party_grants=_third_party_grants,
)
_RELEASES = rows(
    "releases",
    each="releases",
    release_id=".release",
    consent_id="id",
    client_id="client",
    partner_ids=_release_readers,
    holder_id=".holder",
    towards_id=".towards",
    has_function=lambda said: said.one["function_commitment"] is not None,
)


def _release_changes(release: str, **columns: Any) -> Act:  # noqa: ANN401 - as `rows` takes them
    return rows(
        "release_changes",
        each="releases",
        of=("releases", release),
        release_id=release,
        client_id=lambda said: said.changed_value("releases", "client_id"),
        partner_ids=lambda said: said.changed_value("releases", "partner_ids"),
        **columns,
    )


CONSENT_ACTS: Mapping[str, Sequence[Act]] = {
    "consent": [
        _CONSENT,
        rows(
            "receipt_codes",
            consent_id="id",
            issue=1,
            client_id="client",
            partner_ids=_readers,
            **code_columns("receipt_code", of="receipt_code"),
        ),
        _GRANTS,
        _RELEASES,
        _shown_text,
        *_RENEWALS,
    ],
    "withdrawal": [
        rows("withdrawals", withdrawal_id="id", client_id="client", partner_id=_taken_by, act_id=_act),
        _changes("grants", ".grant", kind=_always("withdrawn"), category_ids=".categories", effective_at="received_at"),
        _release_changes(".", act_id="id", kind=_always("withdrawn"), effective_at="received_at"),
    ],
    "evidence": [
        rows("consent_evidence", evidence_id="id", consent_id="consent", client_id="client", partner_ids=_actor_alone)
    ],
    "receipt_code": [
        rows(
            "receipt_codes",
            consent_id="consent",
            client_id="client",
            partner_ids=_consent_readers,
            **code_columns("receipt_code"),
        )
    ],
    "confirmation": _act_on_grants("confirmed"),
    "ending": _act_on_grants("ended"),
    "invalidation": _act_on_grants("invalidated"),
    "restriction": _act_on_grants("restricted"),
    "restriction_lifting": _act_on_grants("unrestricted"),
    "renewal": _RENEWALS,
}
