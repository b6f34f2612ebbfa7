"""The status of grants and consents, in the plainest possible words: the first half of the oracle.

Written from the rules as they are in docs/design/consents.md, without a look at ``domain/``. Slow and
repetitive on purpose: each rule is a loop or an ``if`` that can be compared with the sentence it comes from.
"""
# ruff: noqa: PERF401, SIM110 - plain loops, so that nothing is hidden in an expression

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .scenario_format import Change, Grant, Status

BEFORE_EVERYTHING = datetime.min.replace(tzinfo=UTC)
PRECEDENCE: tuple[Status, ...] = (
    "invalidated",
    "refused",
    "withdrawn",
    "ended",
    "expired",
    "requested",
    "renewed",
    "given",
)


def known_changes(grant: Grant, at: datetime, known_at: datetime) -> list[Change]:
    """The changes that count for a question about ``at``, asked with the knowledge of ``known_at``.

    A question about the present or the future (``at >= known_at``) counts all that is known, whatever its time.
    """
    counting = []
    for change in grant["changes"]:
        if change["recorded_at"] > known_at:
            continue
        # An invalidation voids from the start, so that it also counts for times before it.
        if at < known_at and change["kind"] != "invalidated" and change["effective_at"] > at:
            continue
        counting.append(change)
    return counting


def has_kind(changes: Iterable[Change], kind: str) -> bool:
    """Whether one of the changes is of this kind."""
    for change in changes:
        if change["kind"] == kind:
            return True
    return False


def standing_renewal(changes: Iterable[Change]) -> Change | None:
    """The renewal that holds, or None.

    A client may say yes again by a new act, which renews; the last such word holds. If that new act was void from the
    start, it renewed nothing: a later ``unrenewed`` takes the renewal away.
    """
    latest = None
    for change in changes:
        if change["kind"] not in {"renewed", "unrenewed"}:
            continue
        if latest is None or change["recorded_at"] > latest["recorded_at"]:
            latest = change
    if latest is None or latest["kind"] == "unrenewed":
        return None
    return latest


def end_of_validity(grant: Grant, changes: Iterable[Change]) -> datetime:
    """The end that the standing renewal sets, or the grant's own."""
    renewal = standing_renewal(changes)
    if renewal is None or renewal["valid_until"] is None:
        return grant["valid_until"]
    return renewal["valid_until"]


def end_of_permission(grant: Grant, changes: Iterable[Change]) -> datetime:
    """When this paper itself stops permitting.

    A renewal is another paper, with a grant of its own: it never makes this one good for longer than was signed. A
    renewal for a shorter time is the client's last word and holds for this one too.
    """
    renewed_until = end_of_validity(grant, changes)
    if renewed_until < grant["valid_until"]:
        return renewed_until
    return grant["valid_until"]


def is_withdrawn(category: str, changes: Iterable[Change]) -> bool:
    """Whether a withdrawal of the whole grant or of this category is among the changes."""
    for change in changes:
        if change["kind"] != "withdrawn":
            continue
        if change["categories"] is None or category in change["categories"]:
            return True
    return False


def not_withdrawn(grant: Grant, changes: Iterable[Change]) -> list[str]:
    """The grant's categories, in its order, without the withdrawn ones."""
    changes = list(changes)
    remaining = []
    for category in grant["categories"]:
        if not is_withdrawn(category, changes):
            remaining.append(category)
    return remaining


def status_from(grant: Grant, changes: Iterable[Change], at: datetime) -> Status:
    """The status at ``at`` when exactly these changes count, the first that fits in the order of precedence."""
    changes = list(changes)
    if has_kind(changes, "invalidated"):
        return "invalidated"
    if grant["answer"] == "refused":
        return "refused"
    if not_withdrawn(grant, changes) == []:
        return "withdrawn"
    if has_kind(changes, "ended"):
        return "ended"
    if at >= end_of_validity(grant, changes):
        return "expired"
    if grant["answer"] == "requested" and not has_kind(changes, "confirmed"):
        return "requested"
    if standing_renewal(changes) is not None:
        return "renewed"
    return "given"


def grant_status(grant: Grant, at: datetime, known_at: datetime) -> Status:
    """The status of a grant at ``at``, as the registry knew it at ``known_at``."""
    return status_from(grant, known_changes(grant, at, known_at), at)


def remaining_categories(grant: Grant, at: datetime, known_at: datetime) -> list[str]:
    """The categories that no withdrawal has taken at ``at``, as known at ``known_at``, in the grant's order.

    Withdrawals alone count: an ended, expired or invalidated grant keeps its list.
    """
    return not_withdrawn(grant, known_changes(grant, at, known_at))


def entered_at(grant: Grant, at: datetime, known_at: datetime) -> datetime:
    """When the grant entered the status it has: the effective time of what brought it there.

    A grant was ``requested``, ``refused`` or ``given`` before anything else happened to it. It is ``withdrawn`` from
    the time when its last category was, ``expired`` from its end, ``ended`` and ``invalidated`` from the first such
    change.
    """
    changes = known_changes(grant, at, known_at)
    status = status_from(grant, changes, at)
    if status == "expired":
        return end_of_validity(grant, changes)
    if status == "withdrawn":
        last = BEFORE_EVERYTHING
        for category in grant["categories"]:
            last = max(last, min(c["effective_at"] for c in changes if is_withdrawn(category, [c])))
        return last
    if status in {"ended", "invalidated"}:
        return min(c["effective_at"] for c in changes if c["kind"] == status)
    return BEFORE_EVERYTHING


def consent_status(grants: list[Grant], at: datetime, known_at: datetime) -> Status:
    """The status of a consent, by the grants that are visible to who asks (at least one).

    The contract says: "``given`` while any visible grant is; else the one its grants end with, the latest where they
    differ". Read thus: ``given`` if any grant is ``given``. Else ``renewed`` if any is: a renewed grant has not ended,
    so nothing has ended the consent. Else the status that was entered last (see ``entered_at``); of several entered at
    the same time, the first in the order of precedence of grant statuses.
    """
    statuses = [grant_status(grant, at, known_at) for grant in grants]
    if "given" in statuses:
        return "given"
    if "renewed" in statuses:
        return "renewed"
    latest = max(entered_at(grant, at, known_at) for grant in grants)
    last_ones = {grant_status(grant, at, known_at) for grant in grants if entered_at(grant, at, known_at) == latest}
    for status in PRECEDENCE:
        if status in last_ones:
            return status
    message = "a consent without a visible grant has no status"
    raise ValueError(message)
