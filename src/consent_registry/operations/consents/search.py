"""Showing consents: each partner its own slice, and each showing on record (docs/design/consents.md)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.errors import NotFound
from consent_registry.domain.events import Event
from consent_registry.domain.grants import Grant
from consent_registry.operations.clients.clients import (
    own_references,
    reference_digests,
    require_found,
    require_reference,
)
from consent_registry.operations.commands import Act, digest_of, look_up, new_id
from consent_registry.operations.consents.schemas import SearchRequest
from consent_registry.operations.consents.views import ConsentView, Moment, view_consent, visible_grants
from consent_registry.operations.context import Caller, Runtime
from consent_registry.operations.pagination import Page, make_cursor, read_cursor
from consent_registry.operations.wire_members import LogEntry
from consent_registry.storage.clients.clients import client_lock, digest_locks, find_reference, lock_client_shared
from consent_registry.storage.clients.links import find_groups
from consent_registry.storage.consents import consents as storage
from consent_registry.storage.consents.grants import find_grants_of_consents
from consent_registry.storage.log.append import LogPlace, find_places

# A search for a rare status gives up its page after so many reads; the cursor goes on from there.
ROUNDS = 20


async def read_consent(
    runtime: Runtime,
    caller: Caller,
    consent_id: str,
    as_of: datetime | None = None,
    as_known_at: datetime | None = None,
) -> ConsentView:
    """The caller's slice of a consent, now or at a point of both time axes; logged as read. Who may see it is asked
    as of now. Raises NotFound alike for unknown, for not the caller's, for not known yet at `as_known_at` and for
    not given yet at `as_of`: later approval makes no earlier consent.
    """

    async def work(act: Act) -> ConsentView:
        consent = await _held_consent(act, consent_id)
        now = await act.now()
        moment = Moment(as_of or now, as_known_at or now)
        known = consent is not None and consent.recorded_at <= moment.known_at and consent.given_at <= moment.at
        views = await _views(act, [consent] if consent is not None and known else [], now, moment)
        if not views:
            raise NotFound
        await _log_shown(act, views, consent.client_id if consent else None)
        return views[0]

    return await look_up(runtime, caller, work)


async def _held_consent(act: Act, consent_id: str) -> storage.ConsentRow | None:
    """The consent, its client held beside others: what is written about a client would survive its erasure. The same
    work for one that is not there.
    """
    network_id = act.network.network_id
    consent = await storage.find_consent(act.connection, network_id, consent_id)
    subject = consent_id if consent is None else consent.client_id
    await lock_client_shared(act.connection, network_id, client_lock(subject))
    return await storage.find_consent(act.connection, network_id, consent_id)


async def search_consents(runtime: Runtime, caller: Caller, request: SearchRequest) -> Page[ConsentView]:
    """The caller's consents, newest first, by client and status; logged as read, with count and digest of the list."""
    if request.client is not None:
        require_reference(request.client, "/client")
    filter_of_page = msgspec.json.encode(
        [caller.network.slug, caller.slug, request.client, request.status, request.evidence]
    )

    async def work(act: Act) -> Page[ConsentView]:
        before = read_cursor(act.keys, filter_of_page, request.cursor)
        client_id, client_ids = None, None
        if request.client is not None:
            client_id = await held_client(act, request.client)
            if client_id is None:
                await _log_shown(act, [], None)
                return Page([], None)
            groups = await find_groups(act.connection, act.network.network_id, [client_id])
            client_ids = groups[client_id].client_ids
        now = await act.now()
        views, before = await _matching(act, request, client_ids, before, now)
        page = Page(views, make_cursor(act.keys, filter_of_page, before))
        await _log_shown(act, views, client_id)
        return page

    return await look_up(runtime, caller, work)


async def held_client(act: Act, reference: str) -> str | None:
    """The client behind the caller's reference, held beside others; the same work for a reference nobody registered."""
    network_id, partner_id = act.network.network_id, act.caller.partner_id
    digests = reference_digests(act, reference)
    known = await find_reference(act.connection, network_id, partner_id, digests)
    number = digest_locks(digests)[0] if known is None else client_lock(known.client_id)
    await lock_client_shared(act.connection, network_id, number)
    known = await find_reference(act.connection, network_id, partner_id, digests)
    if known is None:
        return None
    require_found(act.keys, network_id, partner_id, known, reference)
    return known.client_id


async def _matching(
    act: Act, request: SearchRequest, client_ids: list[str] | None, before: str | None, now: datetime
) -> tuple[list[ConsentView], str | None]:
    """Up to `limit` matching consents and the id after which to go on (None at the end)."""
    found: list[ConsentView] = []
    unproven_by = None if request.evidence is None else act.caller.partner_id
    for _ in range(ROUNDS):
        rows = await storage.list_consents(
            act.connection, act.network.network_id, client_ids, before, request.limit + 1, unproven_by
        )
        for view in await _views(act, rows, now, Moment(now, now)):
            if request.status is None or view.status == request.status:
                if len(found) == request.limit:
                    return found, found[-1].consent_id
                found.append(view)
        if len(rows) <= request.limit:
            return found, None
        before = rows[-1].consent_id
    return found, before


async def _views(act: Act, consents: Sequence[storage.ConsentRow], now: datetime, moment: Moment) -> list[ConsentView]:
    """The caller's slices of these consents; those in which it may see nothing are left out."""
    network_id, partner_id = act.network.network_id, act.caller.partner_id
    ids = [one.consent_id for one in consents]
    grants: defaultdict[str, list[Grant]] = defaultdict(list)
    for grant in visible_grants(await find_grants_of_consents(act.connection, network_id, ids), partner_id, now):
        grants[grant.consent_id].append(grant)
    releases = await storage.find_releases(act.connection, network_id, ids)
    places = await find_places(act.connection, act.network, ids)
    references = await own_references(act, [one.client_id for one in consents])
    views = []
    for one in consents:
        if not grants[one.consent_id]:
            continue
        index, leaf = places[one.consent_id]
        entry = LogEntry.of(LogPlace(act.network.log_origin, index, leaf, b""))
        seen = grants[one.consent_id]
        own_releases = [release for release in releases if release.is_visible_to(partner_id, seen)]
        reference = references.get(one.client_id)
        remarks = one.remarks if one.recorder_id == partner_id else ()
        views.append(view_consent(act.catalogue, one, seen, own_releases, reference, entry, moment, remarks=remarks))
    return views


async def _log_shown(act: Act, views: Sequence[ConsentView], client_id: str | None) -> None:
    """Log that clients' data were shown: one event a call, with count and digest of the list."""
    now = await act.now()
    members = {"what": "consents", "count": len(views), "digest": digest_of([view.consent_id for view in views])}
    await act.append(now, Event("read", new_id(now), members, client_id))
