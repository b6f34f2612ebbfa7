"""The rules about the text that the client was shown."""

from collections.abc import Iterator

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.proposed import ProposedConsent


def text_refusals(catalogue: Catalogue, consent: ProposedConsent) -> Iterator[Fault]:
    """The faults of the text that the client was shown, and of its language."""
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
