"""Remarks: what is noted about a consent when it is recorded although it is no reason to refuse it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.catalogue import Catalogue
from consent_registry.operations.consents.flag_rules import is_special, needs_benefits_notice
from consent_registry.operations.consents.resolve import ResolvedGrant
from consent_registry.operations.consents.schemas import ConsentRequest

LAY = frozenset({"lay", "family"})


def remark_codes(catalogue: Catalogue, request: ConsentRequest, grants: Sequence[ResolvedGrant]) -> list[str]:
    """The codes of the remarks about a consent, in alphabetical order."""
    given = [grant for grant in grants if grant.answer == "given"]
    return sorted({*_about_the_act(request, given), *_about_the_giver(catalogue, request, given)})


def _about_the_act(request: ConsentRequest, given: Sequence[ResolvedGrant]) -> Iterator[str]:
    if needs_benefits_notice(given) and not request.information.told:
        yield "benefits_notice_unstated"
    if any(grant.third_parties == "unstated" for grant in given):
        yield "third_parties_unstated"
    kind = request.information.interpreter.kind
    if kind == "family":
        yield "family_interpreter"
    if kind in LAY and any(is_special(grant) for grant in given):
        yield "lay_interpreter"


def _about_the_giver(catalogue: Catalogue, request: ConsentRequest, given: Sequence[ResolvedGrant]) -> Iterator[str]:
    guardian = catalogue.partners.get(request.giver.partner or "")
    if guardian is not None and guardian.partner_id in {grant.recipient.partner_id for grant in given}:
        yield "guardian_is_recipient"
    mandate = request.giver.mandate_until
    if mandate is not None and any(grant.asked_until > datetime.fromisoformat(mandate) for grant in given):
        yield "mandate_ends_first"
