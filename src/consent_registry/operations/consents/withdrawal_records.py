"""Writing a withdrawal: for each client number a row, the changes of its grants and an event
(docs/design/withdrawals.md).

The caller's event is about the client number by which it withdrew. Changes under another number are in an event of that
number, without an actor. So if one number is erased, the events of the others still account for their state.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.commitments import commit_to
from consent_registry.domain.events.withdrawals import LoggedWithdrawal, WithdrawalEvent
from consent_registry.domain.grants import Grant
from consent_registry.domain.instants import format_instant
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.withdrawals import Withdrawn
from consent_registry.operations.consents.changes import ChangeNotice, notify_parties
from consent_registry.operations.runtime.commands import Command, new_id
from consent_registry.storage.consents import withdrawals as storage
from consent_registry.storage.consents.consents import add_release_withdrawals
from consent_registry.storage.consents.grants import GrantChange, add_grant_changes
from consent_registry.storage.log.append import LogPlace


class NewWithdrawal(msgspec.Struct, frozen=True):
    """A withdrawal about to be recorded. `client_of_consent` gives the client number of each consent; `known` holds the
    ids of the grants that the caller takes part in.
    """

    act_id: str
    client_id: str
    client_of_consent: Mapping[str, str]
    known: frozenset[str]
    by: str
    channel: str
    declared_at: datetime
    received_at: datetime
    withdrawn: Sequence[Withdrawn]
    releases: Sequence[RecordedRelease]

    @property
    def numbers(self) -> list[str]:
        """The client numbers under which something changes, first the number by which the caller withdrew."""
        changed = {item.grant.client_id for item in self.withdrawn}
        changed |= {self.client_of(release) for release in self.releases}
        return [self.client_id, *sorted(changed - {self.client_id})]

    def client_of(self, release: RecordedRelease) -> str:
        """The client number of the consent that the release belongs to."""
        return self.client_of_consent[release.consent_id]

    def caller_may_see(self, grant: Grant) -> bool:
        """Whether the caller may know that this grant was withdrawn.

        It may if the caller takes part in the grant, or if the grant is under the client number by which the caller
        withdrew: its own reference, or the client's receipt code.
        """
        return grant.client_id == self.client_id or grant.grant_id in self.known


async def record_withdrawal(
    command: Command, withdrawal: NewWithdrawal, reference: str | None, now: datetime
) -> LogPlace:
    """Write rows, changes, notices and events. Returns the place of the caller's event in the log."""
    network_id = command.network.network_id
    ids = {number: new_id(now) for number in withdrawal.numbers} | {withdrawal.client_id: withdrawal.act_id}
    times = (withdrawal.declared_at, withdrawal.received_at, now)
    rows = [
        storage.WithdrawalRow(
            row_id, withdrawal.act_id, client_id, command.actor.partner_id, withdrawal.channel, *times
        )
        for client_id, row_id in ids.items()
    ]
    await storage.add_withdrawals(command.connection, network_id, rows)
    changes = [
        GrantChange(item.grant, new_id(now), ids[item.grant.client_id], item.change) for item in withdrawal.withdrawn
    ]
    await add_grant_changes(command.connection, network_id, changes)
    released = [
        (new_id(now), ids[withdrawal.client_of(release)], release.release_id) for release in withdrawal.releases
    ]
    await add_release_withdrawals(command.connection, network_id, (withdrawal.received_at, now), released)
    # A requested grant was never in force, so nobody is notified that it ends.
    notified = [(item.grant, item.change.effective_at) for item in withdrawal.withdrawn if item.grant.was_given]
    await notify_parties(command, ChangeNotice("consent_withdrawn", acknowledge=True), notified, now)
    own, *others = [_event(command, withdrawal, client_id, row_id) for client_id, row_id in ids.items()]
    if reference is not None:
        own = msgspec.structs.replace(own, reference_commitment=commit_to(reference))
    return await command.append_padded(own, others)


def _event(command: Command, withdrawal: NewWithdrawal, client_id: str, row_id: str) -> WithdrawalEvent:
    """The event for one client number.

    The caller's event also names, as `also`, the grants under other numbers that the caller may see.
    """
    own = [item for item in withdrawal.withdrawn if item.grant.client_id == client_id]
    event = WithdrawalEvent(
        id=row_id,
        client=client_id,
        by=withdrawal.by,
        channel=withdrawal.channel,
        declared_at=format_instant(withdrawal.declared_at),
        received_at=format_instant(withdrawal.received_at),
        grants=[_named(command.catalogue, withdrawal, item) for item in own],
        releases=[release.release_id for release in withdrawal.releases if withdrawal.client_of(release) == client_id],
    )
    if client_id != withdrawal.client_id:
        return msgspec.structs.replace(event, actor=None, act=withdrawal.act_id, partner=command.actor.slug)
    others = [
        item
        for item in withdrawal.withdrawn
        if item.grant.client_id != client_id and withdrawal.caller_may_see(item.grant)
    ]
    return msgspec.structs.replace(event, also=[_named(command.catalogue, withdrawal, item) for item in others])


def _named(catalogue: Catalogue, withdrawal: NewWithdrawal, item: Withdrawn) -> LoggedWithdrawal:
    """A withdrawn grant as the event names it. Its consent is named only if the caller takes part in the grant."""
    parts = item.change.category_ids
    return LoggedWithdrawal(
        grant=item.grant.grant_id,
        consent=item.grant.consent_id if item.grant.grant_id in withdrawal.known else UNSET,
        categories=None if parts is None else catalogue.category_slugs(parts),
    )
