"""Writing a withdrawal: for each client number a row, the changes of its grants and an event
(docs/design/withdrawals.md).

The caller's event is about the client number by which it withdrew. Changes under another number are in an event of that
number, without an actor, and so is what the caller of a receipt code may not know of the code's own number. So if one
number is erased or unlinked, the rows and events of the others still account for their state and for papers to come.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.commitments import commit_to
from consent_registry.domain.events.withdrawals import (
    LoggedCoveredFlow,
    LoggedWithdrawal,
    WithdrawalEvent,
    commit_to_flows,
)
from consent_registry.domain.grants import Grant
from consent_registry.domain.instants import format_instant
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.withdrawals import Coverage, CoveredFlows, FlowsOfPartner, ProposedWithdrawal, Withdrawn
from consent_registry.operations.consents.changes import ChangeNotice, notify_parties
from consent_registry.operations.runtime.commands import Command, new_id
from consent_registry.storage.consents import withdrawals as storage
from consent_registry.storage.consents.consents import add_release_withdrawals
from consent_registry.storage.consents.grants import GrantChange, add_grant_changes
from consent_registry.storage.log.append import LogPlace


class NewWithdrawal(msgspec.Struct, frozen=True):
    """A withdrawal about to be recorded.

    `client_of_consent` gives the client number of each consent; `known` holds the ids of the grants that the caller
    takes part in, `by_name` those of the consents that a receipt code is about.
    """

    act_id: str
    client_id: str
    client_ids: Sequence[str]
    client_of_consent: Mapping[str, str]
    known: frozenset[str]
    by_name: frozenset[str]
    asked: ProposedWithdrawal
    coverage: Coverage
    declared_at: datetime
    received_at: datetime
    withdrawn: Sequence[Withdrawn]
    releases: Sequence[RecordedRelease]

    def caller_may_see(self, grant: Grant) -> bool:
        """Whether the caller may know that this grant was withdrawn: it takes part in the grant, or the grant is of the
        consent whose receipt code the client showed.
        """
        return grant.grant_id in self.known or grant.consent_id in self.by_name

    def is_own(self, consent_id: str) -> bool:
        """Whether what is withdrawn of this consent is in the caller's entry: it is under the client number by which
        the caller withdrew; if that is a receipt code's, of the code's consent.
        """
        if self.asked.target == "receipt_code":
            return consent_id in self.by_name
        return self.client_of_consent[consent_id] == self.client_id

    @property
    def others(self) -> list[str]:
        """The client numbers of the entries without an actor."""
        others = sorted(set(self.client_ids) - {self.client_id})
        return [self.client_id, *others] if self.asked.target == "receipt_code" else others


class _Rows(msgspec.Struct, frozen=True):
    """The ids of a withdrawal's rows: the caller's, and those of other entries by client number."""

    own: str
    others: Mapping[str, str]

    def of(self, withdrawal: NewWithdrawal, consent_id: str) -> str:
        """The row under which something of this consent is withdrawn."""
        return self.own if withdrawal.is_own(consent_id) else self.others[withdrawal.client_of_consent[consent_id]]


async def record_withdrawal(command: Command, withdrawal: NewWithdrawal, now: datetime) -> LogPlace:
    """Write rows, changes, notices and events. Returns the place of the caller's event in the log."""
    network_id = command.network.network_id
    rows = _Rows(withdrawal.act_id, {number: new_id(now) for number in withdrawal.others})
    await storage.add_withdrawals(command.connection, network_id, _table_rows(command, withdrawal, rows, now))
    changes = [
        GrantChange(item.grant, new_id(now), rows.of(withdrawal, item.grant.consent_id), item.change)
        for item in withdrawal.withdrawn
    ]
    await add_grant_changes(command.connection, network_id, changes)
    released = [
        (new_id(now), rows.of(withdrawal, release.consent_id), release.release_id) for release in withdrawal.releases
    ]
    await add_release_withdrawals(command.connection, network_id, (withdrawal.received_at, now), released)
    # A requested grant was never in force, so nobody is notified that it ends.
    notified = [(item.grant, item.change.effective_at) for item in withdrawal.withdrawn if item.grant.was_given]
    await notify_parties(command, ChangeNotice("consent_withdrawn", acknowledge=True), notified, now)
    own = _own_event(command.catalogue, withdrawal)
    others = [_other_event(command, withdrawal, number, rows) for number in rows.others]
    return await command.append_padded(own, others)


def _table_rows(command: Command, withdrawal: NewWithdrawal, rows: _Rows, now: datetime) -> list[storage.WithdrawalRow]:
    times = (withdrawal.declared_at, withdrawal.received_at, now)
    ids = [(rows.own, withdrawal.client_id), *((row_id, number) for number, row_id in rows.others.items())]
    partner_id, channel = command.actor.partner_id, withdrawal.asked.channel
    return [
        storage.WithdrawalRow(row_id, withdrawal.act_id, client_id, partner_id, channel, *times, withdrawal.coverage)
        for row_id, client_id in ids
    ]


def _own_event(catalogue: Catalogue, withdrawal: NewWithdrawal) -> WithdrawalEvent:
    """The caller's event. As `also` it names the grants elsewhere that the caller may see. Of a receipt code it commits
    to the flows, in which the caller may have no part.
    """
    own = [item for item in withdrawal.withdrawn if withdrawal.is_own(item.grant.consent_id)]
    others = [item for item in withdrawal.withdrawn if item not in own and withdrawal.caller_may_see(item.grant)]
    releases = [release.release_id for release in withdrawal.releases if withdrawal.is_own(release.consent_id)]
    event = _event(catalogue, withdrawal, withdrawal.act_id, withdrawal.client_id, own, releases)
    asked = withdrawal.asked
    if asked.target == "client":
        event = msgspec.structs.replace(event, reference_commitment=commit_to(asked.name))
    if asked.target == "receipt_code" and event.flows is not UNSET:
        event = msgspec.structs.replace(event, flows=UNSET, flows_commitment=commit_to_flows(event.flows))
    return msgspec.structs.replace(event, also=[_named(catalogue, withdrawal, item) for item in others])


def _other_event(command: Command, withdrawal: NewWithdrawal, number: str, rows: _Rows) -> WithdrawalEvent:
    """The event without an actor about one client number: what is not in the caller's."""
    mine = [
        item
        for item in withdrawal.withdrawn
        if item.grant.client_id == number and not withdrawal.is_own(item.grant.consent_id)
    ]
    releases = [
        release.release_id
        for release in withdrawal.releases
        if withdrawal.client_of_consent[release.consent_id] == number and not withdrawal.is_own(release.consent_id)
    ]
    event = _event(command.catalogue, withdrawal, rows.others[number], number, mine, releases)
    return msgspec.structs.replace(event, actor=None, act=withdrawal.act_id, partner=command.actor.slug)


def _event(
    catalogue: Catalogue,
    withdrawal: NewWithdrawal,
    row_id: str,
    client_id: str,
    items: Sequence[Withdrawn],
    releases: list[str],
) -> WithdrawalEvent:
    coverage = withdrawal.coverage
    event = WithdrawalEvent(
        id=row_id,
        client=client_id,
        by=withdrawal.asked.target,
        channel=withdrawal.asked.channel,
        declared_at=format_instant(withdrawal.declared_at),
        received_at=format_instant(withdrawal.received_at),
        grants=[_named(catalogue, withdrawal, item) for item in items],
        releases=releases,
        covers=str(coverage.__struct_config__.tag),
    )
    match coverage:
        case CoveredFlows(flows):
            logged = [_flow(catalogue, flow, chosen) for flow, chosen in sorted(flows.items())]
            return msgspec.structs.replace(event, flows=logged)
        case FlowsOfPartner(_, category_ids) if category_ids is not None:
            return msgspec.structs.replace(event, categories=catalogue.category_slugs(sorted(category_ids)))
        case _:
            return event


def _flow(catalogue: Catalogue, flow: tuple[int, int, int], category_ids: frozenset[int]) -> LoggedCoveredFlow:
    sender_id, recipient_id, purpose_id = flow
    return LoggedCoveredFlow(
        sender=catalogue.partner_by_id[sender_id].slug,
        recipient=catalogue.partner_by_id[recipient_id].slug,
        purpose=catalogue.purpose_by_id[purpose_id].slug,
        categories=catalogue.category_slugs(sorted(category_ids)),
    )


def _named(catalogue: Catalogue, withdrawal: NewWithdrawal, item: Withdrawn) -> LoggedWithdrawal:
    """A withdrawn grant as the event names it. Its consent is named only if the caller takes part in the grant."""
    parts = item.change.category_ids
    return LoggedWithdrawal(
        grant=item.grant.grant_id,
        consent=item.grant.consent_id if item.grant.grant_id in withdrawal.known else UNSET,
        categories=None if parts is None else catalogue.category_slugs(parts),
    )
