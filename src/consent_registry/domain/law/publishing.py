"""What a text must show before it is published: the checklist, as far as a plain text can show it.

What may be told instead of printed (`domain/law/information.py`) is asked of each consent; what only the text can say
is asked here. Clauses, boxes and layout cannot be seen in a plain text.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date

import msgspec

from consent_registry.domain.berlin import midnight_in_berlin
from consent_registry.domain.catalogue import (
    REFERENCE_LANGUAGE,
    Aliases,
    Category,
    Cover,
    Flow,
    Partner,
    Purpose,
)
from consent_registry.domain.errors import Fault, quoted
from consent_registry.domain.law.checklist import CHECKLIST, TextOccasion
from consent_registry.domain.law.codes import Informs
from consent_registry.domain.law.information import GERMAN, PUBLIC_REGIMES
from consent_registry.domain.law.norms import SEPARATOR
from consent_registry.domain.law.rules.all_rules import network_refusal
from consent_registry.domain.law.sentences import BLANKET, comparable, has_sentence, informs_of, names

SHORTEST, LONGEST = 500, 40_000
# Line ends and tabs; everything else below a space is no text.
_LAYOUT = frozenset("\n\r\t")
# Persian, Kurdish and Indic scripts need them within words. They change no direction and hide no letter.
_JOINERS = frozenset("\u200c\u200d")


class ProposedText(msgspec.Struct, frozen=True, kw_only=True):
    """A text to be published: its bytes by language, what it covers, what it informs of, and when it is in use.

    `in_use_since` None means the day of publishing. `aliases` by language.
    """

    version: str
    languages: Mapping[str, bytes]
    covers: tuple[Cover, ...]
    informs: tuple[Informs, ...] = ()
    aliases: Mapping[str, Aliases] = {}
    in_use_since: date | None = None
    in_use_until: date | None = None
    form_sha256: str | None = None


def aliases_in(text: ProposedText, language: str) -> Aliases:
    """What the text calls purposes and categories in one language."""
    return text.aliases.get(language, Aliases())


class TextSurroundings(msgspec.Struct, frozen=True):
    """The network around a text: its entries by slug, and the categories that flow by statute anyway."""

    partners: Mapping[str, Partner]
    purposes: Mapping[str, Purpose]
    categories: Mapping[str, Category]
    statutory: frozenset[tuple[str, str, str, str]]

    @classmethod
    def of(
        cls,
        partners: Collection[Partner],
        purposes: Collection[Purpose],
        categories: Collection[Category],
        flows: Collection[Flow],
    ) -> "TextSurroundings":
        """The surroundings in a network with these entries and flows."""
        numbers = {partner.partner_id: partner.slug for partner in partners}
        of_purpose = {purpose.purpose_id: purpose.slug for purpose in purposes}
        of_category = {category.category_id: category.slug for category in categories}
        return cls(
            {partner.slug: partner for partner in partners},
            {purpose.slug: purpose for purpose in purposes},
            {category.slug: category for category in categories},
            frozenset(
                (numbers[flow.sender_id], numbers[flow.recipient_id], of_purpose[flow.purpose_id], of_category[number])
                for flow in flows
                if flow.basis == "statute"
                for number in flow.category_ids
            ),
        )


def publication_refusals(
    text: ProposedText, around: TextSurroundings, pointers: Mapping[str, str], published_on: date
) -> Iterator[Fault]:
    """The faults of a text to be published. `pointers`: where the content of each language is in the request.

    The German text is there. The covers name entries of the network.
    """
    yield from _days(text, published_on)
    contents = {language: content.decode() for language, content in text.languages.items()}
    for language, content in contents.items():
        yield from _characters(content, pointers[language])
        yield from _unnamed(text, around, language, comparable(content), pointers[language])
    german, pointer = comparable(contents[REFERENCE_LANGUAGE]), pointers[REFERENCE_LANGUAGE]
    yield from _informs(text, german)
    yield from _lacking(text, around, german, pointer, published_on)
    yield from _blanket(german, pointer)
    yield from _statutory(text, around)


def _days(text: ProposedText, published_on: date) -> Iterator[Fault]:
    since = text.in_use_since or published_on
    if since < published_on and text.form_sha256 is None:
        detail = "A text that was in use before it is published here needs the hash of the form that was used."
        yield network_refusal("/form_sha256", detail, "text_form")
    if text.in_use_until is not None and text.in_use_until < since:
        detail = "A text cannot be used until a day before it is in use."
        yield network_refusal("/in_use_until", detail, "text_days")


def _characters(content: str, pointer: str) -> Iterator[Fault]:
    found = next((character for character in content if not _is_text(character)), None)
    if found is not None:
        detail = f"A text has no control, direction or format characters; this one has U+{ord(found):04X}."
        yield network_refusal(pointer, detail, "text_characters")
    if unicodedata.normalize("NFC", content) != content:
        detail = "A text is written in Unicode's composed form (NFC), so that what is read is what was hashed."
        yield network_refusal(pointer, detail, "text_characters")
    if not SHORTEST <= len(content) <= LONGEST:
        detail = f"A text that informs has {SHORTEST} to {LONGEST} characters."
        yield network_refusal(pointer, detail, "text_length")


def _is_text(character: str) -> bool:
    return character in _LAYOUT or character in _JOINERS or unicodedata.category(character)[0] != "C"


def _unnamed(
    text: ProposedText, around: TextSurroundings, language: str, content: str, pointer: str
) -> Iterator[Fault]:
    """A text names each purpose and category that it covers in its own language, and each sender and recipient."""
    aliases = aliases_in(text, language)
    for slug in dict.fromkeys(cover.purpose for cover in text.covers):
        known = (*_names_in(around.purposes[slug], language), *aliases.purposes.get(slug, ()))
        if not _is_named(content, known):
            detail = f"The text does not name the purpose {quoted(slug)} that it covers."
            yield network_refusal(pointer, detail, "text_names")
    for slug in dict.fromkeys(category for cover in text.covers for category in cover.categories):
        known = (*_names_in(around.categories[slug], language), *aliases.categories.get(slug, ()))
        if not _is_named(content, known):
            detail = f"The text does not name the data category {quoted(slug)} that it covers."
            yield network_refusal(pointer, detail, "text_names")
    for slug in dict.fromkeys(side for cover in text.covers for side in (cover.sender, cover.recipient)):
        if not _is_named(content, (around.partners[slug].name,)):
            detail = f"The text does not name the partner {quoted(slug)} that it covers."
            yield network_refusal(pointer, detail, "text_names")


def _names_in(entry: Purpose | Category, language: str) -> tuple[str, ...]:
    """The catalogue's names in a language, whole and without an explanation in brackets at the end."""
    if language in GERMAN:
        return entry.name_de, entry.name_de.partition(" (")[0]
    if language.partition("-")[0] == "en":
        return entry.name_en, entry.name_en.partition(" (")[0]
    return ()


def _is_named(content: str, known: Collection[str]) -> bool:
    return any(names(content, comparable(name)) for name in known)


def _informs(text: ProposedText, german: str) -> Iterator[Fault]:
    for number, code in enumerate(text.informs):
        if not informs_of(german, code):
            detail = f"The German text does not say what {code} stands for."
            yield network_refusal(f"/informs/{number}", detail, "text_informs")


def _lacking(
    text: ProposedText, around: TextSurroundings, german: str, pointer: str, published_on: date
) -> Iterator[Fault]:
    for row in CHECKLIST:
        if not row.holds(midnight_in_berlin(published_on)) or not _OCCURS[row.occasion](text, around):
            continue
        if row.of_the_registry and text.form_sha256 is not None:
            continue
        if row.code is None:
            if not has_sentence(german, row.item):
                yield Fault(pointer, f"The text lacks its {row.item}.", "text_checklist", SEPARATOR.join(row.norms))
        elif row.code not in text.informs:
            yield Fault("/informs", f"The text must inform of {row.code}.", "text_checklist", SEPARATOR.join(row.norms))


def _sides(text: ProposedText, around: TextSurroundings) -> list[Partner]:
    return [around.partners[slug] for cover in text.covers for slug in (cover.sender, cover.recipient)]


def _is_special(text: ProposedText, around: TextSurroundings) -> bool:
    return any(
        around.purposes[cover.purpose].flags.flow_itself_is_special
        or any(around.categories[category].special for category in cover.categories)
        for cover in text.covers
    )


def _has_public_body(text: ProposedText, around: TextSurroundings) -> bool:
    return any(side.regime in PUBLIC_REGIMES for side in _sides(text, around))


_OCCURS: Mapping[TextOccasion, Callable[[ProposedText, TextSurroundings], bool]] = {
    "always": lambda _, __: True,
    "special": _is_special,
    "public_body": _has_public_body,
}


def _blanket(german: str, pointer: str) -> Iterator[Fault]:
    for phrase in BLANKET:
        if names(german, phrase):
            detail = f"A blanket phrase names nothing that a client could agree to: {phrase!r}."
            yield network_refusal(pointer, detail, "text_blanket")


def _statutory(text: ProposedText, around: TextSurroundings) -> Iterator[Fault]:
    for number, cover in enumerate(text.covers):
        for place, category in enumerate(cover.categories):
            if (cover.sender, cover.recipient, cover.purpose, category) in around.statutory:
                detail = "A statute allows this flow anyway: asking for consent would mislead the client."
                pointer = f"/covers/{number}/categories/{place}"
                yield network_refusal(pointer, detail, "text_statutory")
