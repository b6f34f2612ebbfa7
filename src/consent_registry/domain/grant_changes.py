"""The partners' acts on recorded grants: who may do each, and on which status (docs/design/consents.md).

Withdrawals belong to the client and have their own rules (`withdrawals.py`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.grants import (
    LIVE,
    Change,
    ChangeKind,
    Grant,
    Status,
    counting_changes,
    restricted_categories,
    status_of,
)

MayAct = Callable[[Grant, int], bool]


def _is_sender(grant: Grant, partner_id: int) -> bool:
    return partner_id == grant.sender_id


def _answers_for_it(grant: Grant, partner_id: int) -> bool:
    return partner_id in {grant.recorder_id, grant.sender_id}


def _takes_part(grant: Grant, partner_id: int) -> bool:
    return partner_id in {grant.recorder_id, grant.sender_id, grant.recipient_id}


class GrantAct(msgspec.Struct, frozen=True):
    """A kind of act on grants: its noun, the change it makes, who may do it (`may`), and on which statuses.

    `from_the_start`: the change takes effect from when the consent was given, so recipients may not use what they got.
    `spreads`: the act also changes the grants that a renewal connects with these (`renewals.related_grants`).
    """

    noun: str
    kind: ChangeKind
    may: MayAct
    statuses: frozenset[Status]
    who: str
    from_the_start: bool = False
    spreads: bool = True


CONFIRMATION = GrantAct(
    noun="confirmation",
    kind="confirmed",
    may=_is_sender,
    statuses=frozenset({"requested"}),
    who="Only its sender confirms a grant, because the sender answers for the transfer.",
    spreads=False,
)
ENDING = GrantAct(
    noun="ending",
    kind="ended",
    may=_takes_part,
    statuses=LIVE | {"requested"},
    who="Only a partner that takes part ends a grant.",
)
INVALIDATION = GrantAct(
    noun="invalidation",
    kind="invalidated",
    may=_answers_for_it,
    statuses=LIVE | {"requested", "withdrawn", "ended", "expired"},
    who="Only its recorder or sender says that a grant was void from the start.",
    from_the_start=True,
    spreads=False,
)
RESTRICTION = GrantAct(
    noun="restriction",
    kind="restricted",
    may=_takes_part,
    statuses=LIVE,
    who="Only a partner that takes part restricts a grant.",
)
LIFTING = GrantAct(
    noun="restriction_lifting",
    kind="unrestricted",
    may=_takes_part,
    statuses=LIVE,
    who="Only a partner that takes part lifts a restriction.",
)


def is_open_to(act: GrantAct, grant: Grant, now: datetime, category_ids: frozenset[int] | None = None) -> bool:
    """Whether the act would change this grant, or these categories of it, now."""
    if status_of(grant, now, now) not in act.statuses:
        return False
    covered = _covered(grant, category_ids)
    restricted = restricted_categories(grant, counting_changes(grant, now, now))
    if act.kind == "restricted":
        return not covered <= restricted
    return bool(covered & restricted) if act.kind == "unrestricted" else bool(covered)


def _covered(grant: Grant, category_ids: frozenset[int] | None) -> frozenset[int]:
    return frozenset(grant.category_ids if category_ids is None else category_ids.intersection(grant.category_ids))


def change_grants(
    act: GrantAct,
    grants: Sequence[Grant],
    given_at: datetime,
    now: datetime,
    category_ids: frozenset[int] | None = None,
) -> list[tuple[Grant, Change]]:
    """The changes that the act makes to the grants that are open to it, or to these categories of them."""
    effective_at = given_at if act.from_the_start else now
    return [
        (grant, Change(act.kind, effective_at, now, None if category_ids is None else _covered(grant, category_ids)))
        for grant in grants
        if is_open_to(act, grant, now, category_ids)
    ]
