"""What events tell of everything around consents: clients and their links, texts, approvals, suspensions, removals."""

from collections.abc import Callable, Mapping

from consent_registry.domain.told_rows import UNTOLD, Facts, ToldRows, at, at_or_none


def _catalogue(told: ToldRows, event: Facts) -> None:
    now = at(event["at"])
    if periods := event.get("retention"):
        years = {"use_years": periods["use_years"], "consent_years": periods["consent_years"]}
        told.add("retention_periods", period_id=event["id"], recorded_at=now, **years)
        return
    for slug in event["partners"]:
        told.add("partners", slug=slug, recorded_at=now)
    for version in event["agreements"]:
        told.add("agreements", version=version, recorded_at=now)
    for version in event["texts"]:
        told.add("texts", version=version, text_id=UNTOLD, recorded_at=now)
        told.set_up(version)


def _text(told: ToldRows, event: Facts) -> None:
    told.add("texts", version=event["version"], text_id=event["text"], recorded_at=at(event["at"]))
    for one in event["languages"]:
        bytes_of = {"sha256": one["sha256"], "content": one["sha256"], "translation_of": one["translation_of"]}
        told.add("text_languages", text_id=event["text"], language=one["language"], **bytes_of)


def _text_invalidation(told: ToldRows, event: Facts) -> None:
    named = {"text_id": event["text"], "language": event["language"], "reason": event["reason"]}
    told.add("text_invalidations", invalidation_id=event["id"], recorded_at=at(event["at"]), **named)


def _stale_translation(told: ToldRows, event: Facts) -> None:
    named = {"text_id": event["text"], "language": event["language"], "reason": event["reason"]}
    told.add("stale_translations", staling_id=event["id"], recorded_at=at(event["at"]), **named)


def _suspension(told: ToldRows, event: Facts) -> None:
    told.add("suspensions", suspension_id=event["id"], partner_id=event["partner"], recorded_at=at(event["at"]))


def _reinstatement(told: ToldRows, event: Facts) -> None:
    ended = event["suspension"]
    told.add("reinstatements", reinstatement_id=event["id"], suspension_id=ended, recorded_at=at(event["at"]))


def _approval(told: ToldRows, event: Facts) -> None:
    told.add(
        "approvals",
        approval_id=event["id"],
        partner_id=event["subject"].get("partner"),
        subject_purpose_id=event["subject"].get("purpose"),
        sender_id=event["sender"],
        recipient_id=event["recipient"],
        purpose_id=event["purpose"],
        approved_by=event["approved_by"],
        norm=event["norm"],
        valid_until=at_or_none(event["valid_until"]),
        recorded_at=at(event["at"]),
    )


def _approval_revocation(told: ToldRows, event: Facts) -> None:
    ended = {"approval_id": event["approval"], "revoked_by": event["revoked_by"]}
    told.add("approval_revocations", revocation_id=event["id"], recorded_at=at(event["at"]), **ended)


def _client(told: ToldRows, event: Facts) -> None:
    now = at(event["at"])
    told.add("clients", client_id=event["client"], recorded_at=now)
    told.add("client_references", client_id=event["client"], partner_id=event["actor"], recorded_at=now)


def _join(told: ToldRows, event: Facts, group: str) -> None:
    """A link says of everybody who is one client from then on which group that is; an unlinking takes one out."""
    client = event["client"]
    told.positions[client] += 1
    place = {"client_id": client, "position": told.positions[client]}
    told.add("client_memberships", group_id=group, recorded_at=at(event["at"]), **place)


def _link(told: ToldRows, event: Facts) -> None:
    _join(told, event, event["group"])
    if event["id"] == event["group"]:
        told.add(
            "links",
            link_id=event["id"],
            link_code_id=event["link_code"],
            client_id=event["client"],
            partner_id=event["actor"],
            recorded_at=at(event["at"]),
        )


def _unlinking(told: ToldRows, event: Facts) -> None:
    _join(told, event, event["id"])
    told.add(
        "unlinkings",
        unlinking_id=event["id"],
        client_id=event["client"],
        partner_id=event["actor"],
        left_group_id=event["left"],
        linked_at=at(event["linked_at"]),
        recorded_at=at(event["at"]),
    )


def _link_code(told: ToldRows, event: Facts) -> None:
    told.add(
        "link_codes",
        link_code_id=event["id"],
        client_id=event["client"],
        partner_id=event["actor"],
        for_partner_id=event["partner"],
        expires_at=at(event["expires_at"]),
        recorded_at=at(event["at"]),
    )


def _hold(told: ToldRows, event: Facts) -> None:
    why = {"client_id": event["client"], "norm": event["norm"], "placed_by": event["placed_by"]}
    told.add("holds", hold_id=event["id"], recorded_at=at(event["at"]), **why)


def _hold_lifting(told: ToldRows, event: Facts) -> None:
    whose = {"client_id": event["client"], "lifted_by": event["lifted_by"]}
    told.add("hold_liftings", hold_id=event["hold"], recorded_at=at(event["at"]), **whose)


def _erasure(told: ToldRows, event: Facts) -> None:
    what = {"ground": event["ground"], "events": sum(high - low + 1 for low, high in event["indices"])}
    told.add("erasures", erasure_id=event["id"], recorded_at=at(event["at"]), **what)


def _retention(told: ToldRows, event: Facts) -> None:
    told.add("retentions", retention_id=event["id"], events=event["events"], recorded_at=at(event["at"]))


FRAME_ACTS: Mapping[str, Callable[[ToldRows, Facts], None]] = {
    "catalogue": _catalogue,
    "text": _text,
    "text_invalidation": _text_invalidation,
    "stale_translation": _stale_translation,
    "suspension": _suspension,
    "reinstatement": _reinstatement,
    "approval": _approval,
    "approval_revocation": _approval_revocation,
    "client": _client,
    "link": _link,
    "unlinking": _unlinking,
    "link_code": _link_code,
    "hold": _hold,
    "hold_lifting": _hold_lifting,
    "erasure": _erasure,
    "retention": _retention,
}
