"""Compares transfers with their permits (docs/reconciliation.md): without a permit, broader than it, outside its time,
or on grants that were no longer in force. A later permit does not make an earlier transfer lawful.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from consent_registry.domain.decisions import Outcome
from consent_registry.domain.findings import CLOCKS_DIFFER, Finding, FindingKind
from consent_registry.domain.grants import Precision
from consent_registry.domain.withdrawals import is_given_until

StopKind = Literal["withdrawn", "invalidated", "restricted", "unrestricted", "ended"]

# The finding for each way in which a grant can stop permitting.
_FINDING_KINDS: Mapping[StopKind, FindingKind] = {
    "withdrawn": "transfer_after_withdrawal",
    "invalidated": "transfer_on_void_grant",
    "restricted": "transfer_under_restriction",
    "ended": "transfer_after_ending",
}


class RecordedDecision(msgspec.Struct, frozen=True):
    """A decision's answer, read from its event."""

    decision_id: str
    log_index: int
    client_id: str | None
    outcome: Outcome
    decided_at: datetime
    expires_at: datetime
    recipient: str
    purpose: str
    permitted: tuple[str, ...]
    not_consent_based: tuple[str, ...]
    grant_ids: tuple[str, ...]


class SentTransfer(msgspec.Struct, frozen=True):
    """A transfer that its sender reported as sent. `transferred_at` is the sender's statement, `reported_at` ours."""

    transfer_id: str
    decision_id: str
    categories: tuple[str, ...]
    transferred_at: datetime
    reported_at: datetime


class StoppingChange(msgspec.Struct, frozen=True):
    """A change that stopped a grant from permitting some categories.

    A withdrawal counts from its receipt by the first controller, but never for a time before the consent existed
    (`withdrawn_from`), a restriction until an `unrestricted` lifts it, an
    invalidation always, because it voids from the start. `of` is the changed grant: this one, or one that it depends
    on.
    """

    categories: frozenset[str]
    effective_at: datetime
    recorded_at: datetime
    kind: StopKind = "withdrawn"
    of: str = ""


def withdrawn_from(
    given_at: datetime | None,
    precision: Precision,
    paper_recorded_at: datetime | None,
    received_at: datetime,
    recorded_at: datetime,
) -> datetime:
    """From when a withdrawal counts for transfers: from its receipt; from its recording where the client gave the
    consent after that, because until then transfers rested on that later yes.
    """
    return received_at if is_given_until(given_at, precision, paper_recorded_at, received_at) else recorded_at


class UsedGrant(msgspec.Struct, frozen=True):
    """A grant that a permit named, with the changes that stopped its categories."""

    categories: frozenset[str]
    stops: tuple[StoppingChange, ...] = ()


def judge_transfer(sent: SentTransfer, decided: RecordedDecision, grants: Mapping[str, UsedGrant]) -> list[Finding]:
    """The findings about one transfer, given its decision and, by id, the grants that the decision named.

    Categories on a statutory basis are not judged: the registry does not interpret statutes.
    """
    if decided.outcome == "not_consent_based":
        return []
    permitted = tuple(category for category in sent.categories if category in decided.permitted)
    allowed = {*decided.permitted, *decided.not_consent_based}
    surplus = tuple(category for category in sent.categories if category not in allowed)
    found = []
    if surplus:
        kind: FindingKind = "transfer_broader" if decided.permitted else "transfer_without_permit"
        found.append(_about(kind, sent, decided, sent.categories, surplus))
    if permitted and sent.transferred_at < decided.decided_at - CLOCKS_DIFFER:
        found.append(_about("transfer_before_permit", sent, decided, permitted))
    if permitted and sent.transferred_at >= decided.expires_at:
        found.append(_about("transfer_after_expiry", sent, decided, permitted))
    used = [grants[grant_id] for grant_id in decided.grant_ids if grant_id in grants]
    return found + _judge_grants(sent, decided, permitted, used)


def _about(
    kind: FindingKind,
    sent: SentTransfer,
    decided: RecordedDecision,
    categories: tuple[str, ...],
    surplus: tuple[str, ...] = (),
) -> Finding:
    times = {
        "decided_at": decided.decided_at,
        "expires_at": decided.expires_at,
        "transferred_at": sent.transferred_at,
        "reported_at": sent.reported_at,
    }
    return Finding(
        kind=kind,
        subject=sent.transfer_id,
        known_at=sent.reported_at,
        times=times,
        decision_id=decided.decision_id,
        client_id=decided.client_id,
        log_index=decided.log_index,
        categories=categories,
        surplus=surplus,
    )


def _judge_grants(
    sent: SentTransfer, decided: RecordedDecision, permitted: Sequence[str], used: Sequence[UsedGrant]
) -> list[Finding]:
    """Findings for categories that no grant of the permit permitted at the time of the transfer: one finding for each
    kind of change that stopped a grant.

    A change counts from its date, even if it was recorded after the transfer. Then the sender, which had a permit, is
    not at fault, but nobody had agreed to the transfer. Of several changes the one known first counts.
    """
    found = []
    stops = {
        category: [_stops(grant, category, sent.transferred_at) for grant in used if category in grant.categories]
        for category in permitted
    }
    stopped = {category: of_grants for category, of_grants in stops.items() if all(of_grants)}
    for way, kind in _FINDING_KINDS.items():
        falls = {
            category: fall for category, of_grants in stopped.items() if (fall := _fall(way, of_grants)) is not None
        }
        if falls:
            known_at, stop = min(falls.values(), key=lambda fall: (fall[0], *_order(fall[1])))
            finding = _about(kind, sent, decided, tuple(falls))
            since = "received_at" if way == "withdrawn" else "effective_at"
            times = {**finding.times, since: stop.effective_at, "recorded_at": stop.recorded_at}
            known_at = max(sent.reported_at, known_at)
            found.append(msgspec.structs.replace(finding, times=times, known_at=known_at))
    return found


def _fall(way: StopKind, stops: Sequence[Sequence[StoppingChange]]) -> tuple[datetime, StoppingChange] | None:
    """When the registry knew that all grants were stopped and that at least one was stopped in this `way`, and by which
    change. `stops` holds each grant's changes. None if no grant was stopped in this way.

    A grant counts as stopped from its first recorded change. The change returned is that of the grant stopped last, if
    it is of this kind, else the first of this kind. So a change recorded later never alters an earlier finding.
    """
    in_this_way = [stop for of_grant in stops for stop in of_grant if stop.kind == way]
    if not in_this_way:
        return None
    last = max((min(of_grant, key=_order) for of_grant in stops), key=_order)
    cause = last if last.kind == way else min(in_this_way, key=_order)
    return max(last.recorded_at, cause.recorded_at), cause


def _stops(grant: UsedGrant, category: str, at: datetime) -> list[StoppingChange]:
    """The changes that stopped a grant from permitting this category at a moment."""
    effective = [
        stop
        for stop in grant.stops
        if category in stop.categories and (stop.kind == "invalidated" or stop.effective_at <= at)
    ]
    liftings = [stop for stop in effective if stop.kind == "unrestricted"]
    return [
        stop
        for stop in effective
        if stop.kind != "unrestricted"
        and not (stop.kind == "restricted" and any(_lifts(lifting, stop) for lifting in liftings))
    ]


def _lifts(lifting: StoppingChange, restriction: StoppingChange) -> bool:
    return lifting.of == restriction.of and lifting.effective_at >= restriction.effective_at


def _order(stop: StoppingChange) -> tuple[datetime, datetime]:
    return stop.recorded_at, stop.effective_at
