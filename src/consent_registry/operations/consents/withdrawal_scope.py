"""Finding the grants and releases that a withdrawal may cover: by consent, by client or by receipt code."""

from collections.abc import Sequence

import msgspec
from msgspec import UnsetType

from consent_registry.domain.errors import NotFound, RegistryError
from consent_registry.domain.grants import Grant
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.renewals import related_consents, related_grants, related_releases
from consent_registry.operations.clients.clients import locked_client
from consent_registry.operations.clients.code_attempts import count_failure, require_few_failures
from consent_registry.operations.clients.links import locked_groups
from consent_registry.operations.consents.receipt_codes import receipt_code_digests
from consent_registry.operations.consents.schemas import WithdrawalRequest
from consent_registry.operations.consents.views import visible_grants
from consent_registry.operations.runtime.commands import Command
from consent_registry.storage.clients.links import ClientGroup
from consent_registry.storage.consents.consents import find_consent, find_releases
from consent_registry.storage.consents.grants import find_grants_of_clients
from consent_registry.storage.consents.receipt_codes import find_receipt_code
from consent_registry.storage.database.database import widen_partners


class WithdrawalScope(msgspec.Struct, frozen=True):
    """The grants and releases that a withdrawal may cover.

    `client_id` is the client number by which the caller withdraws. `grants` and `releases` are those in question;
    `all_grants` and `all_releases` add those of the same client that a renewal may bind to them. `seen` are the grants
    that the caller itself may see.
    """

    client_id: str
    grants: list[Grant]
    releases: list[RecordedRelease]
    all_grants: list[Grant]
    all_releases: list[RecordedRelease]
    seen: list[Grant]


async def find_scope(command: Command, request: WithdrawalRequest) -> WithdrawalScope | RegistryError:
    """Find the scope of a withdrawal. Takes the exclusive lock of every client number of the person.

    Returns the error for a wrong code, so that the failed attempt is committed. Raises NotFound for other targets.
    """
    if isinstance(request.receipt_code, str):
        return await _scope_by_code(command, request.receipt_code)
    if isinstance(request.client, str):
        known = await locked_client(command, request.client)
        if known is None:
            raise NotFound
        return await _scope_of(command, known.client_id, known.group, None, [command.actor.partner_id])
    if isinstance(request.consent_id, str):
        consent = await find_consent(command.connection, command.network.network_id, request.consent_id)
        # Constant time: an unknown consent costs the same lock and queries as one whose grants the caller may not see.
        client_id = request.consent_id if consent is None else consent.client_id
        group = (await locked_groups(command, [client_id]))[client_id]
        scope = await _scope_of(command, client_id, group, request.consent_id, [command.actor.partner_id])
        if not scope.grants:
            raise NotFound
        return scope
    raise NotFound  # pragma: no cover - one target is required


async def _scope_by_code(command: Command, code: str) -> WithdrawalScope | RegistryError:
    """The scope by the client's receipt code, at any partner of the network. A wrong code is counted as a failure."""
    network_id = command.network.network_id
    await require_few_failures(command, "receipt_code")
    digests = receipt_code_digests(command, code)
    found = await find_receipt_code(command.connection, network_id, digests)
    if found is not None:
        group = (await locked_groups(command, [found.client_id]))[found.client_id]
        # Read again under the client's lock: the code may have been replaced while this transaction waited.
        found = await find_receipt_code(command.connection, network_id, digests)
    if found is None:
        await count_failure(command, "receipt_code")
        return NotFound()
    # With its code the client itself acts, so the whole consent is in scope, whatever the caller may see of it.
    await widen_partners(command.connection, {command.actor.partner_id, *found.partner_ids})
    return await _scope_of(command, found.client_id, group, found.consent_id, found.partner_ids)


async def _scope_of(
    command: Command, client_id: str, group: ClientGroup, consent_id: str | None, for_partners: Sequence[int]
) -> WithdrawalScope:
    """The scope of a withdrawal made for these partners: the grants that any of them may see.

    `consent_id` narrows it to one consent; None means all consents of the client.
    """
    now = await command.now()
    everything = await find_grants_of_clients(command.connection, command.network.network_id, group.client_ids)
    visible = {grant.grant_id for partner_id in for_partners for grant in visible_grants(everything, partner_id, now)}
    all_grants = [grant for grant in everything if grant.grant_id in visible]
    grants = [grant for grant in all_grants if consent_id in {None, grant.consent_id}]
    related = related_consents(all_grants)
    consents = sorted(frozenset().union(*(related[grant.consent_id] for grant in grants)))
    releases = [
        release
        for release in await find_releases(command.connection, command.network.network_id, consents)
        if any(release.is_visible_to(partner_id, all_grants) for partner_id in for_partners)
    ]
    own = [release for release in releases if consent_id in {None, release.consent_id}]
    seen = visible_grants(everything, command.actor.partner_id, now)
    return WithdrawalScope(client_id, grants, own, all_grants, releases, seen)


def choose(request: WithdrawalRequest, scope: WithdrawalScope) -> WithdrawalScope:
    """Narrow the scope to the grants and releases that the request names, and add what they renew or are renewed by.

    A request that names neither means all. Raises NotFound if it names one outside the scope.
    """
    if isinstance(request.grants, UnsetType) and isinstance(request.releases, UnsetType):
        return _with_renewals(scope)
    grant_ids = [] if isinstance(request.grants, UnsetType) else request.grants
    release_ids = [] if isinstance(request.releases, UnsetType) else request.releases
    by_id = {grant.grant_id: grant for grant in scope.grants}
    releases = {release.release_id: release for release in scope.releases}
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
