"""The demonstration's own network documents: five networks, the catalogue they share and their consent texts."""

from pathlib import Path

from consent_registry.operations.catalogue import network_document
from consent_registry.operations.catalogue.network_document import Catalogue, NetworkDocument

FOLDER = Path(__file__).parent
SLUGS = ("kreis-herford", "paderborn", "widunetz", "kreis-wesel", "herne")


def read_network(slug: str) -> NetworkDocument:
    """The document of one of the five; raises FileNotFoundError for any other."""
    return network_document.read_network(slug, FOLDER)


def read_catalogue(document: NetworkDocument) -> Catalogue:
    """The catalogue that one of the five refers to."""
    return network_document.read_catalogue(document, FOLDER)


def read_text(path: str) -> bytes:
    """The exact bytes of one text in one language, by its path in a document."""
    return network_document.read_text(path, FOLDER)
