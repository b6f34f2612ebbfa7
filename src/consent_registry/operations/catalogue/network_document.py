"""Network documents: what sets a network up. The demonstration's five are read the same way as an operator's own.

A folder holds `networks/<slug>.json`, the catalogue they share and the consent texts; every path in a document is
relative to that folder. `docs/network.schema.json` is made from these types; `network_faults.py` holds what no schema
can say.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from consent_registry.domain.flags import CategoryFlags, Policies, PurposeFlags
from consent_registry.domain.identifiers import SLUG_PATTERN

Slug = Annotated[
    str, Meta(pattern=SLUG_PATTERN, extra={"rule": "must be 1 to 63 lower-case letters, digits and hyphens"})
]
Label = Annotated[str, Meta(min_length=1, max_length=200)]
Prose = Annotated[str, Meta(max_length=2000)]
Place = Annotated[str, Meta(min_length=1, max_length=200, description="A path relative to the folder.")]
Language = Annotated[
    str,
    Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$(?!\n)", extra={"rule": "must be a language's tag, like de or ar"}),
]
Day = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)", extra={"rule": "must be a day, like 2026-01-31"})
]
Slugs = Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=200)]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all parts of a network document share: read once, never changed, no member we do not know."""


class Network(Document, frozen=True):
    """The tenant; `policies` are its own choices, by name, where the rules leave one."""

    slug: Slug
    name: Label
    about: Prose
    policies: Policies


class Partner(Document, frozen=True):
    """One organisational unit; `assumption` marks a unit that no public text describes in this role. One that can be
    chosen (`selectable`) has an organisation and a regime.
    """

    slug: Slug
    name: Label
    organisation: Label | None
    kind: Label
    regime: Literal["sgb_x", "gdpr_bdsg", "dsg_nrw", "kdg", "dsg_ekd"] | None
    secrecy_holder: bool
    selectable: bool
    isolated: bool
    coordinating_post: bool = False
    assumption: bool = False


class Names(Document, frozen=True):
    """What a catalogue entry is called in German and in English."""

    de: Label
    en: Label


class DataCategory(Document, frozen=True):
    """A kind of data; `special` is Art. 9 DSGVO, `secrecy` means that § 203 StGB can apply."""

    slug: Slug
    name: Names
    special: bool
    secrecy: bool
    flags: CategoryFlags = CategoryFlags()


class Purpose(Document, frozen=True):
    """What data may be exchanged for, with the categories that can be needed for it."""

    slug: Slug
    name: Names
    categories: Slugs
    flags: PurposeFlags = PurposeFlags()


class Catalogue(Document, frozen=True):
    """The data categories and purposes that networks share."""

    data_categories: Annotated[tuple[DataCategory, ...], Meta(max_length=1000)]
    purposes: Annotated[tuple[Purpose, ...], Meta(max_length=1000)]


class Flow(Document, frozen=True):
    """Who may send which categories to whom for what, on consent or on the statute `norm`."""

    sender: Slug
    recipient: Slug
    purpose: Slug
    categories: Slugs
    basis: Literal["consent", "statute"]
    norm: Label | None


class Agreement(Document, frozen=True):
    """One version of the network's frame; a day that is null means that no limit is known."""

    version: Label
    valid_from: Day | None
    valid_until: Day | None
    assumption: bool
    flows: Annotated[tuple[Flow, ...], Meta(max_length=4000)]


class Text(Document, frozen=True):
    """One version of the consent text: language → path of the exact bytes shown to clients, German among them."""

    version: Label
    languages: Annotated[dict[Language, Place], Meta(min_length=1, max_length=50)]


class NetworkDocument(Document, frozen=True):
    """A whole network, its shared catalogue by path; `assumptions` are plain sentences for people to read."""

    network: Network
    assumptions: Annotated[tuple[Prose, ...], Meta(max_length=200)]
    catalogue: Place
    partners: Annotated[tuple[Partner, ...], Meta(max_length=1000)]
    agreements: Annotated[tuple[Agreement, ...], Meta(max_length=100)]
    texts: Annotated[tuple[Text, ...], Meta(max_length=100)]


def schema() -> dict[str, Any]:
    """The JSON Schema of a network's document; its `$defs` hold the catalogue's, `Catalogue`."""
    (document, _), components = msgspec.json.schema_components(
        (NetworkDocument, Catalogue), ref_template="#/$defs/{name}"
    )
    # A lookahead against a line feed at the end is Python's need: a pattern of JSON Schema has none there.
    plain = msgspec.json.encode(components).decode().replace(r"(?!\\n)", "")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A network's document",
        **document,
        "$defs": msgspec.json.decode(plain),
    }


def read_network(slug: str, folder: Path) -> NetworkDocument:
    """The document of one network; `msgspec.ValidationError` names the place of a fault."""
    return msgspec.json.decode((folder / "networks" / f"{slug}.json").read_bytes(), type=NetworkDocument)


def read_catalogue(document: NetworkDocument, folder: Path) -> Catalogue:
    """The catalogue that the document refers to."""
    return msgspec.json.decode((folder / document.catalogue).read_bytes(), type=Catalogue)


def read_text(path: str, folder: Path) -> bytes:
    """The exact bytes of one text in one language: what was shown is what is hashed."""
    return (folder / path).read_bytes()
