"""Finding the grants and releases that a withdrawal may cover: by consent, client or receipt code, or everything."""

from collections.abc import Sequence

import msgspec

from consent_registry.domain.errors import NotFound, RegistryError
from consent_registry.domain.grants import Grant
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.renewals import related_consents, related_grants, related_releases
from consent_registry.domain.withdrawals import ProposedWithdrawal
from consent_registry.operations.clients.clients import locked_client
from consent_registry.operations.clients.code_attempts import count_failure, require_few_failures
from consent_registry.operations.clients.links import locked_groups
from consent_registry.operations.consents.receipt_codes import receipt_code_digests
from consent_registry.operations.consents.views import visible_grants
from consent_registry.operations.runtime.commands import Command
from consent_registry.storage.clients.links import ClientGroup
from consent_registry.storage.consents.consents import find_consent, find_releases
from consent_registry.storage.consents.grants import find_grants_of_clients
from consent_registry.storage.consents.receipt_codes import ReceiptCode, find_receipt_code
from consent_registry.storage.database.database import widen_partners


class WithdrawalScope(msgspec.Struct, frozen=True):
    """The grants and releases that a withdrawal may cover.

    `client_id` is the client number by which the caller withdraws, `client_ids` are all that mean the client. `grants`
    and `releases` are those in question; `all_grants` and `all_releases` add all of the same client that it can reach:
    those that a renewal binds to them, and other papers for the same flows. `seen` are the grants that the caller
    itself may see.
    """

    client_id: str
    client_ids: list[str]
    grants: list[Grant]
    releases: list[RecordedRelease]
    all_grants: list[Grant]
    all_releases: list[RecordedRelease]
    seen: list[Grant]


class _Question(msgspec.Struct, frozen=True):
    """By which client number the caller withdraws, in which group; for which partners (None: all), and of which consent
    (None: all).
    """

    client_id: str
    group: ClientGroup
    for_partners: Sequence[int] | None
    consent_id: str | None = None


async def find_scope(command: Command, asked: ProposedWithdrawal) -> WithdrawalScope | RegistryError:
    """Find the scope of a withdrawal. Takes the exclusive lock of every client number of the person.

    Returns the error for a wrong code, so that the failed attempt is committed. Raises NotFound for other targets.
    """
    if asked.target == "receipt_code":
        return await _scope_by_code(command, asked)
    own = [command.actor.partner_id]
    if asked.target == "client":
        known = await locked_client(command, asked.name)
        if known is None:
            raise NotFound
        if asked.everything:
            return await _scope_of_everything(command, known.client_id, known.group, None)
        return await _scope_of(command, _Question(known.client_id, known.group, own))
    consent = await find_consent(command.connection, command.network.network_id, asked.name)
    # Constant time: an unknown consent costs the same lock and queries as one whose grants the caller may not see.
    client_id = asked.name if consent is None else consent.client_id
    group = (await locked_groups(command, [client_id]))[client_id]
    scope = await _scope_of(command, _Question(client_id, group, own, asked.name))
    if not scope.grants:
        raise NotFound
    return scope


async def _scope_by_code(command: Command, asked: ProposedWithdrawal) -> WithdrawalScope | RegistryError:
    """The scope by the client's receipt code, at any partner of the network. A wrong code is counted as a failure."""
    network_id = command.network.network_id
    await require_few_failures(command, "receipt_code")
    digests = receipt_code_digests(command, asked.name)
    found = await find_receipt_code(command.connection, network_id, digests)
    group = None
    if found is not None:
        group = (await locked_groups(command, [found.client_id]))[found.client_id]
        # Read again under the client's lock: the code may have been replaced while this transaction waited.
        found = await find_receipt_code(command.connection, network_id, digests)
    if found is None or group is None:
        await count_failure(command, "receipt_code")
        return NotFound()
    if asked.everything:
        return await _scope_of_everything(command, found.client_id, group, found)
    # With its code the client itself acts, so the whole consent is in scope, whatever the caller may see of it.
    await widen_partners(command.connection, {command.actor.partner_id, *found.partner_ids})
    return await _scope_of(command, _Question(found.client_id, group, found.partner_ids, found.consent_id))


async def _scope_of_everything(
    command: Command, client_id: str, group: ClientGroup, code: ReceiptCode | None
) -> WithdrawalScope:
    """The scope of a withdrawal of everything: whatever any partner of the network recorded about the client."""
    await widen_partners(command.connection, command.catalogue.partner_by_id)
    return await _scope_of(command, _Question(client_id, group, None, None if code is None else code.consent_id))


async def _scope_of(command: Command, question: _Question) -> WithdrawalScope:
    """The scope of a withdrawal made for some partners: the grants that any of them may see."""
    now = await command.now()
    network_id, consent_id = command.network.network_id, question.consent_id
    everything = await find_grants_of_clients(command.connection, network_id, question.group.client_ids)
    all_grants = everything
    if question.for_partners is not None:
        shown = [visible_grants(everything, partner_id, now) for partner_id in question.for_partners]
        visible = {grant.grant_id for of_partner in shown for grant in of_partner}
        all_grants = [grant for grant in everything if grant.grant_id in visible]
    grants = [grant for grant in all_grants if consent_id in {None, grant.consent_id}]
    reached = grants if question.for_partners is not None else all_grants
    related = related_consents(all_grants)
    consents = sorted(frozenset().union(*(related[grant.consent_id] for grant in reached)))
    releases = [
        release
        for release in await find_releases(command.connection, network_id, consents)
        if question.for_partners is None
        or any(release.is_visible_to(partner_id, all_grants) for partner_id in question.for_partners)
    ]
    own = [release for release in releases if consent_id in {None, release.consent_id}]
    seen = visible_grants(everything, command.actor.partner_id, now)
    return WithdrawalScope(question.client_id, question.group.client_ids, grants, own, all_grants, releases, seen)


def choose(asked: ProposedWithdrawal, scope: WithdrawalScope) -> WithdrawalScope:
    """Narrow the scope to the grants and releases that are named, and add what they renew or are renewed by.

    A withdrawal that names neither means all. Raises NotFound if it names one outside the scope.
    """
    if asked.names_all:
        return _with_renewals(scope)
    by_id = {grant.grant_id: grant for grant in scope.grants}
    releases = {release.release_id: release for release in scope.releases}
    grant_ids, release_ids = asked.grant_ids or (), asked.release_ids or ()
    if not set(grant_ids) <= set(by_id) or not set(release_ids) <= set(releases):
        raise NotFound
    return _with_renewals(
        msgspec.structs.replace(
            scope,
            grants=[by_id[grant_id] for grant_id in grant_ids],
            releases=[releases[release_id] for release_id in release_ids],
        )
    )


def _with_renewals(scope: WithdrawalScope) -> WithdrawalScope:
    """Add the grants and releases that are bound to these by renewal. A withdrawal of one is a withdrawal of both."""
    return msgspec.structs.replace(
        scope,
        grants=[*scope.grants, *related_grants(scope.grants, scope.all_grants)],
        releases=[*scope.releases, *related_releases(scope.releases, scope.all_releases, scope.all_grants)],
    )
