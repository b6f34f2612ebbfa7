"""Checking a network's document for faults that its schema cannot find. All faults are listed, each with its pointer.

A pointer into the catalogue begins with that file's path: `catalogue.json#/purposes/0/slug`.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from pathlib import Path

import msgspec

from consent_registry.domain.catalogue import REFERENCE_LANGUAGE
from consent_registry.domain.errors import Fault, Malformed, quoted
from consent_registry.domain.json_bodies import decode
from consent_registry.operations.catalogue.network_document import (
    DeclaredAgreement,
    DeclaredCatalogue,
    DeclaredFlow,
    DeclaredText,
    NetworkDocument,
)
from consent_registry.operations.catalogue.text_entries import KnownSlugs, entry_faults, read_cover

LARGEST_TEXT = 1_000_000
_UNUSABLE = "The network's document cannot be used."
_NOT_JSON = Fault("", "must be JSON in UTF-8, without half characters")


def read_whole(folder: Path, slug: str) -> tuple[NetworkDocument, DeclaredCatalogue]:
    """Read a network's document and catalogue. Raises Malformed with every fault, OSError if there is no document."""
    try:
        document = decode((folder / "networks" / f"{slug}.json").read_bytes(), NetworkDocument)
    except Malformed as error:
        raise Malformed(_UNUSABLE, faults=error.faults or [_NOT_JSON]) from error
    faults = list(_unwritable(msgspec.to_builtins(document), ""))
    if document.network.slug != slug:
        faults.append(Fault("/network/slug", f"must be {quoted(slug)}, as the file is named"))
    catalogue = _catalogue(document, folder, faults)
    faults += _document_faults(document, folder)
    if catalogue is not None:
        faults += [_within(document.catalogue, fault) for fault in _catalogue_faults(catalogue)]
        faults += _function_faults(document, catalogue)
        faults += _flow_faults(document, catalogue)
        faults += _cover_faults(document, catalogue)
    if faults or catalogue is None:
        raise Malformed(_UNUSABLE, faults=faults)
    return document, catalogue


def _catalogue(document: NetworkDocument, folder: Path, faults: list[Fault]) -> DeclaredCatalogue | None:
    try:
        _require_inside(document.catalogue, folder)
        return decode((folder / document.catalogue).read_bytes(), DeclaredCatalogue)
    except Malformed as error:
        faults.extend(_within(document.catalogue, fault) for fault in error.faults or [_NOT_JSON])
    except (OSError, ValueError):
        faults.append(Fault("/catalogue", f"{quoted(document.catalogue)} must be a file in the folder"))
    return None


def _within(file: str, fault: Fault) -> Fault:
    return msgspec.structs.replace(fault, pointer=f"{file}#{fault.pointer}")


def _require_inside(place: str, folder: Path) -> None:
    """Raise ValueError for a path outside the folder, and for one that is no possible path."""
    if not (folder / place).resolve().is_relative_to(folder.resolve()):
        raise ValueError(place)


def _document_faults(document: NetworkDocument, folder: Path) -> Iterator[Fault]:
    yield from _twice((partner.slug for partner in document.partners), "/partners", "slug")
    yield from _twice((agreement.version for agreement in document.agreements), "/agreements", "version")
    yield from _twice((text.version for text in document.texts), "/texts", "version")
    for number, partner in enumerate(document.partners):
        if partner.selectable and (partner.organisation is None or partner.regime is None):
            yield Fault(
                f"/partners/{number}/selectable", "a partner that can be chosen has an organisation and a regime"
            )
    for number, agreement in enumerate(document.agreements):
        yield from _validity(agreement, f"/agreements/{number}")
    for number, text in enumerate(document.texts):
        yield from _text_faults(text, folder, f"/texts/{number}/languages")
        yield from _days(text, ("in_use_since", "in_use_until"), f"/texts/{number}")


def _validity(agreement: DeclaredAgreement, pointer: str) -> Iterator[Fault]:
    wrong = list(_days(agreement, ("valid_from", "valid_until"), pointer))
    yield from wrong
    begin, end = agreement.valid_from, agreement.valid_until
    if not wrong and begin is not None and end is not None and not begin < end:
        yield Fault(f"{pointer}/valid_until", "must be after valid_from")


def _days(part: DeclaredAgreement | DeclaredText, members: Iterable[str], pointer: str) -> Iterator[Fault]:
    for member in members:
        try:
            date.fromisoformat(getattr(part, member) or "2026-01-01")
        except ValueError:
            yield Fault(f"{pointer}/{member}", "there is no such day")


def _text_faults(text: DeclaredText, folder: Path, pointer: str) -> Iterator[Fault]:
    if REFERENCE_LANGUAGE not in text.languages:
        yield Fault(pointer, f"must hold {REFERENCE_LANGUAGE!r}: every translation renders the German text")
    for language, place in text.languages.items():
        try:
            _require_inside(place, folder)
            content = (folder / place).read_bytes()
            content.decode("utf-8")
        except UnicodeDecodeError:
            yield Fault(f"{pointer}/{language}", f"{quoted(place)} must be UTF-8")
        except (OSError, ValueError):
            yield Fault(f"{pointer}/{language}", f"{quoted(place)} must be a file in the folder")
        else:
            if not 1 <= len(content) <= LARGEST_TEXT:
                yield Fault(f"{pointer}/{language}", f"{quoted(place)} must hold 1 to {LARGEST_TEXT} bytes")


def _catalogue_faults(catalogue: DeclaredCatalogue) -> Iterator[Fault]:
    yield from _unwritable(msgspec.to_builtins(catalogue), "")
    yield from _twice((function.slug for function in catalogue.functions), "/functions", "slug")
    yield from _twice((category.slug for category in catalogue.data_categories), "/data_categories", "slug")
    yield from _twice((purpose.slug for purpose in catalogue.purposes), "/purposes", "slug")
    known = {category.slug for category in catalogue.data_categories}
    for number, purpose in enumerate(catalogue.purposes):
        yield from _unknown(purpose.categories, known, f"/purposes/{number}/categories", "data category")


def _function_faults(document: NetworkDocument, catalogue: DeclaredCatalogue) -> Iterator[Fault]:
    known = {function.slug for function in catalogue.functions}
    for number, partner in enumerate(document.partners):
        yield from _unknown(partner.functions, known, f"/partners/{number}/functions", "function")


def _flow_faults(document: NetworkDocument, catalogue: DeclaredCatalogue) -> Iterator[Fault]:
    partners = {partner.slug for partner in document.partners}
    purposes = {purpose.slug for purpose in catalogue.purposes}
    categories = {category.slug for category in catalogue.data_categories}
    for at, agreement in enumerate(document.agreements):
        for number, flow in enumerate(agreement.flows):
            pointer = f"/agreements/{at}/flows/{number}"
            for member, slug in (("sender", flow.sender), ("recipient", flow.recipient)):
                if slug not in partners:
                    yield Fault(f"{pointer}/{member}", f"{quoted(slug)} is no partner of this document")
            if flow.purpose not in purposes:
                yield Fault(f"{pointer}/purpose", f"{quoted(flow.purpose)} is no purpose of the catalogue")
            yield from _unknown(flow.categories, categories, f"{pointer}/categories", "data category")
            yield from _shape(flow, pointer)


def _cover_faults(document: NetworkDocument, catalogue: DeclaredCatalogue) -> Iterator[Fault]:
    known = KnownSlugs(
        {partner.slug for partner in document.partners},
        {purpose.slug for purpose in catalogue.purposes},
        {category.slug for category in catalogue.data_categories},
    )
    for number, text in enumerate(document.texts):
        covers = [read_cover(cover) for cover in text.covers]
        for fault in entry_faults(covers, text.informs, text.aliases, known):
            yield msgspec.structs.replace(fault, pointer=f"/texts/{number}{fault.pointer}")


def _shape(flow: DeclaredFlow, pointer: str) -> Iterator[Fault]:
    if flow.sender == flow.recipient:
        yield Fault(f"{pointer}/recipient", "must be another partner than the sender")
    if (flow.basis == "statute") != (flow.norm is not None):
        yield Fault(f"{pointer}/norm", "must be given with the basis statute, and be null with consent")


def _unknown(slugs: Collection[str], known: Collection[str], pointer: str, what: str) -> Iterator[Fault]:
    for number, slug in enumerate(slugs):
        if slug not in known:
            yield Fault(f"{pointer}/{number}", f"{quoted(slug)} is no {what} of the catalogue")
    if len(set(slugs)) != len(slugs):
        yield Fault(pointer, "names something twice")


def _twice(names: Iterable[str], pointer: str, member: str) -> Iterator[Fault]:
    every = list(names)
    repeated = {name for name, times in Counter(every).items() if times > 1}
    for number, name in enumerate(every):
        if name in repeated and name in every[:number]:
            yield Fault(f"{pointer}/{number}/{member}", f"{quoted(name)} stands twice")


def _unwritable(value: object, pointer: str) -> Iterator[Fault]:
    """A fault for each string with control characters. PostgreSQL cannot store NUL, and a name has no line feed."""
    if isinstance(value, str):
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
            yield Fault(pointer, "must not contain control characters")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _unwritable(member, f"{pointer}/{name}")
    elif isinstance(value, list | tuple):
        for number, member in enumerate(value):
            yield from _unwritable(member, f"{pointer}/{number}")
