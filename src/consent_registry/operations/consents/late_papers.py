"""Papers that come late: what was given before a withdrawal was received that covers it is withdrawn when it is
recorded, and what was given under one reference when that is linked with one under which the client withdrew it
(docs/design/withdrawals.md).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.events.clients import LoggedWithdrawnByLink
from consent_registry.domain.events.withdrawals import LateWithdrawalEvent, LoggedTakenBack
from consent_registry.domain.grants import Change, Grant, status_of
from consent_registry.domain.instants import format_instant
from consent_registry.domain.law.remarks import WITHDRAWN_SINCE
from consent_registry.domain.withdrawals import Withdrawn, changed, joined
from consent_registry.operations.consents.changes import ChangeNotice, notify_parties
from consent_registry.operations.runtime.commands import Command, new_id
from consent_registry.storage.consents.grants import GrantChange, add_grant_changes, find_grants_of_clients
from consent_registry.storage.consents.withdrawals import find_withdrawals
from consent_registry.storage.database.database import widen_partners


class LatePaper(msgspec.Struct, frozen=True):
    """The grants of a paper about to be recorded, as earlier withdrawals leave them, and what these take back."""

    grants: list[Grant]
    taken_back: list[Withdrawn]

    @property
    def remarks(self) -> list[str]:
        """The remark about it, if anything is taken back."""
        return [WITHDRAWN_SINCE] if self.taken_back else []

    def left(self, now: datetime) -> list[Grant]:
        """The grants that are not wholly withdrawn from the start: only these renew an earlier consent, and only of
        these other partners are notified.
        """
        return [grant for grant in self.grants if status_of(grant, now, now) != "withdrawn"]


async def hold_against_withdrawals(
    command: Command, client_ids: Sequence[str], grants: Sequence[Grant], now: datetime
) -> LatePaper:
    """Hold the grants of a new paper against everything that the client withdrew, under any of these client numbers and
    at any partner. The caller holds their exclusive locks.
    """
    withdrawals = await find_withdrawals(command.connection, command.network.network_id, client_ids)
    taken_back = command.runtime.steps.take_back_all(grants, withdrawals, now)
    return LatePaper(changed(grants, taken_back), taken_back)


async def record_late_paper(
    command: Command, consent_id: str, client_id: str, paper: LatePaper, now: datetime
) -> list[LateWithdrawalEvent]:
    """Add the changes of a late paper's grants, each by the act of its withdrawal. Returns the entry about them, which
    has no actor: the recorder may not know who took the withdrawals.
    """
    changes = [GrantChange(item.grant, new_id(now), item.withdrawal_id, item.change) for item in paper.taken_back]
    await add_grant_changes(command.connection, command.network.network_id, changes)
    if not paper.taken_back:
        return []
    logged = [_taken_back(command.catalogue, item) for item in paper.taken_back]
    return [LateWithdrawalEvent(id=new_id(now), client=client_id, act=consent_id, taken_back=logged)]


def _taken_back(catalogue: Catalogue, item: Withdrawn) -> LoggedTakenBack:
    return LoggedTakenBack(
        grant=item.grant.grant_id,
        withdrawal=item.withdrawal_id,
        categories=_categories(catalogue, item.change),
        effective_at=format_instant(item.change.effective_at),
    )


async def withdraw_across_link(
    command: Command, event_ids: Mapping[str, str], now: datetime
) -> dict[str, list[LoggedWithdrawnByLink]]:
    """Withdraw what was given under the linked client numbers until a withdrawal under any of them was received that
    covers it. Its parties learn it by the change feed.

    `event_ids` are the ids of the link's events by client number, which are the acts of the changes. Returns what they
    say of it, by client number. The caller holds the numbers' exclusive locks.
    """
    network_id, client_ids = command.network.network_id, sorted(event_ids)
    withdrawals = await find_withdrawals(command.connection, network_id, client_ids)
    # The link reaches what every partner recorded about the client; the caller is told nothing of it.
    await widen_partners(command.connection, command.catalogue.partner_by_id)
    grants = await find_grants_of_clients(command.connection, network_id, client_ids)
    withdrawn = joined(command.runtime.steps.take_back_all(grants, withdrawals, now))
    changes = [GrantChange(item.grant, new_id(now), event_ids[item.grant.client_id], item.change) for item in withdrawn]
    await add_grant_changes(command.connection, network_id, changes)
    notified = [(item.grant, item.change.effective_at) for item in withdrawn if item.grant.was_given]
    await notify_parties(command, ChangeNotice("consent_withdrawn", acknowledge=True), notified, now)
    return {
        client_id: [
            _withdrawn_by_link(command.catalogue, item) for item in withdrawn if item.grant.client_id == client_id
        ]
        for client_id in client_ids
    }


def _withdrawn_by_link(catalogue: Catalogue, item: Withdrawn) -> LoggedWithdrawnByLink:
    return LoggedWithdrawnByLink(
        grant=item.grant.grant_id,
        categories=_categories(catalogue, item.change),
        effective_at=format_instant(item.change.effective_at),
    )


def _categories(catalogue: Catalogue, change: Change) -> list[str] | None:
    return None if change.category_ids is None else catalogue.category_slugs(change.category_ids)
