"""Partners' acts on recorded grants: confirm, end, invalidate, restrict, lift. A row each, never a flag."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consent_registry.domain.errors import Conflict, Fault, NotFound, Refused
from consent_registry.domain.events import Event
from consent_registry.domain.grant_acts import GrantAct, change_grants
from consent_registry.domain.grants import Change, Grant
from consent_registry.domain.instants import format_instant
from consent_registry.operations.acts import Act, Done, Once, Reply, new_id, perform
from consent_registry.operations.decisions import LogEntry
from consent_registry.operations.requests import Uuid
from consent_registry.operations.runtime import Caller, Runtime
from consent_registry.operations.views import visible_grants
from consent_registry.storage.clients import client_lock, lock_client
from consent_registry.storage.consents import ConsentRow, find_consent
from consent_registry.storage.grants import GrantChange, add_grant_changes, find_grants_of_consents
from consent_registry.storage.withdrawals import ChangeRow, add_changes

# Art. 19 DSGVO: a recipient says within two weeks what became of data it may no longer use.
ACKNOWLEDGE_WITHIN = timedelta(days=14)

Grants = Annotated[list[Uuid], Meta(min_length=1, max_length=50)]


class ChosenGrants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which grants of the consent: those named, or all the caller may do this to."""

    grants: Grants | UnsetType = UNSET


class EndingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why grants end without the client's doing."""

    reason: Literal["case_closed", "purpose_reached", "partner_left"]
    grants: Grants | UnsetType = UNSET


class InvalidationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why grants were void from the start."""

    reason: Literal["form", "capacity", "pressure", "vague_text"]
    grants: Grants | UnsetType = UNSET


class GrantChangeAnswer(msgspec.Struct, frozen=True):
    """The act on record, and the grants it changed."""

    id: str
    consent_id: str
    grants: list[str]
    recorded_at: str
    log: LogEntry


async def act_on_grants(
    runtime: Runtime,
    caller: Caller,
    kind: GrantAct,
    consent_id: str,
    request: ChosenGrants | EndingRequest | InvalidationRequest,
    once: Once,
) -> Reply:
    """Do one act to grants of a consent. Raises NotFound alike for unknown and for not the caller's, Refused when it
    is not the caller's to do, Conflict when no grant is open to it.
    """

    async def work(act: Act) -> Done:
        consent, seen = await _reach(act, consent_id)
        now = await act.clock()
        chosen = _choose(kind, request, seen, caller)
        changes = change_grants(kind, chosen, consent.given_at, now)
        if not changes:
            raise Conflict("No grant of this consent is open to this now.")
        act_id = new_id(now)
        rows = [GrantChange(grant, new_id(now), act_id, change) for grant, change in changes]
        await add_grant_changes(act.connection, act.network.network_id, consent.client_id, rows)
        await _tell_partners(act, kind, consent, changes, now)
        event = _event(kind, act_id, consent, request, changes)
        place = (await act.append(now, event))[0]
        answer = GrantChangeAnswer(
            act_id, consent_id, [grant.grant_id for grant, _ in changes], format_instant(now), LogEntry.of(place)
        )
        return Done(201, answer, client_ids=(consent.client_id,))

    return await perform(runtime, caller, work, once=once)


async def _reach(act: Act, consent_id: str) -> tuple[ConsentRow, list[Grant]]:
    """The consent, its client held alone, and the grants of it that the caller may see."""
    network_id, partner_id = act.network.network_id, act.caller.partner_id
    consent = await find_consent(act.connection, network_id, consent_id)
    if consent is None:
        raise NotFound
    await lock_client(act.connection, network_id, client_lock(consent.client_id))
    grants = await find_grants_of_consents(act.connection, network_id, [consent_id])
    seen = visible_grants(grants, partner_id, await act.clock())
    if not seen:
        raise NotFound
    return consent, seen


def _choose(
    kind: GrantAct, request: ChosenGrants | EndingRequest | InvalidationRequest, seen: Sequence[Grant], caller: Caller
) -> list[Grant]:
    by_id = {grant.grant_id: grant for grant in seen}
    named = list(by_id) if isinstance(request.grants, UnsetType) else request.grants
    if not set(named) <= set(by_id):
        raise NotFound
    chosen = [by_id[one] for one in dict.fromkeys(named) if kind.may(by_id[one], caller.partner_id)]
    if not chosen:
        raise Refused(faults=(Fault("/grants", kind.who, f"who_may_{kind.noun}", kind.norm),))
    return chosen


async def _tell_partners(
    act: Act, kind: GrantAct, consent: ConsentRow, changes: Sequence[tuple[Grant, Change]], now: datetime
) -> None:
    """Tell sender and recipient of every grant that had been given; a confirmation makes it given."""
    concerned: defaultdict[int, list[Grant]] = defaultdict(list)
    for grant, _ in changes:
        if grant.was_given or kind.kind == "confirmed":
            concerned[grant.sender_id].append(grant)
            concerned[grant.recipient_id].append(grant)
    rows = [
        ChangeRow(
            partner_id=partner_id,
            change_id=new_id(now),
            kind=f"consent_{kind.kind}",
            consent_id=consent.consent_id,
            client_id=consent.client_id,
            grant_ids=tuple(grant.grant_id for grant in several),
            effective_from=consent.given_at if kind.from_the_start else now,
            acknowledge_by=now + ACKNOWLEDGE_WITHIN if _must_acknowledge(kind, several, partner_id) else None,
            recorded_at=now,
        )
        for partner_id, several in concerned.items()
    ]
    await add_changes(act.connection, act.network.network_id, rows)


def _must_acknowledge(kind: GrantAct, several: Sequence[Grant], partner_id: int) -> bool:
    """A recipient of what ended, was void or is restricted says what it did with the data."""
    loses = kind.kind in {"ended", "invalidated", "restricted"}
    return loses and any(grant.recipient_id == partner_id for grant in several)


def _event(
    kind: GrantAct,
    act_id: str,
    consent: ConsentRow,
    request: ChosenGrants | EndingRequest | InvalidationRequest,
    changes: Sequence[tuple[Grant, Change]],
) -> Event:
    members: dict[str, Any] = {
        "consent": consent.consent_id,
        "grants": [grant.grant_id for grant, _ in changes],
        "effective_at": format_instant(changes[0][1].effective_at),
    }
    if not isinstance(request, ChosenGrants):
        members["reason"] = request.reason
    return Event(kind.noun, act_id, members, consent.client_id)
