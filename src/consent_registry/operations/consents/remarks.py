"""Which remarks a consent is recorded with."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.catalogue import Catalogue
from consent_registry.operations.consents.flag_rules import is_special, needs_benefits_notice
from consent_registry.operations.consents.resolve import Terms
from consent_registry.operations.consents.schemas import ConsentRequest

LAY = frozenset({"lay", "family"})


def remark_codes(catalogue: Catalogue, request: ConsentRequest, terms: Sequence[Terms]) -> list[str]:
    """The codes of what is to be seen about this consent, in alphabetical order."""
    given = [one for grant, one in zip(request.grants, terms, strict=True) if grant.answer == "given"]
    return sorted({*_of_the_act(request, given), *_of_the_giver(catalogue, request, given)})


def _of_the_act(request: ConsentRequest, given: Sequence[Terms]) -> Iterator[str]:
    if needs_benefits_notice(given) and not request.information.told:
        yield "benefits_notice_unstated"
    if any(one.third_parties == "unstated" for one in given):
        yield "third_parties_unstated"
    kind = request.information.interpreter.kind
    if kind == "family":
        yield "family_interpreter"
    if kind in LAY and any(is_special(one) for one in given):
        yield "lay_interpreter"


def _of_the_giver(catalogue: Catalogue, request: ConsentRequest, given: Sequence[Terms]) -> Iterator[str]:
    guardian = catalogue.partners.get(request.giver.partner or "")
    if guardian is not None and guardian.partner_id in {one.recipient.partner_id for one in given}:
        yield "guardian_is_recipient"
    mandate = request.giver.mandate_until
    if mandate is not None and any(one.asked_until > datetime.fromisoformat(mandate) for one in given):
        yield "mandate_ends_first"
