"""The rules a consent must keep to be recorded: first what makes it readable (400), then what refuses it (422).

Every fault is named with its pointer, and every refusal with its rule and norm.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from consent_registry.domain.catalogue import Catalogue, Category, Partner, Purpose
from consent_registry.domain.errors import Fault, Malformed, Refused
from consent_registry.domain.identifiers import reference_fault
from consent_registry.domain.instants import parse_instant
from consent_registry.operations.requests import ConsentRequest, GrantRequest

# api.md section 5: a consent lasts 24 months unless it says otherwise.
DEFAULT_MONTHS = 24
CLOCK_TOLERANCE = timedelta(seconds=60)


class Terms(msgspec.Struct, frozen=True):
    """A grant in the catalogue's terms, with its own validity."""

    sender: Partner
    recipient: Partner
    purpose: Purpose
    categories: tuple[Category, ...]
    valid_from: datetime
    valid_until: datetime


def instant_at(text: str | None, pointer: str, faults: list[Fault]) -> datetime | None:
    """The instant, or None for none; a day that does not exist is a fault."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError:
        faults.append(Fault(pointer, "is no day or time that exists"))
        return None


def months_after(at: datetime, months: int) -> datetime:
    """The same day and time `months` later; the last day of the month where that day does not exist."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    for day in (at.day, 30, 29, 28):
        try:
            return at.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError  # pragma: no cover - every month has 28 days


def read_terms(catalogue: Catalogue, request: ConsentRequest) -> tuple[datetime, list[Terms]]:
    """When the consent was given and its grants in the catalogue's terms; raises Malformed with every fault."""
    faults: list[Fault] = []
    if wrong := reference_fault(request.client):
        faults.append(Fault("/client", wrong))
    given_at = instant_at(request.act.given_at, "/act/given_at", faults)
    instant_at(request.giver.mandate_until, "/giver/mandate_until", faults)
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
    terms = []
    for grant, (own_from, own_until) in zip(request.grants, own, strict=True):
        begins = own_from or valid_from
        ends = own_until or valid_until or months_after(begins, DEFAULT_MONTHS)
        terms.append(
            Terms(
                catalogue.partners[grant.sender],
                catalogue.partners[grant.recipient],
                catalogue.purposes[grant.purpose],
                tuple(catalogue.categories[slug] for slug in grant.categories),
                begins,
                ends,
            )
        )
    return given_at, terms


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


def _list_faults(catalogue: Catalogue, request: ConsentRequest) -> Iterator[Fault]:
    if len(set(request.information.told)) != len(request.information.told):
        yield Fault("/information/told", "must not name a point twice")
    for number, release in enumerate(request.releases):
        for member, slug in (("holder", release.holder), ("towards", release.towards)):
            if slug not in catalogue.partners:
                yield Fault(f"/releases/{number}/{member}", f"{slug!r} is no partner of this network")


def require_recordable(
    catalogue: Catalogue,
    request: ConsentRequest,
    caller_id: int,
    given_at: datetime,
    terms: Sequence[Terms],
    now: datetime,
) -> None:
    """Raise Refused with every rule that speaks against recording this consent."""
    faults = [*_act_refusals(request, given_at, now), *_text_refusals(catalogue, request)]
    for number, (grant, one) in enumerate(zip(request.grants, terms, strict=True)):
        pointer = f"/grants/{number}"
        if caller_id not in {one.sender.partner_id, one.recipient.partner_id}:
            faults.append(
                Fault(
                    pointer,
                    "The caller must be sender or recipient of every grant.",
                    "caller_takes_part",
                    "§ 67d SGB X",
                )
            )
        faults += _validity_refusals(one, given_at, pointer)
        faults += _flow_refusals(catalogue, one, pointer, now)
        faults += _release_refusals(request, grant, one, pointer)
    faults += _needless_releases(request, terms)
    if faults:
        raise Refused(faults=tuple(faults))


def _act_refusals(request: ConsentRequest, given_at: datetime, now: datetime) -> Iterator[Fault]:
    if given_at > now + CLOCK_TOLERANCE:
        yield Fault(
            "/act/given_at", "A consent cannot have been given in the future.", "given_at", "Art. 7 Abs. 1 DSGVO"
        )
    if request.act.evidence is None and request.act.method != "oral":
        yield Fault(
            "/act/evidence",
            "A consent that was not given orally needs its evidence.",
            "evidence",
            "Art. 7 Abs. 1 DSGVO",
        )
    interpreter = request.information.interpreter
    if interpreter.kind != "none" and interpreter.language is None:
        yield Fault(
            "/information/interpreter/language",
            "Say into which language was interpreted.",
            "interpreter_language",
            "Art. 12 Abs. 1 DSGVO",
        )


def _text_refusals(catalogue: Catalogue, request: ConsentRequest) -> Iterator[Fault]:
    text = catalogue.texts.get(request.text.id)
    if text is None:
        yield Fault("/text/id", "There is no such text in this network.", "text_published", "Art. 7 Abs. 1 DSGVO")
        return
    language = text.languages.get(request.text.language)
    if language is None:
        yield Fault(
            "/text/language", "This text does not exist in this language.", "text_language", "Art. 12 Abs. 1 DSGVO"
        )
    elif language.stale:
        yield Fault(
            "/text/language", "This translation renders an older German text.", "text_stale", "Art. 12 Abs. 1 DSGVO"
        )


def _validity_refusals(one: Terms, given_at: datetime, pointer: str) -> Iterator[Fault]:
    if one.valid_from < given_at:
        yield Fault(
            f"{pointer}/valid_from",
            "A grant cannot begin before it was given: later approval heals nothing.",
            "valid_from",
            "§ 67b Abs. 1 SGB X",
        )
    if one.valid_until <= one.valid_from:
        yield Fault(f"{pointer}/valid_until", "A grant must end after it begins.", "valid_until", "Art. 5 Abs. 1 DSGVO")


def _flow_refusals(catalogue: Catalogue, one: Terms, pointer: str, now: datetime) -> Iterator[Fault]:
    for member, partner in (("sender", one.sender), ("recipient", one.recipient)):
        if not partner.selectable or partner.suspended:
            yield Fault(
                f"{pointer}/{member}", "This partner cannot be chosen.", "partner_selectable", "Art. 4 Nr. 7 DSGVO"
            )
        if partner.isolated:
            yield Fault(
                f"{pointer}/{member}",
                "This partner is isolated: its data-protection officer has not approved the flow.",
                "isolated_partner",
                "§ 67d Abs. 1 SGB X",
            )
    for number, category in enumerate(one.categories):
        if category.category_id not in one.purpose.category_ids:
            yield Fault(
                f"{pointer}/categories/{number}",
                "This category is not needed for this purpose.",
                "category_of_purpose",
                "Art. 5 Abs. 1 lit. c DSGVO",
            )
    flows = catalogue.flows_between(one.sender.partner_id, one.recipient.partner_id, one.purpose.purpose_id)
    in_force = [flow for flow in flows if flow.agreement.in_force(now)]
    for number, category in enumerate(one.categories):
        bases = {flow.basis: flow.norm for flow in in_force if category.category_id in flow.category_ids}
        if "statute" in bases:
            yield Fault(
                f"{pointer}/categories/{number}",
                "This flow rests on a statute; asking for consent would mislead the client.",
                "statutory_flow",
                bases["statute"],
            )
        elif "consent" not in bases:
            yield Fault(
                f"{pointer}/categories/{number}",
                "No agreement in force has this flow for this category.",
                "flow_in_agreement",
                "Art. 26 DSGVO",
            )


def _release_refusals(request: ConsentRequest, grant: GrantRequest, one: Terms, pointer: str) -> Iterator[Fault]:
    if not _needs_release(one) or grant.answer == "refused":
        return
    if not any(release.holder == grant.sender and release.towards == grant.recipient for release in request.releases):
        yield Fault(
            pointer,
            "Data under professional secrecy needs a release of the sender towards the recipient.",
            "release_needed",
            "§ 203 StGB",
        )


def _needless_releases(request: ConsentRequest, terms: Sequence[Terms]) -> Iterator[Fault]:
    needed = {(one.sender.slug, one.recipient.slug) for one in terms if _needs_release(one)}
    for number, release in enumerate(request.releases):
        pointer = f"/releases/{number}"
        if (release.holder, release.towards) not in needed:
            yield Fault(
                pointer, "Nobody who is bound to secrecy needs this release.", "release_not_needed", "§ 203 StGB"
            )
        if release.function is None and release.person is None:
            yield Fault(
                pointer, "Name a function or a person: no institution can be released.", "released_party", "§ 203 StGB"
            )


def _needs_release(one: Terms) -> bool:
    return one.sender.secrecy_holder and any(category.secrecy for category in one.categories)
