"""Whether a consent may be recorded: all rules together. Each refusal names its rule, its norm and its place."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.domain.grants import Grant
from consent_registry.domain.law.acts import act_refusals, validity_refusals
from consent_registry.domain.law.capacity import capacity_refusals
from consent_registry.domain.law.flows import agreement_refusals, flag_refusals
from consent_registry.domain.law.form import form_refusals
from consent_registry.domain.law.information import information_refusals, interpreter_refusals
from consent_registry.domain.law.proposed import ProposedConsent
from consent_registry.domain.law.releases import release_refusals
from consent_registry.domain.law.renewals import renewal_refusals
from consent_registry.domain.law.texts import text_refusals
from consent_registry.domain.secrecy import Release


def recording_refusals(
    catalogue: Catalogue,
    consent: ProposedConsent,
    recorder_id: int,
    earlier: Sequence[Grant],
    inherited: Sequence[Release],
    now: datetime,
) -> Iterator[Fault]:
    """Every fault of a consent that a partner would record. `earlier` are the grants that it would renew, and
    `inherited` the releases that serve them.
    """
    yield from act_refusals(catalogue, consent, now)
    yield from interpreter_refusals(catalogue, consent)
    yield from text_refusals(catalogue, consent)
    for number, grant in enumerate(consent.grants):
        pointer = f"/grants/{number}"
        if recorder_id not in {grant.sender.partner_id, grant.recipient.partner_id}:
            yield Fault(
                pointer,
                "The caller must be sender or recipient of every grant.",
                "caller_takes_part",
            )
        yield from validity_refusals(grant, consent.act.given_at, pointer, catalogue.policies.longest_months)
        yield from agreement_refusals(catalogue, grant, pointer, now)
    yield from release_refusals(catalogue, consent, inherited, now)
    yield from flag_refusals(catalogue, consent, now)
    yield from information_refusals(catalogue, consent)
    yield from form_refusals(consent)
    yield from capacity_refusals(consent)
    yield from renewal_refusals(consent, earlier, now)
