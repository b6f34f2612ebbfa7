"""The rules about the text that the client was shown: that it exists, was in use, and covers what the consent names."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from consent_registry.domain.berlin import day_in_berlin
from consent_registry.domain.catalogue import Catalogue, Text
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant

# Printed forms are used up after the last day of a text.
USED_UP_AFTER = timedelta(days=90)


def text_refusals(catalogue: Catalogue, consent: ProposedConsent) -> Iterator[Fault]:
    """The faults of the text that the client was shown, of its language, its days and what it covers."""
    text = catalogue.texts.get(consent.text.text_id)
    if text is None:
        yield Fault("/text/id", "There is no such text in this network.", "text_published")
        return
    language = text.languages.get(consent.text.language)
    if language is None:
        yield Fault("/text/language", "This text does not exist in this language.", "text_language")
    elif language.void:
        yield Fault("/text", "This text was found void: consents on it bind nobody.", "text_void")
    elif language.stale:
        yield Fault(
            "/text/language",
            "This translation is stale: it no longer renders the German text.",
            "text_stale",
        )
    yield from _not_in_use(text, consent.act.given_at)
    for number, grant in enumerate(consent.grants):
        yield from _not_covered(text, grant, f"/grants/{number}")


def _not_in_use(text: Text, given_at: datetime) -> Iterator[Fault]:
    day = day_in_berlin(given_at)
    if day < text.in_use_since:
        detail = f"This text was not in use before {text.in_use_since}."
        yield Fault("/act/given_at", detail, "text_not_in_use")
    elif text.in_use_until is not None and day - text.in_use_until > USED_UP_AFTER:
        detail = f"This text was in use until {text.in_use_until}; its forms are used up 90 days later."
        yield Fault("/act/given_at", detail, "text_not_in_use")


def _not_covered(text: Text, grant: ProposedGrant, pointer: str) -> Iterator[Fault]:
    """The text must ask about this flow, and about each of its categories."""
    flow = (grant.sender.slug, grant.recipient.slug, grant.purpose.slug)
    covers = [cover for cover in text.covers if (cover.sender, cover.recipient, cover.purpose) == flow]
    if not covers:
        detail = "The text does not ask about this flow: nobody agreed to it by this text."
        yield Fault(pointer, detail, "text_does_not_cover")
        return
    covered = {category for cover in covers for category in cover.categories}
    for number, category in enumerate(grant.categories):
        if category.slug not in covered:
            detail = "The text does not ask about this category for this flow."
            yield Fault(f"{pointer}/categories/{number}", detail, "text_does_not_cover")


def is_out_of_use(text: Text, given_at: datetime) -> bool:
    """Whether the text was given after its last day, on a form that was still there."""
    return text.in_use_until is not None and day_in_berlin(given_at) > text.in_use_until


def was_published_later(text: Text, given_at: datetime) -> bool:
    """Whether the consent is older than the text's publication: it was given on the form of before."""
    return _day_of_publishing(text) > day_in_berlin(given_at)


def _day_of_publishing(text: Text) -> date:
    return day_in_berlin(text.published_at)
