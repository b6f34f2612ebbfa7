"""The rules about releases from professional secrecy (§ 203 StGB): when one is needed, and whom it may release.

Everything that is entrusted to a secrecy holder is secret: the name, and the fact of counselling, too. So each category
of a grant needs a release, whatever the category is. Nobody can exempt data from a criminal provision. § 203 StGB binds
persons, so any partner may record a release, also one whose functions have no norm.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant, ProposedRelease
from consent_registry.domain.secrecy import Release

_STAFF_REFERENCE = re.compile(r"[A-Za-z0-9-]{1,32}")


def release_refusals(
    catalogue: Catalogue, consent: ProposedConsent, inherited: Sequence[Release], now: datetime
) -> Iterator[Fault]:
    """The faults in the releases of a consent. `inherited` are those in force in the consent that it renews."""
    in_force = [*(release.of_flow() for release in consent.releases), *inherited]
    for number, grant in enumerate(consent.grants):
        if grant.answer == "given" and grant.sender.secrecy_holder:
            yield from _unreleased(grant, in_force, f"/grants/{number}", now)
    institutions = _institutions(catalogue)
    for number, release in enumerate(consent.releases):
        yield from _released_party(release, institutions, f"/releases/{number}")


def _unreleased(grant: ProposedGrant, in_force: Sequence[Release], pointer: str, now: datetime) -> Iterator[Fault]:
    """A fault at the grant if nothing of it is released, else at each category that is not."""
    held = [
        position
        for position, category in enumerate(grant.categories)
        if not any(release.frees(grant.flow, category.category_id, now) for release in in_force)
    ]
    whole = len(held) == len(grant.categories)
    for place in [pointer] if whole else [f"{pointer}/categories/{position}" for position in held]:
        yield Fault(
            place,
            "The sender is bound to professional secrecy: this needs its release towards the recipient.",
            "release_needed",
        )


def _released_party(release: ProposedRelease, institutions: frozenset[str], pointer: str) -> Iterator[Fault]:
    """The faults of a release that names neither a function of the holder nor a person by staff reference."""
    if release.function is None and release.person is None:
        yield Fault(pointer, "Name a function or a person: no institution can be released.", "released_party")
    if release.function is not None and release.function not in _releasable(release):
        yield Fault(
            f"{pointer}/function",
            "This is no function of the holder that is bound to secrecy: name it by its slug in the catalogue.",
            "released_party",
        )
    person = release.person
    if person is not None and (_STAFF_REFERENCE.fullmatch(person) is None or _comparable(person) in institutions):
        yield Fault(
            f"{pointer}/person",
            "A person is released by staff reference (1 to 32 letters A to Z, digits or hyphens), no institution is.",
            "released_party",
        )


def _releasable(release: ProposedRelease) -> frozenset[str]:
    """The functions that can be released: those with a norm, or all of a holder without a bound function."""
    functions = release.holder.functions
    bound = frozenset(function.slug for function in functions if function.secrecy_norm is not None)
    return bound or frozenset(function.slug for function in functions)


def _institutions(catalogue: Catalogue) -> frozenset[str]:
    """All names and slugs of the network, its partners and their organisations, in comparable form."""
    names = {catalogue.network.name, catalogue.network.slug}
    for partner in catalogue.partners.values():
        names |= {partner.slug, partner.name, partner.organisation or partner.name}
    return frozenset(map(_comparable, names))


def _comparable(name: str) -> str:
    """A name in comparable form: without case, spaces and punctuation."""
    return "".join(character for character in name.casefold() if character.isalnum())
