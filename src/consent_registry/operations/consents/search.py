"""Showing consents: each partner its own slice, and each showing on record (docs/design/consents.md)."""

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
from consent_registry.operations.running.actors import Actor
from consent_registry.operations.running.commands import Command, digest_of, new_id, run_query
from consent_registry.operations.running.context import Runtime
from consent_registry.operations.running.pagination import Page, make_cursor, read_cursor
from consent_registry.operations.running.wire_members import LogEntry
from consent_registry.storage.clients.clients import client_lock, digest_locks, find_reference, lock_client_shared
from consent_registry.storage.clients.links import find_groups
from consent_registry.storage.consents import consents as storage
from consent_registry.storage.consents.grants import find_grants_of_consents
from consent_registry.storage.log.append import LogPlace, find_places

# A search for a rare status gives up its page after so many reads; the cursor goes on from there.
ROUNDS = 20


async def read_consent(
    runtime: Runtime,
    actor: Actor,
    consent_id: str,
    as_of: datetime | None = None,
    as_known_at: datetime | None = None,
) -> ConsentView:
    """The caller's slice of a consent, now or at a point of both time axes; logged as read. Who may see it is asked
    as of now. Raises NotFound alike for unknown, for not the caller's, for not known yet at `as_known_at` and for
    not given yet at `as_of`: later approval makes no earlier consent.
    """

    async def work(command: Command) -> ConsentView:
        consent = await _held_consent(command, consent_id)
        now = await command.now()
        moment = Moment(as_of or now, as_known_at or now)
        known = consent is not None and consent.recorded_at <= moment.known_at and consent.given_at <= moment.at
        views = await _views(command, [consent] if consent is not None and known else [], now, moment)
        if not views:
            raise NotFound
        await _log_shown(command, views, consent.client_id if consent else None)
        return views[0]

    return await run_query(runtime, actor, work)


async def _held_consent(command: Command, consent_id: str) -> storage.ConsentRow | None:
    """The consent, its client held beside others: what is written about a client would survive its erasure. The same
    work for one that is not there.
    """
    network_id = command.network.network_id
    consent = await storage.find_consent(command.connection, network_id, consent_id)
    subject = consent_id if consent is None else consent.client_id
    await lock_client_shared(command.connection, network_id, client_lock(subject))
    return await storage.find_consent(command.connection, network_id, consent_id)


async def search_consents(runtime: Runtime, actor: Actor, request: SearchRequest) -> Page[ConsentView]:
    """The caller's consents, newest first, by client and status; logged as read, with count and digest of the list."""
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
                await _log_shown(command, [], None)
                return Page([], None)
            groups = await find_groups(command.connection, command.network.network_id, [client_id])
            client_ids = groups[client_id].client_ids
        now = await command.now()
        views, before = await _matching(command, request, client_ids, before, now)
        page = Page(views, make_cursor(command.keys, filter_of_page, before))
        await _log_shown(command, views, client_id)
        return page

    return await run_query(runtime, actor, work)


async def held_client(command: Command, reference: str) -> str | None:
    """The client behind the caller's reference, held beside others; the same work for a reference nobody registered."""
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
    """Up to `limit` matching consents and the id after which to go on (None at the end)."""
    found: list[ConsentView] = []
    without_evidence_by = None if request.evidence is None else command.actor.partner_id
    for _ in range(ROUNDS):
        rows = await storage.list_consents(
            command.connection, command.network.network_id, client_ids, before, request.limit + 1, without_evidence_by
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
    """The caller's slices of these consents; those in which it may see nothing are left out."""
    network_id, partner_id = command.network.network_id, command.actor.partner_id
    ids = [consent.consent_id for consent in consents]
    grants: defaultdict[str, list[Grant]] = defaultdict(list)
    for grant in visible_grants(await find_grants_of_consents(command.connection, network_id, ids), partner_id, now):
        grants[grant.consent_id].append(grant)
    releases = await storage.find_releases(command.connection, network_id, ids)
    places = await find_places(command.connection, command.network, ids)
    references = await own_references(command, [consent.client_id for consent in consents])
    views = []
    for consent in consents:
        if not grants[consent.consent_id]:
            continue
        index, leaf = places[consent.consent_id]
        entry = LogEntry.of(LogPlace(command.network.log_origin, index, leaf, b""))
        seen = grants[consent.consent_id]
        own_releases = [release for release in releases if release.is_visible_to(partner_id, seen)]
        reference = references.get(consent.client_id)
        remarks = consent.remarks if consent.recorder_id == partner_id else ()
        views.append(
            view_consent(command.catalogue, consent, seen, own_releases, reference, entry, moment, remarks=remarks)
        )
    return views


async def _log_shown(command: Command, views: Sequence[ConsentView], client_id: str | None) -> None:
    """Log that clients' data were shown: one event a call, with count and digest of the list."""
    now = await command.now()
    digest = digest_of([view.consent_id for view in views])
    await command.append(ReadEvent(id=new_id(now), client=client_id, what="consents", count=len(views), digest=digest))
