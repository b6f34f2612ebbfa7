"""Checking whether a consent may be recorded. Each refusal names the rule, its norm and the place in the request."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault, Refused
from consent_registry.domain.grants import Grant
from consent_registry.operations.consents.flag_rules import flag_refusals
from consent_registry.operations.consents.form_rules import form_refusals
from consent_registry.operations.consents.release_rules import release_refusals
from consent_registry.operations.consents.renewals import renewal_refusals
from consent_registry.operations.consents.resolve import ResolvedGrant
from consent_registry.operations.consents.schemas import ConsentRequest
from consent_registry.operations.consents.third_parties import ThirdPartyGrants

CLOCK_TOLERANCE = timedelta(seconds=60)


def require_recordable(
    catalogue: Catalogue,
    request: ConsentRequest,
    caller_id: int,
    given_at: datetime,
    grants: Sequence[ResolvedGrant],
    now: datetime,
    earlier: Sequence[Grant] = (),
    third_party_grants: Sequence[ThirdPartyGrants] = (),
) -> None:
    """Raise Refused with every fault of a consent that is to be recorded. `earlier` are the grants it would renew."""
    faults = [*_act_refusals(catalogue, request, given_at, now), *_text_refusals(catalogue, request)]
    for number, grant in enumerate(grants):
        pointer = f"/grants/{number}"
        if caller_id not in {grant.sender.partner_id, grant.recipient.partner_id}:
            faults.append(
                Fault(
                    pointer,
                    "The caller must be sender or recipient of every grant.",
                    "caller_takes_part",
                    "§ 67d SGB X",
                )
            )
        faults += _validity_refusals(grant, given_at, pointer)
        faults += _flow_refusals(catalogue, grant, pointer, now)
    faults += release_refusals(catalogue, request, grants)
    faults += flag_refusals(catalogue, request, given_at, grants, now)
    faults += form_refusals(request, given_at, grants)
    faults += renewal_refusals(request, grants, earlier, now)
    faults += [fault for found in third_party_grants for fault in found.faults]
    if faults:
        raise Refused(faults=tuple(faults))


def _act_refusals(catalogue: Catalogue, request: ConsentRequest, given_at: datetime, now: datetime) -> Iterator[Fault]:
    if given_at > now + CLOCK_TOLERANCE:
        yield Fault(
            "/act/given_at", "A consent cannot have been given in the future.", "given_at", "Art. 7 Abs. 1 DSGVO"
        )
    # A refused grant needs no evidence, because nothing can ever be passed on by it.
    evidence_required = (
        any(grant.answer == "given" for grant in request.grants) and not catalogue.policies.evidence_may_follow
    )
    if evidence_required and request.act.evidence is None and request.act.method != "oral":
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
    elif language.void:
        yield Fault(
            "/text", "This text was found void: consents on it bind nobody.", "text_void", "Art. 7 Abs. 2 DSGVO"
        )
    elif language.stale:
        yield Fault(
            "/text/language",
            "This translation is stale: it no longer renders the German text.",
            "text_stale",
            "Art. 12 Abs. 1 DSGVO",
        )


def _validity_refusals(grant: ResolvedGrant, given_at: datetime, pointer: str) -> Iterator[Fault]:
    if grant.valid_from < given_at:
        yield Fault(
            f"{pointer}/valid_from",
            "A grant cannot begin before it was given: a later approval makes no earlier transfer lawful.",
            "valid_from",
            "§ 67b Abs. 1 SGB X",
        )
    if grant.valid_until <= grant.valid_from:
        yield Fault(f"{pointer}/valid_until", "A grant must end after it begins.", "valid_until", "Art. 5 Abs. 1 DSGVO")


def _flow_refusals(catalogue: Catalogue, grant: ResolvedGrant, pointer: str, now: datetime) -> Iterator[Fault]:
    for member, partner in (("sender", grant.sender), ("recipient", grant.recipient)):
        if not partner.selectable or partner.suspended:
            yield Fault(
                f"{pointer}/{member}", "This partner cannot be chosen.", "partner_selectable", "Art. 4 Nr. 7 DSGVO"
            )
    for number, category in enumerate(grant.categories):
        if category.category_id not in grant.purpose.category_ids:
            yield Fault(
                f"{pointer}/categories/{number}",
                "This category is not needed for this purpose.",
                "category_of_purpose",
                "Art. 5 Abs. 1 lit. c DSGVO",
            )
    flows = catalogue.flows_between(grant.sender.partner_id, grant.recipient.partner_id, grant.purpose.purpose_id)
    in_force = [flow for flow in flows if flow.agreement.in_force(now)]
    for number, category in enumerate(grant.categories):
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
