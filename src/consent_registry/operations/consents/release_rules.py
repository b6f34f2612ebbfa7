"""When a release from professional secrecy is needed, and whom it may name (§ 203 StGB)."""

from collections.abc import Iterator, Sequence

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.operations.consents.resolve import ResolvedGrant
from consent_registry.operations.consents.schemas import ConsentRequest, ReleaseRequest

_NORM = "§ 203 StGB"


def release_refusals(catalogue: Catalogue, request: ConsentRequest, grants: Sequence[ResolvedGrant]) -> Iterator[Fault]:
    """A release is needed exactly where a category is under secrecy and its sender bound by it, and refused elsewhere.

    What the client refused needs none.
    """
    released = {(release.holder, release.towards) for release in request.releases}
    needed = set()
    for number, grant in enumerate(grants):
        sides = (grant.sender.slug, grant.recipient.slug)
        if grant.answer == "given" and _is_bound(grant):
            needed.add(sides)
            if sides not in released:
                yield Fault(
                    f"/grants/{number}",
                    "Data under professional secrecy needs a release of the sender towards the recipient.",
                    "release_needed",
                    _NORM,
                )
    institutions = _institutions(catalogue)
    for number, release in enumerate(request.releases):
        pointer = f"/releases/{number}"
        if (release.holder, release.towards) not in needed:
            yield Fault(pointer, "Nobody who is bound to secrecy needs this release.", "release_not_needed", _NORM)
        yield from _released_party(release, institutions, pointer)


def _is_bound(grant: ResolvedGrant) -> bool:
    return grant.sender.secrecy_holder and any(category.secrecy for category in grant.categories)


def _released_party(release: ReleaseRequest, institutions: frozenset[str], pointer: str) -> Iterator[Fault]:
    if release.function is None and release.person is None:
        yield Fault(pointer, "Name a function or a person: no institution can be released.", "released_party", _NORM)
    for member, value in (("function", release.function), ("person", release.person)):
        if value is not None and _plain(value) in institutions:
            yield Fault(
                f"{pointer}/{member}",
                "This names an institution: no institution can be released, only who works there.",
                "released_party",
                _NORM,
            )


def _institutions(catalogue: Catalogue) -> frozenset[str]:
    """The network's partners and organisations by every name they have here."""
    names = {catalogue.network.name, catalogue.network.slug}
    for partner in catalogue.partners.values():
        names |= {partner.slug, partner.name, partner.organisation or partner.name}
    return frozenset(map(_plain, names))


def _plain(name: str) -> str:
    """A name without what does not tell names apart: case, spaces, punctuation."""
    return "".join(character for character in name.casefold() if character.isalnum())
