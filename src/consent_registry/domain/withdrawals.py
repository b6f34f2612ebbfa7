"""Withdrawals: the changes that a withdrawal makes to a client's grants (Art. 7 Abs. 3 DSGVO).

A withdrawal may cover some categories only. It counts from the moment it is recorded, and is never undone.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.grants import LIVE, Change, Grant, counting_changes, status_of, withdrawn_categories


class Withdrawn(msgspec.Struct, frozen=True):
    """A grant with the change that withdraws it, or some of its categories."""

    grant: Grant
    change: Change


def can_be_withdrawn(grant: Grant, now: datetime) -> bool:
    """Whether a grant can be withdrawn: it is live, or requested and could still be confirmed."""
    status = status_of(grant, now, now)
    return status in LIVE or status == "requested"


def withdraw(
    grants: Sequence[Grant], received_at: datetime, now: datetime, category_ids: frozenset[int] | None = None
) -> list[Withdrawn]:
    """The changes that withdraw these grants, or only these categories. Grants and categories that are already
    withdrawn are left out.
    """
    withdrawn = []
    for grant in grants:
        if not can_be_withdrawn(grant, now):
            continue
        parts = None
        if category_ids is not None:
            gone = withdrawn_categories(grant, counting_changes(grant, now, now))
            parts = category_ids.intersection(grant.category_ids) - gone
            if not parts:
                continue
        withdrawn.append(Withdrawn(grant, Change("withdrawn", received_at, now, parts)))
    return withdrawn


def still_given(grants: Sequence[Grant], withdrawn: Sequence[Withdrawn], now: datetime) -> list[Grant]:
    """Live grants of other consents for the same flows. The answer names them, because those flows continue."""
    consents = {withdrawal.grant.consent_id for withdrawal in withdrawn}
    flows = {withdrawal.grant.flow for withdrawal in withdrawn}
    return [
        grant
        for grant in grants
        if grant.consent_id not in consents and grant.flow in flows and status_of(grant, now, now) in LIVE
    ]
