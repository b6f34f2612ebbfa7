"""What a withdrawal leaves behind: for each client number a row, its changes and an entry of the log
(docs/design/withdrawals.md).

The caller's own entry is about the number it acted by. What is done under another number stands in an entry of that
number, without an actor; so whoever is erased takes along nothing that another number's state is told by.
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
from consent_registry.operations.running.commands import Command, new_id
from consent_registry.storage.consents import withdrawals as storage
from consent_registry.storage.consents.consents import add_release_withdrawals
from consent_registry.storage.consents.grants import GrantChange, add_grant_changes
from consent_registry.storage.log.append import LogPlace


class Taken(msgspec.Struct, frozen=True):
    """A withdrawal about to be recorded. `homes` are the client numbers of consents, `known` the grants of which the
    caller may be told.
    """

    act_id: str
    client_id: str
    homes: Mapping[str, str]
    known: frozenset[str]
    by: str
    channel: str
    declared_at: datetime
    received_at: datetime
    withdrawn: Sequence[Withdrawn]
    releases: Sequence[RecordedRelease]

    @property
    def numbers(self) -> list[str]:
        """The client numbers it does something under, first the one it was made by."""
        changed = {self.homes[one.grant.consent_id] for one in self.withdrawn}
        changed |= {self.homes[one.consent_id] for one in self.releases}
        return [self.client_id, *sorted(changed - {self.client_id})]

    def may_be_told(self, grant: Grant) -> bool:
        """Whether the caller may know that this grant was withdrawn: it was given under the number that the caller, or
        the code that the client brought, named; or the caller takes part in it.
        """
        return grant.client_id == self.client_id or grant.grant_id in self.known


async def record_withdrawal(command: Command, taken: Taken, reference: str | None, now: datetime) -> LogPlace:
    """Write all of it, and tell the partners concerned; returns the place of the caller's entry."""
    network_id = command.network.network_id
    ids = {one: new_id(now) for one in taken.numbers} | {taken.client_id: taken.act_id}
    times = (taken.declared_at, taken.received_at, now)
    rows = [
        storage.WithdrawalRow(row_id, taken.act_id, client_id, command.actor.partner_id, taken.channel, *times)
        for client_id, row_id in ids.items()
    ]
    await storage.add_withdrawals(command.connection, network_id, rows)
    changes = [GrantChange(one.grant, new_id(now), ids[one.grant.client_id], one.change) for one in taken.withdrawn]
    await add_grant_changes(command.connection, network_id, changes)
    released = [(new_id(now), ids[taken.homes[one.consent_id]], one.release_id) for one in taken.releases]
    await add_release_withdrawals(command.connection, network_id, (taken.received_at, now), released)
    # What was only asked for concerns nobody but who asked.
    told = [(one.grant, one.change.effective_at) for one in taken.withdrawn if one.grant.was_given]
    await notify_parties(command, ChangeNotice("consent_withdrawn", acknowledge=True), told, now)
    own, *others = [_event(command, taken, client_id, row_id) for client_id, row_id in ids.items()]
    if reference is not None:
        own = msgspec.structs.replace(own, reference_commitment=commit_to(reference))
    return await command.append_padded(own, others)


def _event(command: Command, taken: Taken, client_id: str, row_id: str) -> WithdrawalEvent:
    """The entry of one client number. The caller's also names what it may know of others, which is told by theirs."""
    event = WithdrawalEvent(
        id=row_id,
        client=client_id,
        by=taken.by,
        channel=taken.channel,
        declared_at=format_instant(taken.declared_at),
        received_at=format_instant(taken.received_at),
        grants=[_named(command.catalogue, taken, one) for one in taken.withdrawn if one.grant.client_id == client_id],
        releases=[release.release_id for release in taken.releases if taken.homes[release.consent_id] == client_id],
    )
    if client_id != taken.client_id:
        return msgspec.structs.replace(event, actor=None, act=taken.act_id, partner=command.actor.slug)
    others = [one for one in taken.withdrawn if one.grant.client_id != client_id and taken.may_be_told(one.grant)]
    return msgspec.structs.replace(event, also=[_named(command.catalogue, taken, one) for one in others])


def _named(catalogue: Catalogue, taken: Taken, one: Withdrawn) -> LoggedWithdrawal:
    """What was withdrawn; of which consent only where the caller takes part, not where the client brought its code."""
    parts = one.change.category_ids
    return LoggedWithdrawal(
        grant=one.grant.grant_id,
        consent=one.grant.consent_id if one.grant.grant_id in taken.known else UNSET,
        categories=None if parts is None else catalogue.category_slugs(parts),
    )
