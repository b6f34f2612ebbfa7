"""Events about consent texts: published, void, stale in a language."""

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, UnsetType

from consent_registry.domain.events.catalogue import LANGUAGE_MEMBERS, TEXT_MEMBERS, LoggedLanguage, unsaid
from consent_registry.domain.events.event import Event
from consent_registry.domain.events.expected_rows import NOT_SAID, ExpectedRows, Row


class TextEvent(Event, frozen=True, kw_only=True, tag="text"):
    """A version of the text was published, in these languages: the flows it covers, what it informs of, and the German
    days on which it is in use. `form_sha256` is the hash of the form that was used before. The first texts did not say
    these.
    """

    number = 19
    retention_class = "state"

    text: str
    version: str
    languages: list[LoggedLanguage]
    covers: list[dict[str, Any]] | UnsetType = UNSET
    informs: list[str] | UnsetType = UNSET
    in_use_since: str | UnsetType = UNSET
    in_use_until: str | UnsetType | None = UNSET
    form_sha256: str | UnsetType | None = UNSET

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected rows: the version, and each language with its bytes."""
        covered = NOT_SAID if self.covers is UNSET else self.covers
        yield self.row("texts", text_id=self.text, asked_flows=covered, **unsaid(self, TEXT_MEMBERS))
        for language in self.languages:
            not_said = unsaid(language, LANGUAGE_MEMBERS)
            yield self.row("text_languages", language, text_id=self.text, content=language.sha256, **not_said)


class StaleTranslationEvent(Event, frozen=True, kw_only=True, tag="stale_translation"):
    """A translation became stale: no new consent may use it; consents that were given on it stay valid."""

    number = 20
    retention_class = "state"

    text: str
    language: str
    reason: str | None

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the stale translation."""
        yield self.row("stale_translations", staling_id=self.id, text_id=self.text)


class TextInvalidationEvent(Event, frozen=True, kw_only=True, tag="text_invalidation"):
    """A text was void, in one language or in all: how many consents and grants are void with it, and the SHA-256 of
    their ids. What each consent lost is said by its own `invalidation`.
    """

    number = 21
    retention_class = "state"

    text: str
    language: str | None
    reason: str
    consents: int
    grants: int
    digest: str

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the invalidation of the text."""
        yield self.row("text_invalidations", invalidation_id=self.id, text_id=self.text)
