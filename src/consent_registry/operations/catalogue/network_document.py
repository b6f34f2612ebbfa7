"""Network documents: the JSON files from which networks are set up, an operator's own and the demonstration's five.

A folder holds `networks/<slug>.json`, the shared catalogue and the consent texts. Every path in a document is relative
to that folder. `docs/network.schema.json` is generated from these types. Rules that a schema cannot express are in
`network_document_faults.py`.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from consent_registry.domain.catalogue import Aliases
from consent_registry.domain.flags import CategoryFlags, Policies, PurposeFlags
from consent_registry.domain.identifiers import SLUG_PATTERN
from consent_registry.domain.law.codes import Informs

DeclaredSlug = Annotated[
    str, Meta(pattern=SLUG_PATTERN, extra={"rule": "must be 1 to 63 lower-case letters, digits and hyphens"})
]
Label = Annotated[str, Meta(min_length=1, max_length=200)]
Prose = Annotated[str, Meta(max_length=2000)]
RelativePath = Annotated[str, Meta(min_length=1, max_length=200, description="A path relative to the folder.")]
LanguageTag = Annotated[
    str,
    Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$(?!\n)", extra={"rule": "must be a language's tag, like de or ar"}),
]
Day = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)", extra={"rule": "must be a day, like 2026-01-31"})
]
DeclaredSha256 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", extra={"rule": "must have 64 hexadecimal digits in lower case"})
]
DeclaredSlugs = Annotated[tuple[DeclaredSlug, ...], Meta(min_length=1, max_length=200)]


class DocumentPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all parts of a network document: immutable, and unknown members are refused."""


class DeclaredNetwork(DocumentPart, frozen=True):
    """The network itself. `policies` are its choices where the rules allow more than one."""

    slug: DeclaredSlug
    name: Label
    about: Prose
    policies: Policies


class DeclaredPartner(DocumentPart, frozen=True):
    """A partner: one organisational unit. A unit that can be chosen (`selectable`) has an organisation and a regime.
    `functions`: what is done there, by the catalogue's slugs. `assumption` marks a unit that no public text describes
    in this role.
    """

    slug: DeclaredSlug
    name: Label
    organisation: Label | None
    kind: Label
    regime: Literal["sgb_x", "gdpr_bdsg", "dsg_nrw", "kdg", "dsg_ekd"] | None
    functions: Annotated[tuple[DeclaredSlug, ...], Meta(max_length=50)]
    selectable: bool
    isolated: bool
    coordinating_post: bool = False
    assumption: bool = False


class DeclaredNames(DocumentPart, frozen=True):
    """The name of an entry of the catalogue in German and English."""

    de: Label
    en: Label


class DeclaredDataCategory(DocumentPart, frozen=True):
    """A data category. `special`: Art. 9 DSGVO applies. `secrecy`: § 203 StGB can apply."""

    slug: DeclaredSlug
    name: DeclaredNames
    special: bool
    secrecy: bool
    flags: CategoryFlags = CategoryFlags()


class DeclaredFunction(DocumentPart, frozen=True):
    """A function that a partner can have. `secrecy_norm`: the norm that binds it to professional secrecy, or null. A
    partner with a bound function is a secrecy holder (§ 203 Abs. 1 StGB).
    """

    slug: DeclaredSlug
    name: Label
    secrecy_norm: Label | None


class DeclaredPurpose(DocumentPart, frozen=True):
    """A purpose for which data are passed on, with the categories that can be needed for it."""

    slug: DeclaredSlug
    name: DeclaredNames
    categories: DeclaredSlugs
    flags: PurposeFlags = PurposeFlags()


class DeclaredCatalogue(DocumentPart, frozen=True):
    """The functions, data categories and purposes that networks share."""

    functions: Annotated[tuple[DeclaredFunction, ...], Meta(max_length=1000)]
    data_categories: Annotated[tuple[DeclaredDataCategory, ...], Meta(max_length=1000)]
    purposes: Annotated[tuple[DeclaredPurpose, ...], Meta(max_length=1000)]


class DeclaredFlow(DocumentPart, frozen=True):
    """A flow: sender, recipient, purpose and categories, based on consent or on the statute `norm`. `entrusted`: the
    data were entrusted to the youth office for help in person (§ 65 SGB VIII).
    """

    sender: DeclaredSlug
    recipient: DeclaredSlug
    purpose: DeclaredSlug
    categories: DeclaredSlugs
    basis: Literal["consent", "statute"]
    norm: Label | None
    entrusted: bool = False


class DeclaredAgreement(DocumentPart, frozen=True):
    """A version of the network's agreement. A day that is null means that no limit is known."""

    version: Label
    valid_from: Day | None
    valid_until: Day | None
    assumption: bool
    flows: Annotated[tuple[DeclaredFlow, ...], Meta(max_length=4000)]


class DeclaredCover(DocumentPart, frozen=True):
    """A flow about which a text asks: sender, recipient, purpose and categories."""

    sender: DeclaredSlug
    recipient: DeclaredSlug
    purpose: DeclaredSlug
    categories: DeclaredSlugs


class DeclaredText(DocumentPart, frozen=True):
    """A version of the consent text. `languages`: by language the path of the exact bytes shown to clients. German is
    required. `covers`: the flows about which it asks; no consent goes beyond them. `informs`: the codes of what it
    says to the client. `aliases`: by language what it calls purposes and categories, where that is not their catalogue
    name. It is used on German days from `in_use_since` (by default the day of the setup; an earlier one needs
    `form_sha256`, the hash of the form that was used) to `in_use_until`.
    """

    version: Label
    languages: Annotated[dict[LanguageTag, RelativePath], Meta(min_length=1, max_length=50)]
    covers: Annotated[tuple[DeclaredCover, ...], Meta(min_length=1, max_length=1000)]
    informs: Annotated[tuple[Informs, ...], Meta(max_length=50)] = ()
    aliases: Annotated[dict[LanguageTag, Aliases], Meta(max_length=50)] = {}
    in_use_since: Day | None = None
    in_use_until: Day | None = None
    form_sha256: DeclaredSha256 | None = None


class NetworkDocument(DocumentPart, frozen=True):
    """A network's document. `catalogue`: the path of the shared catalogue. `assumptions`: sentences for readers."""

    network: DeclaredNetwork
    assumptions: Annotated[tuple[Prose, ...], Meta(max_length=200)]
    catalogue: RelativePath
    partners: Annotated[tuple[DeclaredPartner, ...], Meta(max_length=1000)]
    agreements: Annotated[tuple[DeclaredAgreement, ...], Meta(max_length=100)]
    texts: Annotated[tuple[DeclaredText, ...], Meta(max_length=100)]


def schema() -> dict[str, Any]:
    """The JSON Schema of a network's document. Its `$defs` include the schema of the shared catalogue, `Catalogue`."""
    (document, _), components = msgspec.json.schema_components(
        (NetworkDocument, DeclaredCatalogue), ref_template="#/$defs/{name}"
    )
    # The schema's names are the field's alone: `Network` for `DeclaredNetwork`.
    # Python's `$` also matches before a final line feed, so the patterns exclude it. JSON Schema's `$` does not.
    plain = msgspec.json.encode(components).decode().replace("Declared", "").replace(r"(?!\\n)", "")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A network's document",
        **document,
        "$defs": msgspec.json.decode(plain),
    }


def read_network(slug: str, folder: Path) -> NetworkDocument:
    """Read the document of one network. Raises `msgspec.ValidationError`, which names the place of the fault."""
    return msgspec.json.decode((folder / "networks" / f"{slug}.json").read_bytes(), type=NetworkDocument)


def read_catalogue(document: NetworkDocument, folder: Path) -> DeclaredCatalogue:
    """Read the catalogue that a document names."""
    return msgspec.json.decode((folder / document.catalogue).read_bytes(), type=DeclaredCatalogue)


def read_text(path: str, folder: Path) -> bytes:
    """Read the exact bytes of one text in one language. Clients are shown these bytes, and the log holds their hash."""
    return (folder / path).read_bytes()
