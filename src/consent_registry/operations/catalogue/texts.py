"""Publishing versions of the consent text, and marking translations as stale.

A published text never changes. Both acts take the exclusive lock of the catalogue, so no consent is recorded meanwhile
by a catalogue that is about to be outdated.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consent_registry.domain.berlin import day_in_berlin
from consent_registry.domain.catalogue import REFERENCE_LANGUAGE, Aliases, Catalogue
from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound, Refused
from consent_registry.domain.events.catalogue import LoggedLanguage
from consent_registry.domain.events.texts import StaleTranslationEvent, TextEvent
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.law.codes import Informs
from consent_registry.domain.law.publishing import ProposedText, TextSurroundings, publication_refusals
from consent_registry.domain.law.rules.all_rules import network_refusal
from consent_registry.operations.catalogue.logged_texts import logged_languages, logged_members
from consent_registry.operations.catalogue.text_entries import KnownSlugs, entry_faults, read_cover
from consent_registry.operations.catalogue.text_views import TextView, texts
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import GermanDay, Language, LogEntry, Sha256, Slug, day_at
from consent_registry.storage.catalogue import texts as storage
from consent_registry.storage.catalogue.catalogue import add_version
from consent_registry.storage.catalogue.network_setup import add_text


class LanguageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in one language, as characters or as base64 of its UTF-8 bytes: exactly what clients will be shown.
    `translation_of`: the SHA-256 of the German bytes that it translates; if given, it is compared.
    """

    language: Language
    content: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    content_base64: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    translation_of: Sha256 | UnsetType = UNSET


class CoverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A flow about which the text asks. No consent on the text goes beyond its flows."""

    sender: Slug
    recipient: Slug
    purpose: Slug
    categories: Annotated[list[Slug], Meta(min_length=1, max_length=100)]


class PublicationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new version of the text: the German text and any number of translations."""

    version: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$(?!\n)",
            examples=["2.2"],
            extra={"rule": "must have 1 to 63 letters (A to Z), digits, dots or hyphens, a letter or digit first"},
        ),
    ]
    languages: Annotated[list[LanguageRequest], Meta(min_length=1, max_length=100)]
    covers: Annotated[list[CoverRequest], Meta(min_length=1, max_length=1000)]
    informs: Annotated[list[Informs], Meta(max_length=50)] = []
    aliases: Annotated[dict[Language, Aliases], Meta(max_length=100)] = {}
    in_use_since: GermanDay | None = None
    in_use_until: GermanDay | None = None
    form_sha256: Sha256 | None = None


class PublishedText(msgspec.Struct, frozen=True):
    """The published text."""

    text: TextView
    recorded_at: AnsweredInstant
    log: LogEntry


class StalingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The translation that is stale, and why."""

    language: Language
    reason: Literal["mistranslated", "incomplete", "outdated"] | None = None


class StalingAnswer(msgspec.Struct, frozen=True):
    """The recorded staleness of a translation."""

    id: str
    text: str
    language: str
    recorded_at: AnsweredInstant
    log: LogEntry


TEXT = StoredShape("text", 1, PublishedText)


async def publish_text(
    runtime: Runtime, actor: Actor, request: PublicationRequest, idempotency_key: IdempotencyKey
) -> CommandResult[PublishedText]:
    """Publish a version of the text. Its bytes never change.

    Raises Malformed; Refused without a German text, for a translation of other German bytes, and for a text that does
    not show what it must; Conflict for a version that exists.
    """
    text = _proposed(request)

    async def work(command: Command) -> WorkResult[PublishedText]:
        if any(known.version == text.version for known in command.catalogue.texts.values()):
            raise Conflict("There is a text of this version; a new wording is a new version.")
        now = await command.now()
        today = day_in_berlin(now)
        _require_publishable(command.catalogue, request, text, today)
        text_id = new_id(now)
        network_id = command.network.network_id
        await add_text(command.connection, network_id, text_id, text, text.in_use_since or today, now)
        await add_version(command.connection, network_id, now)
        languages = [LoggedLanguage(**language) for language in logged_languages(text)]
        members = logged_members(text, today)
        event = TextEvent(id=new_id(now), text=text_id, version=text.version, languages=languages, **members)
        place = (await command.append(event))[0]
        command.catalogue = await command.runtime.reload(command.connection, command.network)
        answer = PublishedText(texts(command.catalogue, now)[text_id], format_instant(now), LogEntry.of(place))
        return WorkResult(answer)

    return await run_command(runtime, actor, work, idempotency_key=idempotency_key, shape=TEXT, exclusive=True)


def _require_publishable(catalogue: Catalogue, request: PublicationRequest, text: ProposedText, today: date) -> None:
    """Raise Malformed with every entry that the network does not have, or Refused with all that the text must show."""
    known = KnownSlugs(catalogue.partners, catalogue.purposes, catalogue.categories)
    if malformed := tuple(entry_faults(text.covers, text.informs, text.aliases, known)):
        raise Malformed(faults=malformed)
    in_force = [flow for parallel in catalogue.flows.values() for flow in parallel if not flow.agreement.ended]
    around = TextSurroundings.of(
        catalogue.partners.values(), catalogue.purposes.values(), catalogue.categories.values(), in_force
    )
    pointers = {language.language: f"/languages/{number}" for number, language in enumerate(request.languages)}
    if faults := tuple(publication_refusals(text, around, pointers, today)):
        raise Refused(faults=faults)


def _proposed(request: PublicationRequest) -> ProposedText:
    """The text that a request would publish. Raises Malformed or Refused with every fault."""
    malformed: list[Fault] = []
    days = [
        day_at(day, f"/{member}", malformed)
        for member, day in (("in_use_since", request.in_use_since), ("in_use_until", request.in_use_until))
    ]
    contents = _contents(request, malformed)
    if malformed:
        raise Malformed(faults=tuple(malformed))
    if faults := tuple(_refusals(request, contents)):
        raise Refused(faults=faults)
    return ProposedText(
        version=request.version,
        languages=contents,
        covers=tuple(map(read_cover, request.covers)),
        informs=tuple(request.informs),
        aliases=request.aliases,
        in_use_since=days[0],
        in_use_until=days[1],
        form_sha256=request.form_sha256,
    )


def _contents(request: PublicationRequest, malformed: list[Fault]) -> Mapping[str, bytes]:
    """The exact bytes by language. Faults are added to `malformed`."""
    contents: dict[str, bytes] = {}
    for number, language in enumerate(request.languages):
        pointer = f"/languages/{number}"
        if language.language in contents:
            malformed.append(Fault(f"{pointer}/language", "must not be named twice"))
        contents[language.language] = _content(language, pointer, malformed)
    return contents


def _content(language: LanguageRequest, pointer: str, faults: list[Fault]) -> bytes:
    if isinstance(language.content, str) and isinstance(language.content_base64, UnsetType):
        return language.content.encode()
    if not isinstance(language.content_base64, str) or isinstance(language.content, str):
        faults.append(Fault(pointer, "needs exactly one of content and content_base64"))
        return b""
    try:
        content = base64.b64decode(language.content_base64, validate=True)
        content.decode()
    except (binascii.Error, ValueError):
        faults.append(Fault(f"{pointer}/content_base64", "must be base64 of a text in UTF-8"))
        return b""
    return content


def _refusals(request: PublicationRequest, contents: Mapping[str, bytes]) -> Iterator[Fault]:
    if REFERENCE_LANGUAGE not in contents:
        yield network_refusal("/languages", "The German text is the reference of all others.", "german_reference")
        return
    german = hashlib.sha256(contents[REFERENCE_LANGUAGE]).hexdigest()
    for number, language in enumerate(request.languages):
        if isinstance(language.translation_of, str) and language.translation_of != german:
            yield network_refusal(
                f"/languages/{number}/translation_of",
                "This translation renders another German text: it would be stale from its first day.",
                "text_stale",
            )


STALE_TRANSLATION = StoredShape("stale_translation", 1, StalingAnswer)


async def mark_stale(
    runtime: Runtime, actor: Actor, text_id: str, request: StalingRequest, idempotency_key: IdempotencyKey
) -> CommandResult[StalingAnswer]:
    """Mark a translation as stale. It can be used for no new consent; consents given in it stay valid.

    Raises NotFound for an unknown text or language, Refused for the German text, Conflict if it is stale already.
    """

    async def work(command: Command) -> WorkResult[StalingAnswer]:
        text = command.catalogue.texts.get(text_id)
        if text is None or request.language not in text.languages:
            raise NotFound
        if request.language == REFERENCE_LANGUAGE:
            detail = "The German text is the reference and cannot be stale: invalidate the text, or publish a new one."
            raise Refused(faults=(network_refusal("/language", detail, "german_reference"),))
        if text.languages[request.language].stale:
            raise Conflict("This translation is stale already.")
        now = await command.now()
        staling_id = new_id(now)
        translation = (text_id, request.language)
        await storage.add_stale_translation(
            command.connection, command.network.network_id, staling_id, translation, request.reason, now
        )
        await add_version(command.connection, command.network.network_id, now)
        event = StaleTranslationEvent(id=staling_id, text=text_id, language=request.language, reason=request.reason)
        place = (await command.append(event))[0]
        answer = StalingAnswer(staling_id, text_id, request.language, format_instant(now), LogEntry.of(place))
        return WorkResult(answer)

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=STALE_TRANSLATION, exclusive=True
    )
