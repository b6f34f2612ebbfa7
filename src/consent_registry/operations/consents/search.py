"""Reading and searching consents. A partner sees its own slice, and each answer is logged (docs/design/consents.md)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.errors import NotFound
from consent_registry.domain.events.decisions import ReadEvent
from consent_registry.domain.grants import Grant
from consent_registry.operations.clients.clients import (
    own_references,
    reference_digests,
    require_found,
    require_reference,
)
from consent_registry.operations.consents.schemas import SearchRequest
from consent_registry.operations.consents.views import ConsentView, Moment, view_consent, visible_grants
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, digest_of, new_id, run_query
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.pagination import Page, make_cursor, read_cursor
from consent_registry.operations.runtime.wire_members import LogEntry
from consent_registry.storage.clients.clients import client_lock, digest_locks, find_reference, lock_client_shared
from consent_registry.storage.clients.links import find_groups
from consent_registry.storage.consents import consents as storage
from consent_registry.storage.consents.grants import find_grants_of_consents
from consent_registry.storage.log.append import LogPlace, find_places


async def read_consent(
    runtime: Runtime,
    actor: Actor,
    consent_id: str,
    as_of: datetime | None = None,
    as_known_at: datetime | None = None,
) -> ConsentView:
    """The caller's slice of a consent, now or at a point of both time axes. The read is logged.

    What the caller may see is decided as of now. Raises NotFound for an unknown consent, for one that the caller may
    not see, for one recorded after `as_known_at`, and for one given after `as_of`; the four cannot be distinguished.
    """

    async def work(command: Command) -> ConsentView:
        consent = await _lock_consent(command, consent_id)
        now = await command.now()
        moment = Moment(as_of or now, as_known_at or now)
        known = consent is not None and consent.recorded_at <= moment.known_at and consent.given_at <= moment.at
        views = await _views(command, [consent] if consent is not None and known else [], now, moment)
        if not views:
            raise NotFound
        await _log_read(command, views, consent.client_id if consent else None)
        return views[0]

    return await run_query(runtime, actor, work)


async def _lock_consent(command: Command, consent_id: str) -> storage.ConsentRow | None:
    """The consent, read under the shared lock of its client, so that no event about the client outlives its erasure.

    An unknown consent costs the same lock and queries.
    """
    network_id = command.network.network_id
    consent = await storage.find_consent(command.connection, network_id, consent_id)
    subject = consent_id if consent is None else consent.client_id
    await lock_client_shared(command.connection, network_id, client_lock(subject))
    return await storage.find_consent(command.connection, network_id, consent_id)


async def search_consents(runtime: Runtime, actor: Actor, request: SearchRequest) -> Page[ConsentView]:
    """A page of the consents that the caller may see, newest first. The read is logged with count and digest."""
    if request.client is not None:
        require_reference(request.client, "/client")
    filter_of_page = msgspec.json.encode(
        [actor.network.slug, actor.slug, request.client, request.status, request.evidence]
    )

    async def work(command: Command) -> Page[ConsentView]:
        before = read_cursor(command.keys, filter_of_page, request.cursor)
        client_id, client_ids = None, None
        if request.client is not None:
            client_id = await held_client(command, request.client)
            if client_id is None:
                await _log_read(command, [], None)
                return Page([], None)
            groups = await find_groups(command.connection, command.network.network_id, [client_id])
            client_ids = groups[client_id].client_ids
        now = await command.now()
        views, before = await _matching(command, request, client_ids, before, now)
        page = Page(views, make_cursor(command.keys, filter_of_page, before))
        await _log_read(command, views, client_id)
        return page

    return await run_query(runtime, actor, work)


async def held_client(command: Command, reference: str) -> str | None:
    """The client number of the caller's reference, under the client's shared lock. None if it is not registered.

    An unregistered reference costs the same lock and queries.
    """
    network_id, partner_id = command.network.network_id, command.actor.partner_id
    digests = reference_digests(command, reference)
    known = await find_reference(command.connection, network_id, partner_id, digests)
    number = digest_locks(digests)[0] if known is None else client_lock(known.client_id)
    await lock_client_shared(command.connection, network_id, number)
    known = await find_reference(command.connection, network_id, partner_id, digests)
    if known is None:
        return None
    require_found(command.keys, network_id, partner_id, known, reference)
    return known.client_id


async def _matching(
    command: Command, request: SearchRequest, client_ids: list[str] | None, before: str | None, now: datetime
) -> tuple[list[ConsentView], str | None]:
    """Up to `limit` matching consents, and the id after which the next page begins (None at the end)."""
    found: list[ConsentView] = []
    missing_evidence_of = None if request.evidence is None else command.actor.partner_id
    for _ in range(command.runtime.limits.search_rounds):
        rows = await storage.list_consents(
            command.connection, command.network.network_id, client_ids, before, request.limit + 1, missing_evidence_of
        )
        for view in await _views(command, rows, now, Moment(now, now)):
            if request.status is None or view.status == request.status:
                if len(found) == request.limit:
                    return found, found[-1].consent_id
                found.append(view)
        if len(rows) <= request.limit:
            return found, None
        before = rows[-1].consent_id
    return found, before


async def _views(
    command: Command, consents: Sequence[storage.ConsentRow], now: datetime, moment: Moment
) -> list[ConsentView]:
    """The caller's slices of these consents, without those of which it may see no grant."""
    network_id, partner_id = command.network.network_id, command.actor.partner_id
    ids = [consent.consent_id for consent in consents]
    grants: defaultdict[str, list[Grant]] = defaultdict(list)
    for grant in visible_grants(await find_grants_of_consents(command.connection, network_id, ids), partner_id, now):
        grants[grant.consent_id].append(grant)
    served_by = [
        release_id for of_consent in grants.values() for grant in of_consent for release_id in grant.release_ids
    ]
    releases = await storage.find_releases(command.connection, network_id, ids, served_by)
    places = await find_places(command.connection, command.network, ids)
    references = await own_references(command, [consent.client_id for consent in consents])
    views = []
    for consent in consents:
        if not grants[consent.consent_id]:
            continue
        index, leaf = places[consent.consent_id]
        entry = LogEntry.of(LogPlace(command.network.log_origin, index, leaf, b""))
        seen = grants[consent.consent_id]
        own_releases = [
            release
            for release in releases
            if release.is_visible_to(partner_id, seen) or any(release.serves(grant) for grant in seen)
        ]
        reference = references.get(consent.client_id)
        to_recorder = consent.recorder_id == partner_id
        views.append(
            view_consent(
                command.catalogue, consent, seen, own_releases, reference, entry, moment, to_recorder=to_recorder
            )
        )
    return views


async def _log_read(command: Command, views: Sequence[ConsentView], client_id: str | None) -> None:
    """Append the event of a read: what was shown, how many, and the digest of the list of ids."""
    now = await command.now()
    digest = digest_of([view.consent_id for view in views])
    await command.append(ReadEvent(id=new_id(now), client=client_id, what="consents", count=len(views), digest=digest))
