"""Turning a request to record a consent into the value that the rules judge (`domain/law/proposed.py`).

Slugs become entries of the catalogue, texts of instants become instants. An unknown slug is a fault.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

import msgspec

from consent_registry.domain.berlin import months_later_in_berlin
from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.identifiers import reference_fault
from consent_registry.domain.law.proposed import (
    ClientAct,
    CoGiver,
    Evidence,
    Giver,
    Information,
    ProposedConsent,
    ProposedGrant,
    ProposedRelease,
    ShownText,
)
from consent_registry.domain.law.representatives import end_of_representation
from consent_registry.operations.consents.schemas import ConsentRequest, GiverRequest, GrantRequest, ReleaseRequest
from consent_registry.operations.runtime.wire_members import instant_at

# A consent lasts 24 months, by the German calendar, unless it says otherwise.
DEFAULT_MONTHS = 24


class _Instants(msgspec.Struct, frozen=True):
    """The instants that a request names, with those of each grant."""

    given_at: datetime
    mandate_until: datetime | None
    valid_from: datetime
    valid_until: datetime | None
    of_grants: list[tuple[datetime | None, datetime | None]]
    of_releases: list[datetime | None]


def resolve_consent(catalogue: Catalogue, request: ConsentRequest) -> ProposedConsent:
    """The consent that a request proposes. Raises Malformed with every fault."""
    faults: list[Fault] = []
    if wrong := reference_fault(request.client):
        faults.append(Fault("/client", wrong))
    instants = _instants(request, faults)
    for number, grant in enumerate(request.grants):
        faults += _grant_faults(catalogue, grant, f"/grants/{number}")
    faults += _list_faults(catalogue, request)
    if faults or instants is None:
        raise Malformed(faults=tuple(faults))
    evidence = request.act.evidence
    giver = _giver(catalogue, request.giver, instants.mandate_until)
    return ProposedConsent(
        reference=request.client,
        text=ShownText(request.text.id, request.text.language),
        grants=tuple(
            _grant(catalogue, giver, grant, instants, own)
            for grant, own in zip(request.grants, instants.of_grants, strict=True)
        ),
        releases=tuple(
            _release(catalogue, release, until)
            for release, until in zip(request.releases, instants.of_releases, strict=True)
        ),
        giver=giver,
        act=ClientAct(
            method=request.act.method,
            given_at=instants.given_at,
            special_circumstances=request.act.special_circumstances,
            evidence=None if evidence is None else msgspec.convert(evidence, Evidence, from_attributes=True),
            given_at_precision=request.act.given_at_precision,
        ),
        information=msgspec.convert(request.information, Information, from_attributes=True),
        renews=request.renews,
    )


def _instants(request: ConsentRequest, faults: list[Fault]) -> _Instants | None:
    """The instants of a request; None if the act has none, which is among the faults then."""
    given_at = instant_at(request.act.given_at, "/act/given_at", faults)
    mandate_until = instant_at(request.giver.mandate_until, "/giver/mandate_until", faults)
    valid_from = instant_at(request.valid_from, "/valid_from", faults) or given_at
    valid_until = instant_at(request.valid_until, "/valid_until", faults)
    of_grants = [
        (
            instant_at(grant.valid_from, f"/grants/{number}/valid_from", faults),
            instant_at(grant.valid_until, f"/grants/{number}/valid_until", faults),
        )
        for number, grant in enumerate(request.grants)
    ]
    of_releases = [
        instant_at(release.valid_until, f"/releases/{number}/valid_until", faults)
        for number, release in enumerate(request.releases)
    ]
    if given_at is None or valid_from is None:
        return None
    return _Instants(given_at, mandate_until, valid_from, valid_until, of_grants, of_releases)


def _release(catalogue: Catalogue, release: ReleaseRequest, valid_until: datetime | None) -> ProposedRelease:
    purposes, categories = release.purposes, release.categories
    return ProposedRelease(
        catalogue.partners[release.holder],
        catalogue.partners[release.towards],
        release.function,
        release.person,
        None if purposes is None else tuple(catalogue.purposes[slug] for slug in purposes),
        None if categories is None else tuple(catalogue.categories[slug] for slug in categories),
        valid_until,
    )


def _giver(catalogue: Catalogue, giver: GiverRequest, mandate_until: datetime | None) -> Giver:
    return Giver(
        role=giver.role,
        age_band=giver.age_band,
        insight_assessed_by=giver.insight_assessed_by,
        mandate_until=mandate_until,
        partner=catalogue.partners.get(giver.partner or ""),
        adult_from=None if giver.adult_from is None else date.fromisoformat(f"{giver.adult_from}-01"),
        insight=giver.insight,
        direct_counselling=giver.direct_counselling is True,
        care=giver.care,
        scope=None if giver.scope is None else tuple(catalogue.purposes[slug] for slug in giver.scope),
        co_givers=tuple(msgspec.convert(giver.co_givers, list[CoGiver], from_attributes=True)),
    )


def _grant(
    catalogue: Catalogue,
    giver: Giver,
    grant: GrantRequest,
    instants: _Instants,
    own: tuple[datetime | None, datetime | None],
) -> ProposedGrant:
    begins = own[0] or instants.valid_from
    stated_end = own[1] or instants.valid_until
    ends = stated_end or months_later_in_berlin(begins, DEFAULT_MONTHS)
    return ProposedGrant(
        sender=catalogue.partners[grant.sender],
        recipient=catalogue.partners[grant.recipient],
        purpose=catalogue.purposes[grant.purpose],
        categories=tuple(catalogue.categories[slug] for slug in grant.categories),
        explicit=grant.explicit,
        answer=grant.answer,
        valid_from=begins,
        valid_until=_while_represented(giver, ends, instants.given_at),
        asked_until=ends,
        has_stated_end=stated_end is not None,
        stated_third_parties=grant.third_parties,
        third_party_consents=tuple(grant.third_party_consents),
        entrusted_by=grant.entrusted_by,
    )


def _while_represented(giver: Giver, ends: datetime, given_at: datetime) -> datetime:
    """The end of a grant, cut to the time for which the giver may decide for the client."""
    until = end_of_representation(giver, given_at)
    return ends if until is None else min(ends, until)


def _grant_faults(catalogue: Catalogue, grant: GrantRequest, pointer: str) -> Iterator[Fault]:
    for member, slug in (("sender", grant.sender), ("recipient", grant.recipient)):
        if slug not in catalogue.partners:
            yield Fault(f"{pointer}/{member}", f"{slug!r} is no partner of this network")
    if grant.sender == grant.recipient:
        yield Fault(f"{pointer}/recipient", "must not be the sender")
    if grant.purpose not in catalogue.purposes:
        yield Fault(f"{pointer}/purpose", f"{grant.purpose!r} is no purpose of this network")
    yield from _category_faults(catalogue, grant.categories, f"{pointer}/categories")
    if len(set(grant.third_party_consents)) != len(grant.third_party_consents):
        yield Fault(f"{pointer}/third_party_consents", "must not name a consent twice")


def _list_faults(catalogue: Catalogue, request: ConsentRequest) -> Iterator[Fault]:
    if request.giver.partner is not None and request.giver.partner not in catalogue.partners:
        yield Fault("/giver/partner", f"{request.giver.partner!r} is no partner of this network")
    scope = request.giver.scope or []
    for number, slug in enumerate(scope):
        if slug not in catalogue.purposes:
            yield Fault(f"/giver/scope/{number}", f"{slug!r} is no purpose of this network")
    if len(set(scope)) != len(scope):
        yield Fault("/giver/scope", "must not name a purpose twice")
    if len(set(request.information.told)) != len(request.information.told):
        yield Fault("/information/told", "must not name a point twice")
    for number, release in enumerate(request.releases):
        yield from _release_faults(catalogue, release, f"/releases/{number}")


def _release_faults(catalogue: Catalogue, release: ReleaseRequest, pointer: str) -> Iterator[Fault]:
    for member, slug in (("holder", release.holder), ("towards", release.towards)):
        if slug not in catalogue.partners:
            yield Fault(f"{pointer}/{member}", f"{slug!r} is no partner of this network")
    if release.holder == release.towards:
        yield Fault(f"{pointer}/towards", "must not be the holder")
    purposes = release.purposes or []
    for number, slug in enumerate(purposes):
        if slug not in catalogue.purposes:
            yield Fault(f"{pointer}/purposes/{number}", f"{slug!r} is no purpose of this network")
    if len(set(purposes)) != len(purposes):
        yield Fault(f"{pointer}/purposes", "must not name a purpose twice")
    yield from _category_faults(catalogue, release.categories or [], f"{pointer}/categories")


def _category_faults(catalogue: Catalogue, slugs: Sequence[str], pointer: str) -> Iterator[Fault]:
    for number, slug in enumerate(slugs):
        if slug not in catalogue.categories:
            yield Fault(f"{pointer}/{number}", f"{slug!r} is no data category of this network")
    if len(set(slugs)) != len(slugs):
        yield Fault(pointer, "must not name a category twice")
