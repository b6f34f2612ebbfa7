"""The rules for releases from professional secrecy (§ 203 StGB): when one is needed, and whom it may name."""

from collections.abc import Iterator

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant, ProposedRelease


def release_refusals(catalogue: Catalogue, consent: ProposedConsent) -> Iterator[Fault]:
    """The faults in the releases of a consent.

    A given grant needs a release if one of its categories is under secrecy and its sender is bound by secrecy. A
    release that no grant needs is refused.
    """
    released = {(release.holder.slug, release.towards.slug) for release in consent.releases}
    needed = set()
    for number, grant in enumerate(consent.grants):
        sides = (grant.sender.slug, grant.recipient.slug)
        if grant.answer == "given" and _is_bound(grant):
            needed.add(sides)
            if sides not in released:
                yield Fault(
                    f"/grants/{number}",
                    "Data under professional secrecy needs a release of the sender towards the recipient.",
                    "release_needed",
                )
    institutions = _institutions(catalogue)
    for number, release in enumerate(consent.releases):
        pointer = f"/releases/{number}"
        if (release.holder.slug, release.towards.slug) not in needed:
            yield Fault(pointer, "Nobody who is bound to secrecy needs this release.", "release_not_needed")
        yield from _released_party(release, institutions, pointer)


def _is_bound(grant: ProposedGrant) -> bool:
    return grant.sender.secrecy_holder and any(category.secrecy for category in grant.categories)


def _released_party(release: ProposedRelease, institutions: frozenset[str], pointer: str) -> Iterator[Fault]:
    if release.function is None and release.person is None:
        yield Fault(pointer, "Name a function or a person: no institution can be released.", "released_party")
    for member, value in (("function", release.function), ("person", release.person)):
        if value is not None and _comparable(value) in institutions:
            yield Fault(
                f"{pointer}/{member}",
                "This names an institution: no institution can be released, only who works there.",
                "released_party",
            )


def _institutions(catalogue: Catalogue) -> frozenset[str]:
    """All names and slugs of the network, its partners and their organisations, in comparable form."""
    names = {catalogue.network.name, catalogue.network.slug}
    for partner in catalogue.partners.values():
        names |= {partner.slug, partner.name, partner.organisation or partner.name}
    return frozenset(map(_comparable, names))


def _comparable(name: str) -> str:
    """A name in comparable form: without case, spaces and punctuation."""
    return "".join(character for character in name.casefold() if character.isalnum())
