"""Resolving the grants of a consent request: slugs become entries of the catalogue, an unknown slug is a fault."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from consent_registry.domain.catalogue import Catalogue, Category, Partner, Purpose
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.grants import ThirdParties
from consent_registry.domain.identifiers import reference_fault
from consent_registry.operations.consents.schemas import ConsentRequest, GrantRequest
from consent_registry.operations.runtime.wire_members import instant_at

# A consent lasts 24 months unless it says otherwise.
DEFAULT_MONTHS = 24
# Givers who decide for the client while a court's mandate lasts.
REPRESENTATIVES = frozenset({"guardian", "custodian"})


class ResolvedGrant(msgspec.Struct, frozen=True):
    """A grant that was asked for, with the catalogue's entries for its slugs and with its own validity."""

    sender: Partner
    recipient: Partner
    purpose: Purpose
    categories: tuple[Category, ...]
    valid_from: datetime
    valid_until: datetime
    # The end before it was cut to the end of the giver's mandate.
    asked_until: datetime
    third_parties: ThirdParties | None
    explicit: bool
    answer: Literal["given", "refused"]
    # Whether the request names an end, for the grant or for the whole consent.
    has_stated_end: bool

    @property
    def flow(self) -> tuple[int, int, int]:
        """Sender, recipient and purpose by their numbers."""
        return self.sender.partner_id, self.recipient.partner_id, self.purpose.purpose_id


def months_after(at: datetime, months: int) -> datetime:
    """The same day and time `months` later; the last day of the month where that day does not exist."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    for day in (at.day, 30, 29, 28):
        try:
            return at.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError  # pragma: no cover - every month has 28 days


def resolve_grants(catalogue: Catalogue, request: ConsentRequest) -> tuple[datetime, list[ResolvedGrant]]:
    """The instant at which the consent was given, and its grants. Raises Malformed with every fault."""
    faults: list[Fault] = []
    if wrong := reference_fault(request.client):
        faults.append(Fault("/client", wrong))
    given_at = instant_at(request.act.given_at, "/act/given_at", faults)
    mandate_until = instant_at(request.giver.mandate_until, "/giver/mandate_until", faults)
    valid_from = instant_at(request.valid_from, "/valid_from", faults) or given_at
    valid_until = instant_at(request.valid_until, "/valid_until", faults)
    own = [
        (
            instant_at(grant.valid_from, f"/grants/{number}/valid_from", faults),
            instant_at(grant.valid_until, f"/grants/{number}/valid_until", faults),
        )
        for number, grant in enumerate(request.grants)
    ]
    for number, grant in enumerate(request.grants):
        faults += _grant_faults(catalogue, grant, f"/grants/{number}")
    faults += _list_faults(catalogue, request)
    if faults or given_at is None or valid_from is None:
        raise Malformed(faults=tuple(faults))
    resolved = []
    for grant, (own_from, own_until) in zip(request.grants, own, strict=True):
        begins = own_from or valid_from
        ends = own_until or valid_until or months_after(begins, DEFAULT_MONTHS)
        resolved.append(
            ResolvedGrant(
                catalogue.partners[grant.sender],
                catalogue.partners[grant.recipient],
                catalogue.purposes[grant.purpose],
                tuple(catalogue.categories[slug] for slug in grant.categories),
                begins,
                _with_mandate(request, ends, given_at, mandate_until),
                ends,
                _third_parties(catalogue, grant),
                grant.explicit,
                grant.answer,
                (own_until or valid_until) is not None,
            )
        )
    return given_at, resolved


def _with_mandate(
    request: ConsentRequest, ends: datetime, given_at: datetime, mandate_until: datetime | None
) -> datetime:
    """The end of a grant, cut to the end of the mandate by which it was given.

    A mandate that had ended by then is not applied here: the rule `mandate` refuses such a consent.
    """
    if request.giver.role not in REPRESENTATIVES or mandate_until is None or mandate_until <= given_at:
        return ends
    return min(ends, mandate_until)


def _third_parties(catalogue: Catalogue, grant: GrantRequest) -> ThirdParties | None:
    """What is recorded about data of third parties: `unstated` if the request says nothing, None if no category of the
    grant can hold such data.
    """
    if not any(catalogue.categories[slug].flags.third_party_data for slug in grant.categories):
        return None
    return grant.third_parties or "unstated"


def _grant_faults(catalogue: Catalogue, grant: GrantRequest, pointer: str) -> Iterator[Fault]:
    for member, slug in (("sender", grant.sender), ("recipient", grant.recipient)):
        if slug not in catalogue.partners:
            yield Fault(f"{pointer}/{member}", f"{slug!r} is no partner of this network")
    if grant.sender == grant.recipient:
        yield Fault(f"{pointer}/recipient", "must not be the sender")
    if grant.purpose not in catalogue.purposes:
        yield Fault(f"{pointer}/purpose", f"{grant.purpose!r} is no purpose of this network")
    for number, slug in enumerate(grant.categories):
        if slug not in catalogue.categories:
            yield Fault(f"{pointer}/categories/{number}", f"{slug!r} is no data category of this network")
    if len(set(grant.categories)) != len(grant.categories):
        yield Fault(f"{pointer}/categories", "must not name a category twice")
    if len(set(grant.third_party_consents)) != len(grant.third_party_consents):
        yield Fault(f"{pointer}/third_party_consents", "must not name a consent twice")


def _list_faults(catalogue: Catalogue, request: ConsentRequest) -> Iterator[Fault]:
    if request.giver.partner is not None and request.giver.partner not in catalogue.partners:
        yield Fault("/giver/partner", f"{request.giver.partner!r} is no partner of this network")
    if len(set(request.information.told)) != len(request.information.told):
        yield Fault("/information/told", "must not name a point twice")
    for number, release in enumerate(request.releases):
        for member, slug in (("holder", release.holder), ("towards", release.towards)):
            if slug not in catalogue.partners:
                yield Fault(f"/releases/{number}/{member}", f"{slug!r} is no partner of this network")
