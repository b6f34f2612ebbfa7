"""What a text to be published says beside its words: flows, codes and aliases. Each must be an entry of the network."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from consent_registry.domain.catalogue import Aliases, Cover
from consent_registry.domain.errors import Fault, quoted

# A shorter alias would be found in any text.
SHORTEST_ALIAS = 3


class KnownSlugs(msgspec.Struct, frozen=True):
    """The slugs of a network's partners, purposes and data categories."""

    partners: Collection[str]
    purposes: Collection[str]
    categories: Collection[str]


def read_cover(part: object) -> Cover:
    """The cover that a request or a document names, by its members."""
    return msgspec.convert(part, Cover, from_attributes=True)


def entry_faults(
    covers: Sequence[Cover], informs: Sequence[str], aliases: Mapping[str, Aliases], known: KnownSlugs
) -> Iterator[Fault]:
    """The faults of covers, codes and aliases that name something unknown, or something twice."""
    for number, cover in enumerate(covers):
        yield from _cover_faults(cover, known, f"/covers/{number}")
        flow = (cover.sender, cover.recipient, cover.purpose)
        if flow in {(before.sender, before.recipient, before.purpose) for before in covers[:number]}:
            yield Fault(f"/covers/{number}", "must not name a flow twice")
    if len(set(informs)) != len(informs):
        yield Fault("/informs", "must not name a code twice")
    for language, called in aliases.items():
        pointer = f"/aliases/{language}"
        yield from _alias_faults(called.purposes, known.purposes, f"{pointer}/purposes", "purpose")
        yield from _alias_faults(called.categories, known.categories, f"{pointer}/categories", "data category")


def _cover_faults(cover: Cover, known: KnownSlugs, pointer: str) -> Iterator[Fault]:
    for member, slug in (("sender", cover.sender), ("recipient", cover.recipient)):
        if slug not in known.partners:
            yield Fault(f"{pointer}/{member}", f"{quoted(slug)} is no partner of this network")
    if cover.sender == cover.recipient:
        yield Fault(f"{pointer}/recipient", "must not be the sender")
    if cover.purpose not in known.purposes:
        yield Fault(f"{pointer}/purpose", f"{quoted(cover.purpose)} is no purpose of this network")
    for number, slug in enumerate(cover.categories):
        if slug not in known.categories:
            yield Fault(f"{pointer}/categories/{number}", f"{quoted(slug)} is no data category of this network")
    if len(set(cover.categories)) != len(cover.categories):
        yield Fault(f"{pointer}/categories", "must not name a category twice")


def _alias_faults(
    called: Mapping[str, Sequence[str]], known: Collection[str], pointer: str, what: str
) -> Iterator[Fault]:
    for slug, names in called.items():
        if slug not in known:
            yield Fault(f"{pointer}/{slug}", f"{quoted(slug)} is no {what} of this network")
        for number, name in enumerate(names):
            if len(name.strip()) < SHORTEST_ALIAS:
                yield Fault(f"{pointer}/{slug}/{number}", f"must have at least {SHORTEST_ALIAS} characters")
