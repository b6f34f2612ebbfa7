"""Network documents: what sets a network up. The demonstration's five are read the same way as an operator's own.

A folder holds `networks/<slug>.json`, the catalogue they share and the consent texts; every path in a document is
relative to that folder.
"""

from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from consent_registry.domain.flags import CategoryFlags, Policies, PurposeFlags

DEMONSTRATION = Path(__file__).parent
SLUGS = ("kreis-herford", "paderborn", "widunetz", "kreis-wesel", "herne")


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all parts of a network document share: read once, never changed, no member we do not know."""


class Network(Document, frozen=True):
    """The tenant; `policies` are its own choices, by name, where the rules leave one."""

    slug: str
    name: str
    about: str
    policies: Policies


class Partner(Document, frozen=True):
    """One organisational unit; `assumption` marks a unit that no public text describes in this role."""

    slug: str
    name: str
    organisation: str | None
    kind: str
    regime: str | None
    secrecy_holder: bool
    selectable: bool
    isolated: bool
    coordinating_post: bool = False
    assumption: bool = False


class Names(Document, frozen=True):
    """What a catalogue entry is called in German and in English."""

    de: str
    en: str


class DataCategory(Document, frozen=True):
    """A kind of data; `special` is Art. 9 DSGVO, `secrecy` means that § 203 StGB can apply."""

    slug: str
    name: Names
    special: bool
    secrecy: bool
    flags: CategoryFlags = CategoryFlags()


class Purpose(Document, frozen=True):
    """What data may be exchanged for, with the categories that can be needed for it."""

    slug: str
    name: Names
    categories: tuple[str, ...]
    flags: PurposeFlags = PurposeFlags()


class Catalogue(Document, frozen=True):
    """The data categories and purposes that networks share."""

    data_categories: tuple[DataCategory, ...]
    purposes: tuple[Purpose, ...]


class Flow(Document, frozen=True):
    """Who may send which categories to whom for what, on consent or on the statute `norm`."""

    sender: str
    recipient: str
    purpose: str
    categories: tuple[str, ...]
    basis: Literal["consent", "statute"]
    norm: str | None


class Agreement(Document, frozen=True):
    """One version of the network's frame; an empty date means that no limit is known."""

    version: str
    valid_from: date | None
    valid_until: date | None
    assumption: bool
    flows: tuple[Flow, ...]


class Text(Document, frozen=True):
    """One version of the consent text: language → path of the exact bytes shown to clients."""

    version: str
    languages: dict[str, str]


class NetworkDocument(Document, frozen=True):
    """A whole network, its shared catalogue by path; `assumptions` are plain sentences for people to read."""

    network: Network
    assumptions: tuple[str, ...]
    catalogue: str
    partners: tuple[Partner, ...]
    agreements: tuple[Agreement, ...]
    texts: tuple[Text, ...]


def read_network(slug: str, folder: Path = DEMONSTRATION) -> NetworkDocument:
    """The document of one network; `msgspec.ValidationError` names the place of a fault."""
    return msgspec.json.decode((folder / "networks" / f"{slug}.json").read_bytes(), type=NetworkDocument)


def read_catalogue(document: NetworkDocument, folder: Path = DEMONSTRATION) -> Catalogue:
    """The catalogue that the document refers to."""
    return msgspec.json.decode((folder / document.catalogue).read_bytes(), type=Catalogue)


def read_text(path: str, folder: Path = DEMONSTRATION) -> bytes:
    """The exact bytes of one text in one language: what was shown is what is hashed."""
    return (folder / path).read_bytes()
