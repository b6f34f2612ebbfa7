"""Withdrawals: by consent, by client or by the code the client carries; effective at once (design.md section 6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound, RegistryError, TooMany
from consent_registry.domain.events import Event
from consent_registry.domain.grants import Grant
from consent_registry.domain.instants import format_instant
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.renewals import related_consents, same_release, same_yes
from consent_registry.domain.withdrawals import Withdrawn, still_given, withdraw
from consent_registry.operations.acts import Act, Done, Once, Reply, new_id, perform
from consent_registry.operations.clients import locked_client, require_reference
from consent_registry.operations.consents import receipt_code_digests
from consent_registry.operations.decisions import LogEntry
from consent_registry.operations.notices import Notice, tell_parties
from consent_registry.operations.requests import WithdrawalRequest
from consent_registry.operations.runtime import Caller, Runtime
from consent_registry.operations.terms import instant_at
from consent_registry.operations.views import visible_grants
from consent_registry.storage import withdrawals as storage
from consent_registry.storage.clients import client_lock, lock_client
from consent_registry.storage.consents import (
    add_release_withdrawals,
    find_consent,
    find_receipt_code,
    find_releases,
)
from consent_registry.storage.database import set_partners
from consent_registry.storage.grants import (
    GrantChange,
    add_grant_changes,
    find_grants_of_client,
)

# Enough for an office that mistypes, far too little to guess one of 2^55.
WRONG_CODES_AN_HOUR = 20


class WithdrawalAnswer(msgspec.Struct, frozen=True):
    """What was withdrawn now, and which grants of other consents for the same flows go on."""

    withdrawal_id: str
    withdrawn: list[str]
    still_given: list[str]
    recorded_at: str
    log: LogEntry


class _Reach(msgspec.Struct, frozen=True):
    """What the caller may withdraw: of which client, which grants and releases. All it may see of that client, and of
    the releases those that a renewal could bind to these.
    """

    client_id: str
    grants: list[Grant]
    releases: list[RecordedRelease]
    seen: list[Grant]
    seen_releases: list[RecordedRelease]


async def withdraw_consent(runtime: Runtime, caller: Caller, request: WithdrawalRequest, once: Once) -> Reply:
    """Record a withdrawal. From this answer on no decision permits what was withdrawn.

    Raises NotFound alike for unknown and for not the caller's, Conflict when nothing is left, TooMany for guessing.
    """
    _require_one_target(request)

    async def work(act: Act) -> Done | RegistryError:
        category_ids = _category_ids(act, request)
        reach = await _reach(act, request)
        if isinstance(reach, RegistryError):
            return reach
        now = await act.clock()
        declared_at, received_at = _times(request, now)
        chosen = _choose(request, reach)
        withdrawn = withdraw(chosen.grants, received_at, now, category_ids)
        releases = [one for one in chosen.releases if one.live] if category_ids is None else []
        if not withdrawn and not releases:
            raise Conflict("Nothing is left to withdraw.")
        withdrawal_id = new_id(now)
        row = storage.WithdrawalRow(
            withdrawal_id, reach.client_id, caller.partner_id, request.channel, declared_at, received_at, now
        )
        await storage.add_withdrawal(act.connection, act.network.network_id, row)
        await _add_changes(act, row, withdrawn, releases)
        await _tell_partners(act, row, withdrawn)
        event = _event(act, request, row, withdrawn, releases)
        place = (await act.append(now, event))[0]
        answer = WithdrawalAnswer(
            withdrawal_id,
            [one.grant.grant_id for one in withdrawn],
            [grant.grant_id for grant in still_given(reach.seen, withdrawn, now)],
            format_instant(now),
            LogEntry.of(place),
        )
        return Done(201, answer, client_ids=(reach.client_id,))

    return await perform(runtime, caller, work, once=once)


def _require_one_target(request: WithdrawalRequest) -> None:
    targets = [request.consent_id, request.client, request.receipt_code]
    if sum(target is not UNSET for target in targets) != 1:
        raise Malformed(faults=(Fault("", "needs exactly one of consent_id, client and receipt_code"),))
    if isinstance(request.client, str):
        require_reference(request.client, "/client")
    for member in ("grants", "releases", "categories"):
        values = getattr(request, member)
        if values is not UNSET and len(set(values)) != len(values):
            raise Malformed(faults=(Fault(f"/{member}", "must not name anything twice"),))
    if request.categories is not UNSET and request.releases is not UNSET:
        raise Malformed(faults=(Fault("/releases", "a release has no categories: withdraw it on its own"),))


def _category_ids(act: Act, request: WithdrawalRequest) -> frozenset[int] | None:
    if isinstance(request.categories, UnsetType):
        return None
    categories = act.catalogue.categories
    faults = [
        Fault(f"/categories/{number}", f"{slug!r} is no data category of this network")
        for number, slug in enumerate(request.categories)
        if slug not in categories
    ]
    if faults:
        raise Malformed(faults=tuple(faults))
    return frozenset(categories[slug].category_id for slug in request.categories)


def _times(request: WithdrawalRequest, now: datetime) -> tuple[datetime, datetime]:
    """Declared and received: not in the future, in this order; neither delays the effect."""
    faults: list[Fault] = []
    received = instant_at(None if request.received_at is UNSET else request.received_at, "/received_at", faults)
    declared = instant_at(None if request.declared_at is UNSET else request.declared_at, "/declared_at", faults)
    received_at = received or now
    declared_at = declared or received_at
    if received_at > now:
        faults.append(Fault("/received_at", "must not be in the future"))
    if declared_at > received_at:
        faults.append(Fault("/declared_at", "must not be after received_at"))
    if faults:
        raise Malformed(faults=tuple(faults))
    return declared_at, received_at


async def _reach(act: Act, request: WithdrawalRequest) -> _Reach | RegistryError:
    """Find and lock the client; the lock is the client's, because another partner may withdraw by another name."""
    if isinstance(request.receipt_code, str):
        return await _reach_by_code(act, request.receipt_code)
    if isinstance(request.client, str):
        known = await locked_client(act, request.client)
        if known is None:
            raise NotFound
        return await _reach_of(act, known.client_id, None, [act.caller.partner_id])
    if isinstance(request.consent_id, str):
        consent = await find_consent(act.connection, act.network.network_id, request.consent_id)
        # The same work for a consent that is not there as for one whose grants the caller may not see: a refusal.
        client_id = request.consent_id if consent is None else consent.client_id
        await lock_client(act.connection, act.network.network_id, client_lock(client_id))
        reach = await _reach_of(act, client_id, request.consent_id, [act.caller.partner_id])
        if not reach.grants:
            raise NotFound
        return reach
    raise NotFound  # pragma: no cover - one target is required


async def _reach_by_code(act: Act, code: str) -> _Reach | RegistryError:
    """By the client's own code, at any partner of the network; a wrong one is counted, and said to be unknown."""
    network_id, partner_id = act.network.network_id, act.caller.partner_id
    if await storage.count_code_failures(act.connection, network_id, partner_id) >= WRONG_CODES_AN_HOUR:
        raise TooMany("Too many wrong codes within an hour.", retry_after=3600)
    digests = receipt_code_digests(act, code)
    found = await find_receipt_code(act.connection, network_id, digests) if digests else None
    if found is None:
        now = await act.clock()
        await storage.add_code_failure(act.connection, network_id, partner_id, new_id(now), now)
        return NotFound()
    consent_id, client_id, parties = found
    # The client acts here, through whatever partner it went to: the whole consent is in reach.
    await set_partners(act.connection, {partner_id, *parties})
    await lock_client(act.connection, network_id, client_lock(client_id))
    reach = await _reach_of(act, client_id, consent_id, parties)
    return reach if reach.grants else NotFound()  # none: erased while the lock was waited for


async def _reach_of(act: Act, client_id: str, consent_id: str | None, for_partners: Sequence[int]) -> _Reach:
    """What these partners may see of a client's grants, and what of it belongs to the consent in question."""
    now = await act.clock()
    all_grants = await find_grants_of_client(act.connection, act.network.network_id, client_id)
    visible = {grant.grant_id for one in for_partners for grant in visible_grants(all_grants, one, now)}
    seen = [grant for grant in all_grants if grant.grant_id in visible]
    grants = [grant for grant in seen if consent_id in {None, grant.consent_id}]
    related = related_consents(seen)
    consents = sorted(frozenset().union(*(related[grant.consent_id] for grant in grants)))
    releases = [
        release
        for release in await find_releases(act.connection, act.network.network_id, consents)
        if any(release.is_visible_to(one, seen) for one in for_partners)
    ]
    own = [release for release in releases if consent_id in {None, release.consent_id}]
    return _Reach(client_id, grants, own, seen, releases)


def _choose(request: WithdrawalRequest, reach: _Reach) -> _Reach:
    """The grants and releases the request names; naming neither means all of both. A foreign one is not found."""
    if isinstance(request.grants, UnsetType) and isinstance(request.releases, UnsetType):
        return _with_renewals(reach)
    grant_ids = [] if isinstance(request.grants, UnsetType) else request.grants
    release_ids = [] if isinstance(request.releases, UnsetType) else request.releases
    by_id = {grant.grant_id: grant for grant in reach.grants}
    releases = {release.release_id: release for release in reach.releases}
    if not set(grant_ids) <= set(by_id) or not set(release_ids) <= set(releases):
        raise NotFound
    return _with_renewals(
        msgspec.structs.replace(
            reach, grants=[by_id[one] for one in grant_ids], releases=[releases[one] for one in release_ids]
        )
    )


def _with_renewals(reach: _Reach) -> _Reach:
    """A consent and its renewal are one yes said twice: whoever takes back one takes back both."""
    return msgspec.structs.replace(
        reach,
        grants=[*reach.grants, *same_yes(reach.grants, reach.seen)],
        releases=[*reach.releases, *same_release(reach.releases, reach.seen_releases, reach.seen)],
    )


async def _add_changes(
    act: Act, row: storage.WithdrawalRow, withdrawn: Sequence[Withdrawn], releases: Sequence[RecordedRelease]
) -> None:
    now, act_id, client_id = row.recorded_at, row.withdrawal_id, row.client_id
    rows = [GrantChange(one.grant, new_id(now), act_id, one.change) for one in withdrawn]
    await add_grant_changes(act.connection, act.network.network_id, client_id, rows)
    pairs = [(new_id(now), release.release_id) for release in releases]
    times = (row.received_at, now)
    await add_release_withdrawals(act.connection, act.network.network_id, client_id, act_id, times, pairs)


async def _tell_partners(act: Act, row: storage.WithdrawalRow, withdrawn: Sequence[Withdrawn]) -> None:
    """What was only asked for concerns nobody but who asked."""
    told = [(one.grant, one.change.effective_at) for one in withdrawn if one.grant.was_given]
    await tell_parties(act, row.client_id, Notice("consent_withdrawn", acknowledge=True), told, row.recorded_at)


def _event(
    act: Act,
    request: WithdrawalRequest,
    row: storage.WithdrawalRow,
    withdrawn: Sequence[Withdrawn],
    releases: Sequence[RecordedRelease],
) -> Event:
    members: dict[str, Any] = {
        "by": "consent"
        if request.consent_id is not UNSET
        else "client"
        if request.client is not UNSET
        else "receipt_code",
        "channel": row.channel,
        "declared_at": format_instant(row.declared_at),
        "received_at": format_instant(row.received_at),
        "grants": [
            {
                "grant": one.grant.grant_id,
                "consent": one.grant.consent_id,
                "categories": None
                if one.change.category_ids is None
                else act.catalogue.category_slugs(one.change.category_ids),
            }
            for one in withdrawn
        ],
        "releases": [release.release_id for release in releases],
    }
    reference = request.client if isinstance(request.client, str) else None
    return Event("withdrawal", row.withdrawal_id, members, row.client_id, reference)
