"""Transfers held against what permitted them: without a permit, beyond it, outside its time, or on grants that did not
hold (docs/reconciliation.md). What permits later heals nothing that was sent before.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from consent_registry.domain.decisions import Outcome
from consent_registry.domain.findings import CLOCKS_DIFFER, Finding, FindingKind

StopKind = Literal["withdrawn", "invalidated", "restricted", "unrestricted", "ended"]

# In which way a grant did not hold, and as what that is told.
_TOLD_AS: Mapping[StopKind, FindingKind] = {
    "withdrawn": "transfer_after_withdrawal",
    "invalidated": "transfer_on_void_grant",
    "restricted": "transfer_under_restriction",
    "ended": "transfer_after_ending",
}


class Decided(msgspec.Struct, frozen=True):
    """What a decision said, as its event tells."""

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


class Sent(msgspec.Struct, frozen=True):
    """A transfer that its sender reported as sent: when it says it was, and when it said so."""

    transfer_id: str
    decision_id: str
    categories: tuple[str, ...]
    transferred_at: datetime
    reported_at: datetime


class Stopped(msgspec.Struct, frozen=True):
    """What took categories from a grant: a withdrawal, since the first controller received it; an ending; a
    restriction, until one that is `unrestricted` lifts it; an invalidation, which voids from the start, so whenever
    something was sent. And when it was recorded. `of` names the grant that it befell: this one, or another that it
    depends on.
    """

    categories: frozenset[str]
    effective_at: datetime
    recorded_at: datetime
    kind: StopKind = "withdrawn"
    of: str = ""


class UsedGrant(msgspec.Struct, frozen=True):
    """A grant that a permit named, with what took categories from it."""

    categories: frozenset[str]
    stops: tuple[Stopped, ...] = ()


def judge_transfer(sent: Sent, decided: Decided, grants: Mapping[str, UsedGrant]) -> list[Finding]:
    """What is to be looked at in a transfer that followed this decision; `grants` by id, those that it named.

    What the agreement or the sender places on a statute is not judged: the registry knows no statutes.
    """
    if decided.outcome == "not_consent_based":
        return []
    permitted = tuple(one for one in sent.categories if one in decided.permitted)
    statutory = set(decided.not_consent_based)
    surplus = tuple(one for one in sent.categories if one not in decided.permitted and one not in statutory)
    found = []
    if surplus:
        kind: FindingKind = "transfer_broader" if decided.permitted else "transfer_without_permit"
        found.append(_about(kind, sent, decided, sent.categories, surplus))
    if permitted and sent.transferred_at < decided.decided_at - CLOCKS_DIFFER:
        found.append(_about("transfer_before_permit", sent, decided, permitted))
    if permitted and sent.transferred_at >= decided.expires_at:
        found.append(_about("transfer_after_expiry", sent, decided, permitted))
    used = [grants[one] for one in decided.grant_ids if one in grants]
    return found + _judge_grants(sent, decided, permitted, used)


def _about(
    kind: FindingKind, sent: Sent, decided: Decided, categories: tuple[str, ...], surplus: tuple[str, ...] = ()
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


def _judge_grants(sent: Sent, decided: Decided, permitted: Sequence[str], used: Sequence[UsedGrant]) -> list[Finding]:
    """Sent when none of the grants that the permit named held a category any more, told for each way in which one of
    them fell, whether that was recorded by then or not: a permit from between is no fault of the sender, and still a
    transfer that nobody had agreed to. The facts are those that were known first.
    """
    found = []
    stops = {
        one: [_stops(grant, one, sent.transferred_at) for grant in used if one in grant.categories] for one in permitted
    }
    gone = {one: several for one, several in stops.items() if all(several)}
    for way, kind in _TOLD_AS.items():
        falls = {one: fall for one, several in gone.items() if (fall := _fall(way, several)) is not None}
        if falls:
            known_at, stop = min(falls.values(), key=lambda fall: (fall[0], *_order(fall[1])))
            finding = _about(kind, sent, decided, tuple(falls))
            since = "received_at" if way == "withdrawn" else "effective_at"
            times = {**finding.times, since: stop.effective_at, "recorded_at": stop.recorded_at}
            known_at = max(sent.reported_at, known_at)
            found.append(msgspec.structs.replace(finding, times=times, known_at=known_at))
    return found


def _fall(way: StopKind, stops: Sequence[Sequence[Stopped]]) -> tuple[datetime, Stopped] | None:
    """When it was known that none of some grants held, `stops` being what kept each, and that one of them had fallen in
    this way; and what made it fall: where it is the one that was known to fall last, that, else the first. None where
    none fell so. As each was recorded: what is recorded later changes nothing of it.
    """
    in_this_way = [one for several in stops for one in several if one.kind == way]
    if not in_this_way:
        return None
    last = max((min(several, key=_order) for several in stops), key=_order)
    told = last if last.kind == way else min(in_this_way, key=_order)
    return max(last.recorded_at, told.recorded_at), told


def _stops(grant: UsedGrant, category: str, at: datetime) -> list[Stopped]:
    """What kept this category from being sent on a grant at a moment."""
    known = [
        one
        for one in grant.stops
        if category in one.categories and (one.kind == "invalidated" or one.effective_at <= at)
    ]
    lifted = [one for one in known if one.kind == "unrestricted"]
    return [
        one
        for one in known
        if one.kind != "unrestricted"
        and not (one.kind == "restricted" and any(_lifts(lifting, one) for lifting in lifted))
    ]


def _lifts(lifting: Stopped, restriction: Stopped) -> bool:
    return lifting.of == restriction.of and lifting.effective_at >= restriction.effective_at


def _order(stop: Stopped) -> tuple[datetime, datetime]:
    return stop.recorded_at, stop.effective_at
