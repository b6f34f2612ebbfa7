"""Changing recorded grants: a partner confirms, ends, invalidates or restricts them, or lifts a restriction.

Each change is a new row of the table `grant_changes`; no row is updated.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound, Refused
from consent_registry.domain.events.all_kinds import EVENTS
from consent_registry.domain.events.event import Event
from consent_registry.domain.events.grant_changes import LoggedRenewal, LoggedUnrenewal
from consent_registry.domain.grant_changes import GrantAct, change_grants
from consent_registry.domain.grants import Change, Grant
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.law.rules.all_rules import RULES
from consent_registry.domain.renewals import related_grants, renew, unrenew
from consent_registry.operations.clients.links import locked_groups
from consent_registry.operations.consents.changes import ChangeNotice, notify_parties
from consent_registry.operations.consents.views import visible_grants
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import CONSTANT_TIME, Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import LogEntry, Slug, Uuid
from consent_registry.storage.consents.consents import ConsentRow, find_consent
from consent_registry.storage.consents.grants import GrantChange, add_grant_changes, find_grants_of_clients

Grants = Annotated[list[Uuid], Meta(min_length=1, max_length=50)]
Reason = Literal["form", "capacity", "pressure", "vague_text"]
Changes = list[tuple[Grant, Change]]


class ChosenGrants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which grants of the consent: those named, or all that the caller may change in this way."""

    grants: Grants | UnsetType = UNSET


class EndingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why grants end without the client's doing."""

    reason: Literal["case_closed", "purpose_reached", "partner_left", "mandate_ended"]
    grants: Grants | UnsetType = UNSET


class InvalidationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why grants were void from the start."""

    reason: Reason
    grants: Grants | UnsetType = UNSET


class RestrictionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which grants of the consent, and which of their data categories. A missing list means all."""

    grants: Grants | UnsetType = UNSET
    categories: Annotated[list[Slug], Meta(min_length=1, max_length=100)] | UnsetType = UNSET


GrantActRequest = ChosenGrants | EndingRequest | InvalidationRequest | RestrictionRequest


class GrantChangeAnswer(msgspec.Struct, frozen=True):
    """The recorded change, with the ids of the changed grants of this consent and of its renewals."""

    id: str
    consent_id: str
    grants: list[str]
    recorded_at: AnsweredInstant
    log: LogEntry


GRANT_CHANGE = StoredShape("grant_change", 1, GrantChangeAnswer)


async def act_on_grants(
    kind: GrantAct,
    runtime: Runtime,
    actor: Actor,
    consent_id: str,
    request: GrantActRequest,
    idempotency_key: IdempotencyKey,
) -> CommandResult[GrantChangeAnswer]:
    """Change grants of a consent in one way, such as confirming or ending them.

    Raises NotFound for an unknown consent and, without a difference, for one that the caller may not see; Refused if
    the caller is not the party that may do this; Conflict if no grant can be changed so now.
    """

    async def work(command: Command) -> WorkResult[GrantChangeAnswer]:
        category_ids = _category_ids(command, request)
        consent, seen = await _find_and_lock(command, consent_id)
        now = await command.now()
        chosen = _choose(command, kind, request, [grant for grant in seen if grant.consent_id == consent_id], now)
        if kind.spreads:
            chosen += related_grants(chosen, seen)
        changes = change_grants(kind, chosen, consent.given_at, now, category_ids)
        if not changes:
            raise Conflict("No grant of this consent is open to this now.")
        renewals = _renewals(kind, [grant for grant, _ in changes], seen, now)
        act_id = new_id(now)
        ids = event_ids(consent.client_id, act_id, [grant for grant, _ in changes + renewals], now)
        rows = [GrantChange(grant, new_id(now), ids[grant.client_id], change) for grant, change in changes + renewals]
        await add_grant_changes(command.connection, command.network.network_id, rows)
        await _notify_partners(command, kind, changes, renewals, now)
        own, *others = [_event(kind, consent, number, ids, request, changes, renewals) for number in ids]
        place = await command.append_padded(own, others)
        answer = GrantChangeAnswer(
            act_id, consent_id, [grant.grant_id for grant, _ in changes], format_instant(now), LogEntry.of(place)
        )
        return WorkResult(answer, client_ids=(consent.client_id,))

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=GRANT_CHANGE, constant_time=CONSTANT_TIME
    )


def _category_ids(command: Command, request: GrantActRequest) -> frozenset[int] | None:
    if not isinstance(request, RestrictionRequest) or isinstance(request.categories, UnsetType):
        return None
    faults = [
        Fault(f"/categories/{number}", f"{slug!r} is no data category of this network")
        for number, slug in enumerate(request.categories)
        if slug not in command.catalogue.categories
    ]
    if len(set(request.categories)) != len(request.categories):
        faults.append(Fault("/categories", "must not name a category twice"))
    if faults:
        raise Malformed(faults=tuple(faults))
    return frozenset(command.catalogue.categories[slug].category_id for slug in request.categories)


async def _find_and_lock(command: Command, consent_id: str) -> tuple[ConsentRow, list[Grant]]:
    """The consent, and the grants of its client that the caller may see. Takes the client's exclusive lock.

    Raises NotFound if the caller sees no grant of this consent.
    """
    network_id, partner_id = command.network.network_id, command.actor.partner_id
    consent = await find_consent(command.connection, network_id, consent_id)
    if consent is None:
        raise NotFound
    group = (await locked_groups(command, [consent.client_id]))[consent.client_id]
    grants = await find_grants_of_clients(command.connection, network_id, group.client_ids)
    seen = visible_grants(grants, partner_id, await command.now())
    if all(grant.consent_id != consent_id for grant in seen):
        raise NotFound
    return consent, seen


def _choose(
    command: Command, kind: GrantAct, request: GrantActRequest, own: Sequence[Grant], now: datetime
) -> list[Grant]:
    by_id = {grant.grant_id: grant for grant in own}
    named = list(by_id) if isinstance(request.grants, UnsetType) else request.grants
    if not set(named) <= set(by_id):
        raise NotFound
    partner_id = command.actor.partner_id
    chosen = [by_id[grant_id] for grant_id in dict.fromkeys(named) if kind.may(by_id[grant_id], partner_id)]
    if not chosen:
        raise Refused(faults=(_not_theirs(command, kind, [by_id[grant_id] for grant_id in named], now),))
    return chosen


def _not_theirs(command: Command, kind: GrantAct, grants: Sequence[Grant], now: datetime) -> Fault:
    """The fault of a caller who may not do this to any of the grants."""
    partners = command.catalogue.partner_by_id
    flows = [(partners[grant.sender_id].regime, partners[grant.recipient_id].regime) for grant in grants]
    norm = RULES[f"who_may_{kind.noun}"].norm_between(now, command.regime, flows)
    return Fault("/grants", kind.who, f"who_may_{kind.noun}", norm)


def _renewals(kind: GrantAct, changed: Sequence[Grant], seen: Sequence[Grant], now: datetime) -> Changes:
    """The changes to grants of an earlier consent that follow.

    A confirmed grant renews the earlier grant it was given for. An invalidated grant ends such a renewal.
    """
    if kind.kind == "confirmed":
        earlier_ids = {grant.renews for grant in changed}
        return renew([grant for grant in seen if grant.consent_id in earlier_ids], changed, now, now)
    return unrenew(seen, changed, now) if kind.kind == "invalidated" else []


async def _notify_partners(
    command: Command, kind: GrantAct, changes: Changes, renewals: Changes, now: datetime
) -> None:
    """Notify sender and recipient of each changed grant that was given, or is given now by confirmation."""
    notified = [
        (grant, change.effective_at) for grant, change in changes if grant.was_given or kind.kind == "confirmed"
    ]
    loses = kind.kind in {"ended", "invalidated", "restricted"}
    notice = ChangeNotice(f"consent_{kind.kind}", acknowledge=loses, use_ban=kind.from_the_start)
    await notify_parties(command, notice, notified, now)
    for change_kind in ("renewed", "unrenewed"):
        of_kind = [(grant, change.effective_at) for grant, change in renewals if change.kind == change_kind]
        await notify_parties(command, ChangeNotice(f"consent_{change_kind}"), of_kind, now)


def _event(
    kind: GrantAct,
    consent: ConsentRow,
    number: str,
    ids: Mapping[str, str],
    request: GrantActRequest,
    changes: Changes,
    renewals: Changes,
) -> Event:
    """The event for one client number.

    The event for the consent's own number names the caller as actor. Events for other numbers have no actor.
    """
    members: dict[str, Any] = {
        "id": ids[number],
        "client": number,
        "grants": [grant.grant_id for grant, _ in changes if grant.client_id == number],
        "effective_at": format_instant(changes[0][1].effective_at),
    }
    if isinstance(request, RestrictionRequest):
        members["categories"] = None if isinstance(request.categories, UnsetType) else list(request.categories)
    if kind.kind in {"confirmed", "invalidated"}:
        under = [renewal for renewal in renewals if renewal[0].client_id == number]
        members |= {"renewed": logged_renewals(under), "unrenewed": logged_unrenewals(under)}
    if number != consent.client_id:
        return EVENTS[kind.noun](actor=None, act=ids[consent.client_id], **members)
    if isinstance(request, EndingRequest | InvalidationRequest):
        members["reason"] = request.reason
    members["consent"] = consent.consent_id
    members["also"] = [grant.grant_id for grant, _ in changes if grant.client_id != number]
    return EVENTS[kind.noun](**members)


def event_ids(client_id: str, act_id: str, grants: Iterable[Grant], now: datetime) -> dict[str, str]:
    """Event ids by client number: one event for each number that is changed, that of `client_id` first."""
    others = {grant.client_id for grant in grants} - {client_id}
    return {client_id: act_id} | {number: new_id(now) for number in sorted(others)}


def logged_renewals(renewals: Changes) -> list[LoggedRenewal]:
    """Grants of earlier consents that are renewed, as an event lists them."""
    return [
        LoggedRenewal(
            grant=grant.grant_id,
            by=change.by_grant_id,
            effective_at=format_instant(change.effective_at),
            valid_until=format_instant(change.valid_until),
        )
        for grant, change in renewals
        if change.kind == "renewed" and change.by_grant_id is not None and change.valid_until is not None
    ]


def logged_unrenewals(renewals: Changes) -> list[LoggedUnrenewal]:
    """Grants of earlier consents whose renewal was void, as an event lists them."""
    return [
        LoggedUnrenewal(grant=grant.grant_id, by=change.by_grant_id, effective_at=format_instant(change.effective_at))
        for grant, change in renewals
        if change.kind == "unrenewed" and change.by_grant_id is not None
    ]
