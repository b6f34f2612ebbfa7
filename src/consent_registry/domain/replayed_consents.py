"""What acts on consents tell of the tables' rows: recording, withdrawing, confirming, ending, voiding, restricting."""

from collections.abc import Callable, Mapping

from consent_registry.domain.told_rows import UNTOLD, Facts, ToldRows, at, at_or_none, listed

# What partners do to grants, by the kind of its event.
_CHANGES = {
    "confirmation": "confirmed",
    "ending": "ended",
    "invalidation": "invalidated",
    "restriction": "restricted",
    "restriction_lifting": "unrestricted",
}


def _consent(told: ToldRows, event: Facts) -> None:
    grants, giver, information = event["grants"], event["giver"], event["information"]
    evidence = event["evidence"] or {"sha256": None, "media_type": None}
    now, actor = at(event["at"]), event["actor"]
    partners = listed({actor, *(one[side] for one in grants for side in ("sender", "recipient"))})
    whose = {"consent_id": event["id"], "client_id": event["client"]}
    told.add(
        "consents",
        **whose,
        recorder_id=actor,
        partner_ids=partners,
        text_id=event["text"]["id"],
        language=event["text"]["language"],
        giver_role=giver["role"],
        giver_age_band=giver["age_band"],
        giver_insight_assessed_by=giver["insight_assessed_by"],
        giver_mandate_until=at_or_none(giver["mandate_until"]),
        guardian_id=giver["partner"],
        method=event["method"],
        special_circumstances=event["special_circumstances"],
        evidence_sha256=evidence["sha256"],
        evidence_media_type=evidence["media_type"],
        explained_by=information["explained_by"],
        interpreter_kind=information["interpreter"]["kind"],
        interpreter_language=information["interpreter"]["language"],
        told=tuple(information["told"]),
        copy_handed=information["copy_handed"],
        given_at=at(event["given_at"]),
        valid_from=min(at(one["valid_from"]) for one in grants),
        valid_until=max(at(one["valid_until"]) for one in grants),
        renews=event["renews"],
        remarks=tuple(event["remarks"]),
        recorded_at=now,
    )
    told.add("receipt_codes", **whose, issue=1, partner_ids=partners, recorded_at=now)
    for one in grants:
        _grant(told, event, one)
    _releases(told, event)
    _text(told, event["text"])
    _renewals(told, event)


def _grant(told: ToldRows, event: Facts, one: Facts) -> None:
    told.add(
        "grants",
        grant_id=one["grant"],
        consent_id=event["id"],
        client_id=event["client"],
        recorder_id=event["actor"],
        sender_id=one["sender"],
        recipient_id=one["recipient"],
        purpose_id=one["purpose"],
        category_ids=listed(one["categories"]),
        explicit=one["explicit"],
        answer=one["answer"],
        valid_from=at(one["valid_from"]),
        valid_until=at(one["valid_until"]),
        # Before grants told whose data else is in them they did not keep when they were given either.
        given_at=at(event["given_at"]) if "third_parties" in one else None,
        third_parties=one.get("third_parties"),
        third_party_grants=tuple(one.get("third_party_grants", ())) or None,
    )


def _releases(told: ToldRows, event: Facts) -> None:
    for one in event["releases"]:
        told.add(
            "releases",
            consent_id=event["id"],
            client_id=event["client"],
            release_id=one["release"],
            partner_ids=listed({event["actor"], one["holder"], one["towards"]}),
            holder_id=one["holder"],
            towards_id=one["towards"],
            person=one["person"],
        )


def _text(told: ToldRows, text: Facts) -> None:
    """A consent says which bytes its client was shown; so may several."""
    key, sha256 = (text["id"], text["language"]), text["sha256"]
    if not told.has("text_languages", *key):
        told.add(
            "text_languages",
            text_id=key[0],
            language=key[1],
            sha256=sha256,
            content=sha256,
            translation_of=UNTOLD,
        )
    elif told.rows["text_languages"][key][0] != sha256:
        raise ValueError("this text had other bytes before")


def _change(told: ToldRows, event: Facts, grant: str, kind: str, **values: object) -> None:
    if not told.has("grants", grant):
        told.unattached += 1
        return
    parties = {told.value("grants", grant, side) for side in ("recorder_id", "sender_id", "recipient_id")}
    row = {"category_ids": None, "valid_until": None, "by_grant_id": None} | values
    told.add(
        "grant_changes",
        grant_id=grant,
        act_id=event["id"],
        kind=kind,
        client_id=told.value("grants", grant, "client_id"),
        partner_ids=listed(parties),
        recorded_at=at(event["at"]),
        **row,
    )


def _renewals(told: ToldRows, event: Facts) -> None:
    for one in event.get("renewed", ()):
        times = {"effective_at": at(one["effective_at"]), "valid_until": at(one["valid_until"])}
        _change(told, event, one["grant"], "renewed", by_grant_id=one["by"], **times)
    for one in event.get("unrenewed", ()):
        times = {"effective_at": at(one["effective_at"])}
        _change(told, event, one["grant"], "unrenewed", by_grant_id=one["by"], **times)


def _change_grants(told: ToldRows, event: Facts) -> None:
    named = event.get("categories")
    for grant in event["grants"]:
        parts = None
        if named is not None and told.has("grants", grant):
            parts = listed(set(named).intersection(told.value("grants", grant, "category_ids")))
        effective_at = at(event["effective_at"])
        _change(told, event, grant, _CHANGES[event["kind"]], category_ids=parts, effective_at=effective_at)
    _renewals(told, event)


def _withdrawal(told: ToldRows, event: Facts) -> None:
    now, received = at(event["at"]), at(event["received_at"])
    told.add(
        "withdrawals",
        withdrawal_id=event["id"],
        client_id=event["client"],
        partner_id=event["actor"],
        channel=event["channel"],
        declared_at=at(event["declared_at"]),
        received_at=received,
        recorded_at=now,
    )
    for one in event["grants"]:
        parts = None if one["categories"] is None else listed(one["categories"])
        _change(told, event, one["grant"], "withdrawn", category_ids=parts, effective_at=received)
    for release in event["releases"]:
        if not told.has("releases", release):
            told.unattached += 1
            continue
        told.add(
            "release_changes",
            release_id=release,
            act_id=event["id"],
            kind="withdrawn",
            client_id=told.value("releases", release, "client_id"),
            partner_ids=told.value("releases", release, "partner_ids"),
            effective_at=received,
            recorded_at=now,
        )


def _evidence(told: ToldRows, event: Facts) -> None:
    told.add(
        "consent_evidence",
        consent_id=event["consent"],
        evidence_id=event["id"],
        client_id=event["client"],
        partner_ids=(event["actor"],),
        sha256=event["sha256"],
        media_type=event["media_type"],
        recorded_at=at(event["at"]),
    )


def _receipt_code(told: ToldRows, event: Facts) -> None:
    told.add(
        "receipt_codes",
        consent_id=event["consent"],
        issue=event["issue"],
        client_id=event["client"],
        partner_ids=told.value("consents", event["consent"], "partner_ids"),
        recorded_at=at(event["at"]),
    )


CONSENT_ACTS: Mapping[str, Callable[[ToldRows, Facts], None]] = {
    "consent": _consent,
    "withdrawal": _withdrawal,
    "evidence": _evidence,
    "receipt_code": _receipt_code,
    **dict.fromkeys(_CHANGES, _change_grants),
}
