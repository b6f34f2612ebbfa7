"""The published consent texts of a network, as its partners see them."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.catalogue import Aliases, Catalogue, Text
from consent_registry.domain.law.codes import INFORMS


class LanguageView(msgspec.Struct, frozen=True):
    """A text in one language: the SHA-256 of its exact bytes, and the URL from which they can be read. `aliases`: what
    it calls purposes and data categories, where that is not their name in the catalogue.
    """

    language: str
    sha256: str
    status: str
    url: str
    aliases: Aliases


class CoverView(msgspec.Struct, frozen=True):
    """A flow about which a text asks."""

    sender: str
    recipient: str
    purpose: str
    categories: Sequence[str]


class TextView(msgspec.Struct, frozen=True):
    """A published consent text: in use on German days, both included; null is open. `form_sha256` is the hash of the
    form that was used before the text was published here.
    """

    id: str
    version: str
    in_use_since: str
    in_use_until: str | None
    form_sha256: str | None
    covers: list[CoverView]
    informs: list[str]
    languages: list[LanguageView]


def texts(catalogue: Catalogue, _: datetime) -> dict[str, TextView]:
    """The network's texts by id."""
    return {text_id: _text(text) for text_id, text in catalogue.texts.items()}


def _text(text: Text) -> TextView:
    languages = [
        LanguageView(
            language.language,
            language.sha256,
            "void" if language.void else "stale" if language.stale else "published",
            f"/api/v1/texts/{text.text_id}/{language.language}",
            language.aliases,
        )
        for language in text.languages.values()
    ]
    return TextView(
        id=text.text_id,
        version=text.version,
        in_use_since=str(text.in_use_since),
        in_use_until=None if text.in_use_until is None else str(text.in_use_until),
        form_sha256=text.form_sha256,
        covers=[CoverView(cover.sender, cover.recipient, cover.purpose, cover.categories) for cover in text.covers],
        informs=[code for code in INFORMS if code in text.informs],
        languages=languages,
    )
