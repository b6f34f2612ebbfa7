"""A text that is published, as events name it: in a network's setup, and on its own."""

import hashlib
from datetime import date
from typing import Any

import msgspec

from consent_registry.domain.catalogue import REFERENCE_LANGUAGE
from consent_registry.domain.law.publishing import ProposedText, aliases_in


def logged_members(text: ProposedText, published_on: date) -> dict[str, Any]:
    """What it covers, what it informs of, and its German days."""
    return {
        "covers": msgspec.to_builtins(text.covers),
        "informs": list(text.informs),
        "in_use_since": str(text.in_use_since or published_on),
        "in_use_until": None if text.in_use_until is None else str(text.in_use_until),
        "form_sha256": text.form_sha256,
    }


def logged_languages(text: ProposedText) -> list[dict[str, Any]]:
    """Each language with the hash of its bytes, the hash of the German bytes that it translates, and its aliases."""
    digests = {language: hashlib.sha256(content).hexdigest() for language, content in text.languages.items()}
    return [
        {
            "language": language,
            "sha256": digest,
            "translation_of": digests[REFERENCE_LANGUAGE],
            "aliases": msgspec.to_builtins(aliases_in(text, language)),
        }
        for language, digest in digests.items()
    ]
