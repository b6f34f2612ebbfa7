"""Reads the demonstration's network documents: five networks, their common catalogue and their consent texts."""

from pathlib import Path

from consent_registry.operations.catalogue import network_document
from consent_registry.operations.catalogue.network_document import DeclaredCatalogue, NetworkDocument

FOLDER = Path(__file__).parent
SLUGS = ("kreis-herford", "paderborn", "widunetz", "kreis-wesel", "herne")


def read_network(slug: str) -> NetworkDocument:
    """Read the document of a demonstration network; raises FileNotFoundError for another network."""
    return network_document.read_network(slug, FOLDER)


def read_catalogue(document: NetworkDocument) -> DeclaredCatalogue:
    """Read the catalogue of a network document."""
    return network_document.read_catalogue(document, FOLDER)


def read_text(path: str) -> bytes:
    """Read the exact bytes of a text in one language, by its path in a document."""
    return network_document.read_text(path, FOLDER)
