"""Events about a network's catalogue: its setup, its retention periods and policies."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.domain.events.event import Event, EventPart, LoggedInstant, SearchColumns
from consent_registry.domain.events.expected_rows import NOT_SAID, ExpectedRows, Row
from consent_registry.domain.events.tables import TABLES

T = TypeVar("T")


class LoggedPeriods(EventPart, frozen=True, kw_only=True):
    """For how many calendar years uses and consents are kept."""

    use_years: int
    consent_years: int


class LoggedFunction(EventPart, frozen=True, kw_only=True):
    """A function at a partner, with the norm that binds it to secrecy."""

    slug: str
    name: str
    secrecy_norm: str | None


class LoggedPartner(EventPart, frozen=True, kw_only=True):
    """A partner as it was set up. The first networks said of its functions only whether one is bound to secrecy."""

    slug: str
    number: int
    name: str
    organisation: str | None
    kind: str
    regime: str | None
    functions: list[LoggedFunction] | UnsetType = UNSET
    secrecy_holder: bool | UnsetType = UNSET
    selectable: bool
    isolated: bool
    coordinating_post: bool


class LoggedCategory(EventPart, frozen=True, kw_only=True):
    """A data category as it was set up."""

    slug: str
    number: int
    name_de: str
    name_en: str
    special: bool
    secrecy: bool
    flags: dict[str, Any]


class LoggedPurpose(EventPart, frozen=True, kw_only=True):
    """A purpose as it was set up, with the categories that can be needed for it."""

    slug: str
    number: int
    name_de: str
    name_en: str
    category_ids: list[str]
    flags: dict[str, Any]


class LoggedAgreement(EventPart, frozen=True, kw_only=True):
    """A version of the network's agreement."""

    id: str
    version: str
    valid_from: LoggedInstant | None
    valid_until: LoggedInstant | None


class LoggedFlow(EventPart, frozen=True, kw_only=True):
    """A flow of an agreement."""

    agreement: str
    number: int
    sender: str
    recipient: str
    purpose: str
    category_ids: list[str]
    basis: str
    norm: str | None
    entrusted: bool | UnsetType = UNSET


# What the first texts and their languages did not say.
TEXT_MEMBERS = ("informs", "in_use_since", "in_use_until", "form_sha256")
LANGUAGE_MEMBERS = ("aliases",)


def unsaid(part: object, members: Sequence[str]) -> dict[str, Any]:
    """The columns of these members that an early event does not say."""
    return {name: NOT_SAID for name in members if getattr(part, name) is UNSET}


class LoggedVersion(EventPart, frozen=True, kw_only=True):
    """A version of the text with its id: the flows it covers, what it informs of, and the German days on which it is in
    use. `form_sha256` is the hash of the form that was used before. The first texts did not say these.
    """

    version: str
    id: str
    covers: list[dict[str, Any]] | UnsetType = UNSET
    informs: list[str] | UnsetType = UNSET
    in_use_since: str | UnsetType = UNSET
    in_use_until: str | UnsetType | None = UNSET
    form_sha256: str | UnsetType | None = UNSET


class LoggedLanguage(EventPart, frozen=True, kw_only=True):
    """A text in one language: the SHA-256 of its bytes, and of the German bytes it renders; by what names it calls
    purposes and categories, which the first texts did not say.
    """

    language: str
    sha256: str
    translation_of: str | None
    aliases: dict[str, Any] | UnsetType = UNSET


class LoggedTextLanguage(LoggedLanguage, frozen=True, kw_only=True):
    """A language of the text with this id."""

    text: str


class CatalogueEvent(Event, frozen=True, kw_only=True, tag="catalogue"):
    """A network was set up, with its whole catalogue; or its retention periods were set, and the event has only
    `retention`. The first networks named partners, agreements and texts, and said no more of them.
    """

    number = 10
    retention_class = "state"

    retention: LoggedPeriods | UnsetType = UNSET
    name: str | UnsetType = UNSET
    about: str | UnsetType = UNSET
    log_origin: str | UnsetType = UNSET
    demonstration: bool | UnsetType = UNSET
    policies: dict[str, Any] | UnsetType = UNSET
    partners: list[LoggedPartner | str] | UnsetType = UNSET
    categories: list[LoggedCategory] | UnsetType = UNSET
    purposes: list[LoggedPurpose] | UnsetType = UNSET
    agreements: list[LoggedAgreement | str] | UnsetType = UNSET
    flows: list[LoggedFlow] | UnsetType = UNSET
    texts: list[LoggedVersion | str] | UnsetType = UNSET
    text_languages: list[LoggedTextLanguage] | UnsetType = UNSET

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: the periods, or the whole catalogue, or what the first networks' events name of it."""
        if self.retention is not UNSET:
            yield self.row("retention_periods", self.retention, period_id=self.id)
        elif self.policies is not UNSET:
            yield self.row("networks", slug=self.network, created_at=self.at)
            yield self.row("policies", version=1, set_by=None)
            yield from self._entry_rows()
            yield from self._agreement_rows()
            yield from self._text_rows()
        else:
            yield from self._named_rows(expected)

    def _entry_rows(self) -> Iterator[Row]:
        """Partners, categories and purposes, which are called by their slugs."""
        for partner in _objects(self.partners, LoggedPartner, "partners"):
            functions = NOT_SAID if partner.functions is UNSET else msgspec.to_builtins(partner.functions)
            yield self.row("partners", partner, functions=functions)
        for category in _objects(self.categories, LoggedCategory, "categories"):
            yield self.row("data_categories", category)
        for purpose in _objects(self.purposes, LoggedPurpose, "purposes"):
            yield self.row("purposes", purpose)

    def _agreement_rows(self) -> Iterator[Row]:
        for agreement in _objects(self.agreements, LoggedAgreement, "agreements"):
            yield self.row("agreements", agreement, agreement_id=agreement.id)
        for flow in _objects(self.flows, LoggedFlow, "flows"):
            yield self.row(
                "flows",
                flow,
                agreement_id=flow.agreement,
                flow_number=flow.number,
                sender_id=flow.sender,
                recipient_id=flow.recipient,
                purpose_id=flow.purpose,
                entrusted=flow.entrusted is True,
            )

    def _text_rows(self) -> Iterator[Row]:
        for text in _objects(self.texts, LoggedVersion, "texts"):
            covered = NOT_SAID if text.covers is UNSET else text.covers
            yield self.row("texts", text, text_id=text.id, asked_flows=covered, **unsaid(text, TEXT_MEMBERS))
        for language in _objects(self.text_languages, LoggedTextLanguage, "text_languages"):
            yield self.row(
                "text_languages",
                language,
                text_id=language.text,
                content=language.sha256,
                **unsaid(language, LANGUAGE_MEMBERS),
            )

    def _named_rows(self, expected: ExpectedRows) -> Iterator[Row]:
        """What a first network named is there; what it is, and what else is there, was not said."""
        for slug in _objects(self.partners, str, "partners"):
            yield self.row("partners", **_nothing_but("partners", slug=slug))
        for version in _objects(self.agreements, str, "agreements"):
            yield self.row("agreements", **_nothing_but("agreements", version=version))
        versions = _objects(self.texts, str, "texts")
        for version in versions:
            yield self.row("texts", **_nothing_but("texts", version=version))
        expected.leave_unlisted("networks", "policies", "data_categories", "purposes", "flows", versions=versions)


def _objects(entries: Sequence[object] | UnsetType, kind: type[T], name: str) -> list[T]:
    """A list of the setup; raises ValueError if it is absent, or has an entry that is not of this kind."""
    if isinstance(entries, UnsetType):
        raise ValueError(f"the event does not say {name}")  # noqa: TRY004 - a fault of the event
    found = [entry for entry in entries if isinstance(entry, kind)]
    if len(found) != len(entries):
        raise ValueError(f"the event says some of {name} whole and names others")
    return found


def _nothing_but(table: str, **key: str) -> dict[str, Any]:
    """A row of which the event says the key and when it was recorded."""
    return dict.fromkeys(set(TABLES[table][1]) - {"recorded_at"}, NOT_SAID) | key


class PolicyEvent(Event, frozen=True, kw_only=True, tag="policy"):
    """A network's policies were set, all of them, as the next version."""

    number = 40
    retention_class = "state"

    version: int
    policies: dict[str, Any]
    set_by: str

    def searched(self) -> SearchColumns:
        """The search columns: the person who set the policies."""
        return SearchColumns(person=self.set_by)

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the version of the policies."""
        yield self.row("policies")
