"""Withdrawals: by consent, by client or by the code the client carries; effective at once (design.md section 6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.domain.errors import Conflict, Fault, Malformed, RegistryError
from consent_registry.domain.events import Event
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.withdrawals import Withdrawn, still_given, withdraw
from consent_registry.operations.acts import Act, Done, Once, Reply, new_id, perform
from consent_registry.operations.clients import require_reference
from consent_registry.operations.decisions import LogEntry
from consent_registry.operations.notices import Notice, tell_parties
from consent_registry.operations.requests import WithdrawalRequest
from consent_registry.operations.runtime import Caller, Runtime
from consent_registry.operations.terms import instant_at
from consent_registry.operations.withdrawal_reach import choose, find_reach
from consent_registry.storage import withdrawals as storage
from consent_registry.storage.consents import (
    add_release_withdrawals,
)
from consent_registry.storage.grants import (
    GrantChange,
    add_grant_changes,
)


class WithdrawalAnswer(msgspec.Struct, frozen=True):
    """What was withdrawn now, and which grants of other consents for the same flows go on, as far as the caller has a
    part in them.
    """

    withdrawal_id: str
    withdrawn: list[str]
    still_given: list[str]
    recorded_at: AnsweredInstant
    log: LogEntry


async def withdraw_consent(runtime: Runtime, caller: Caller, request: WithdrawalRequest, once: Once) -> Reply:
    """Record a withdrawal. From this answer on no decision permits what was withdrawn.

    Raises NotFound alike for unknown and for not the caller's, Conflict when nothing is left, TooMany for guessing.
    """
    _require_one_target(request)

    async def work(act: Act) -> Done | RegistryError:
        category_ids = _category_ids(act, request)
        reach = await find_reach(act, request)
        if isinstance(reach, RegistryError):
            return reach
        now = await act.clock()
        declared_at, received_at = _times(request, now)
        chosen = choose(request, reach)
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
        client_ids = sorted({reach.client_id, *(one.grant.client_id for one in withdrawn)})
        return Done(201, answer, client_ids=tuple(client_ids))

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


async def _add_changes(
    act: Act, row: storage.WithdrawalRow, withdrawn: Sequence[Withdrawn], releases: Sequence[RecordedRelease]
) -> None:
    now, act_id = row.recorded_at, row.withdrawal_id
    rows = [GrantChange(one.grant, new_id(now), act_id, one.change) for one in withdrawn]
    await add_grant_changes(act.connection, act.network.network_id, rows)
    pairs = [(new_id(now), release.release_id) for release in releases]
    times = (row.received_at, now)
    await add_release_withdrawals(act.connection, act.network.network_id, act_id, times, pairs)


async def _tell_partners(act: Act, row: storage.WithdrawalRow, withdrawn: Sequence[Withdrawn]) -> None:
    """What was only asked for concerns nobody but who asked."""
    told = [(one.grant, one.change.effective_at) for one in withdrawn if one.grant.was_given]
    await tell_parties(act, Notice("consent_withdrawn", acknowledge=True), told, row.recorded_at)


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
