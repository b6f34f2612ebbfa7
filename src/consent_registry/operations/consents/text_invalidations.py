"""Invalidating a text, and with it every consent given on it (docs/design/cases.md, case 6)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.act_entries import with_padding
from consent_registry.domain.catalogue import Text
from consent_registry.domain.errors import Conflict, Fault, Malformed
from consent_registry.domain.events.event import Event
from consent_registry.domain.events.grant_changes import InvalidationEvent, RenewalEvent
from consent_registry.domain.events.texts import TextInvalidationEvent
from consent_registry.domain.grant_changes import INVALIDATION, change_grants
from consent_registry.domain.grants import Grant
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.renewals import unrenew
from consent_registry.operations.consents.changes import ChangeNotice, notify_parties
from consent_registry.operations.consents.grant_changes import (
    Changes,
    Reason,
    event_ids,
    logged_renewals,
    logged_unrenewals,
)
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, digest_of, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import Language, LogEntry, Uuid
from consent_registry.storage.catalogue import texts as storage
from consent_registry.storage.catalogue.catalogue import add_version
from consent_registry.storage.consents.grants import GrantChange, add_grant_changes, find_grants_of_consents
from consent_registry.storage.database.database import widen_partners

_NOTICES = {
    "invalidated": ChangeNotice("consent_invalidated", acknowledge=True, use_ban=True),
    "unrenewed": ChangeNotice("consent_unrenewed"),
}
# Consents that are read, voided and logged together. All chunks are in one transaction.
CHUNK = 1000


class TextInvalidationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text that is void, in one language or in all, and why."""

    text: Uuid
    reason: Reason
    language: Language | None = None


class TextInvalidationAnswer(msgspec.Struct, frozen=True):
    """The recorded invalidation of a text, with the number of consents and grants that it made void."""

    id: str
    text: str
    language: str | None
    consents: int
    grants: int
    recorded_at: AnsweredInstant
    log: LogEntry


TEXT_INVALIDATION = StoredShape("text_invalidation", 1, TextInvalidationAnswer)


async def invalidate_text(
    runtime: Runtime, actor: Actor, request: TextInvalidationRequest, idempotency_key: IdempotencyKey
) -> CommandResult[TextInvalidationAnswer]:
    """Invalidate a text and every consent on it, from the day each was given. No new consent can name the text.

    Every recipient is forbidden to use what it received (§ 78 Abs. 1, § 67d SGB X). Each consent has an event of its
    own under its client, so that it can be erased separately; the event of the text comes last. Raises Malformed for
    an unknown text or language, Conflict if it is void already.
    """

    async def work(command: Command) -> WorkResult[TextInvalidationAnswer]:
        _require_not_void(_text(command, request), request.language)
        # This act holds the catalogue's exclusive lock, every consent act and every decision its shared lock. So none
        # of them is running, and the locks of thousands of clients need not be taken, nor ordered.
        await widen_partners(command.connection, command.catalogue.partner_by_id)
        now = await command.now()
        invalidation_id, text = new_id(now), (request.text, request.language)
        await storage.add_text_invalidation(
            command.connection, command.network.network_id, invalidation_id, text, request.reason, now
        )
        await add_version(command.connection, command.network.network_id, now)
        consents = await storage.list_consents_on_text(command.connection, command.network.network_id, text)
        events: list[Event] = []
        for first in range(0, len(consents), CHUNK):
            events += await _void(command, consents[first : first + CHUNK], invalidation_id, request.reason, now)
        event = _event(request, invalidation_id, events)
        events.append(event)
        # Appending takes the log's lock and keeps it until COMMIT, so it comes last.
        for first in range(0, len(events), CHUNK):
            places = await command.append(*events[first : first + CHUNK])
        answer = TextInvalidationAnswer(
            invalidation_id,
            request.text,
            request.language,
            event.consents,
            event.grants,
            format_instant(now),
            LogEntry.of(places[-1]),
        )
        return WorkResult(answer)

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=TEXT_INVALIDATION, exclusive=True
    )


def _event(request: TextInvalidationRequest, invalidation_id: str, events: Sequence[Event]) -> TextInvalidationEvent:
    """The event of the text, which counts the consents and grants in `events`. Renewals and padding are not counted."""
    voided = [event for event in events if isinstance(event, InvalidationEvent)]
    return TextInvalidationEvent(
        id=invalidation_id,
        text=request.text,
        language=request.language,
        reason=request.reason,
        consents=len(voided),
        grants=sum(len(invalidation.grants) for invalidation in voided),
        digest=digest_of([str(invalidation.consent) for invalidation in voided]),
    )


def _text(command: Command, request: TextInvalidationRequest) -> Text:
    text = command.catalogue.texts.get(request.text)
    if text is None:
        raise Malformed(faults=(Fault("/text", "is no text of this network"),))
    if request.language is not None and request.language not in text.languages:
        raise Malformed(faults=(Fault("/language", "is no language of this text"),))
    return text


def _require_not_void(text: Text, language: str | None) -> None:
    languages = text.languages.values() if language is None else [text.languages[language]]
    if all(language.void for language in languages):
        raise Conflict("This text is void already.")


async def _void(
    command: Command, consents: Sequence[storage.ConsentOnText], invalidation_id: str, reason: str, now: datetime
) -> list[Event]:
    """Invalidate these consents, each as if alone. Returns two events for each.

    The second event is about the grants that the consent had renewed under another client number, or it is padding.
    """
    ids = {consent.consent_id for consent in consents} | {
        consent.renews for consent in consents if consent.renews is not None
    }
    grants: dict[str, list[Grant]] = {}
    for grant in await find_grants_of_consents(command.connection, command.network.network_id, sorted(ids)):
        grants.setdefault(grant.consent_id, []).append(grant)
    events: list[Event] = []
    rows: list[GrantChange] = []
    for consent in consents:
        changes = change_grants(INVALIDATION, grants.get(consent.consent_id, ()), consent.given_at, now)
        if not changes:
            continue  # all its grants were refused or are void already
        earlier = grants.get(consent.renews, []) if consent.renews is not None else []
        unrenewed = unrenew(earlier, [grant for grant, _ in changes], now)
        numbers = event_ids(consent.client_id, new_id(now), [grant for grant, _ in unrenewed], now)
        own = _invalidation(consent, changes, unrenewed, invalidation_id, reason, numbers[consent.client_id])
        others = [_renewal(unrenewed, number, own.id, renewal_id) for number, renewal_id in list(numbers.items())[1:]]
        events += with_padding(own, others, [new_id(now)])
        rows += [
            GrantChange(grant, new_id(now), numbers[grant.client_id], change) for grant, change in changes + unrenewed
        ]
    await add_grant_changes(command.connection, command.network.network_id, rows)
    for kind, notice in _NOTICES.items():
        # A requested grant was never in force, so nobody is notified that it ends.
        of_kind = [row for row in rows if row.change.kind == kind and row.grant.was_given]
        await notify_parties(command, notice, [(row.grant, row.change.effective_at) for row in of_kind], now)
    return events


def _invalidation(
    consent: storage.ConsentOnText,
    changes: Changes,
    unrenewed: Changes,
    invalidation_id: str,
    reason: str,
    event_id: str,
) -> InvalidationEvent:
    under = [pair for pair in unrenewed if pair[0].client_id == consent.client_id]
    return InvalidationEvent(
        id=event_id,
        client=consent.client_id,
        consent=consent.consent_id,
        grants=[grant.grant_id for grant, _ in changes],
        effective_at=format_instant(consent.given_at),
        reason=reason,
        text_invalidation=invalidation_id,
        renewed=logged_renewals(under),
        unrenewed=logged_unrenewals(under),
    )


def _renewal(unrenewed: Changes, client_id: str, act_id: str, event_id: str) -> RenewalEvent:
    """The event that grants under another client number are no longer renewed."""
    under = [pair for pair in unrenewed if pair[0].client_id == client_id]
    return RenewalEvent(
        id=event_id,
        act=act_id,
        client=client_id,
        renewed=logged_renewals(under),
        unrenewed=logged_unrenewals(under),
    )
