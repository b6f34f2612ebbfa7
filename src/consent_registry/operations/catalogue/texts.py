"""Publishing versions of the consent text, and marking translations as stale.

A published text never changes. Both acts take the exclusive lock of the catalogue, so no consent is recorded meanwhile
by a catalogue that is about to be outdated.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound, Refused
from consent_registry.domain.events.catalogue import LoggedLanguage
from consent_registry.domain.events.texts import StaleTranslationEvent, TextEvent
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.law.rules.all_rules import network_refusal
from consent_registry.operations.catalogue.catalogue import TextView, texts
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import Language, LogEntry, Sha256
from consent_registry.storage.catalogue import texts as storage
from consent_registry.storage.catalogue.catalogue import REFERENCE_LANGUAGE, add_version
from consent_registry.storage.catalogue.network_setup import add_text


class LanguageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in one language, as characters or as base64 of its UTF-8 bytes: exactly what clients will be shown.
    `translation_of`: the SHA-256 of the German bytes that it translates; if given, it is compared.
    """

    language: Language
    content: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    content_base64: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    translation_of: Sha256 | UnsetType = UNSET


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

    Raises Malformed; Refused without a German text or for a translation of other German bytes; Conflict for a version
    that exists.
    """
    contents = _contents(request)

    async def work(command: Command) -> WorkResult[PublishedText]:
        if any(text.version == request.version for text in command.catalogue.texts.values()):
            raise Conflict("There is a text of this version; a new wording is a new version.")
        now = await command.now()
        text_id = new_id(now)
        await add_text(command.connection, command.network.network_id, text_id, request.version, contents, now)
        await add_version(command.connection, command.network.network_id, now)
        german = hashlib.sha256(contents[REFERENCE_LANGUAGE]).hexdigest()
        languages = [
            LoggedLanguage(language=language, sha256=hashlib.sha256(content).hexdigest(), translation_of=german)
            for language, content in contents.items()
        ]
        event = TextEvent(id=new_id(now), text=text_id, version=request.version, languages=languages)
        place = (await command.append(event))[0]
        command.catalogue = await command.runtime.reload(command.connection, command.network)
        answer = PublishedText(texts(command.catalogue, now)[text_id], format_instant(now), LogEntry.of(place))
        return WorkResult(answer)

    return await run_command(runtime, actor, work, idempotency_key=idempotency_key, shape=TEXT, exclusive=True)


def _contents(request: PublicationRequest) -> Mapping[str, bytes]:
    """The exact bytes by language. Raises Malformed or Refused with every fault."""
    malformed: list[Fault] = []
    contents: dict[str, bytes] = {}
    for number, language in enumerate(request.languages):
        pointer = f"/languages/{number}"
        if language.language in contents:
            malformed.append(Fault(f"{pointer}/language", "must not be named twice"))
        contents[language.language] = _content(language, pointer, malformed)
    if malformed:
        raise Malformed(faults=tuple(malformed))
    if faults := tuple(_refusals(request, contents)):
        raise Refused(faults=faults)
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
