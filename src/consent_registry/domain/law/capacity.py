"""Who may give a consent: the client alone, or a representative, by the client's age and insight."""

from collections.abc import Iterator

from consent_registry.domain.errors import Fault
from consent_registry.domain.law.own_consent import own_consent_refusals
from consent_registry.domain.law.proposed import Giver, ProposedConsent
from consent_registry.domain.law.representatives import (
    OFFICES,
    REPRESENTATIVES,
    adult_from_contradicts,
    representation_refusals,
)


def capacity_refusals(consent: ProposedConsent) -> Iterator[Fault]:
    """The faults of who gave a consent. A consent in which the client refuses everything needs no capacity."""
    giver = consent.giver
    yield from _shape(giver)
    if adult_from_contradicts(giver, consent.act.given_at):
        yield Fault(
            "/giver/adult_from",
            "A client of this age band does not come of age in this month.",
            "adult_from_contradicts",
        )
    yield from _entrusted_by_others(consent)
    if not consent.given:
        return
    if giver.role == "self":
        yield from own_consent_refusals(consent)
    elif giver.role in REPRESENTATIVES:
        yield from representation_refusals(consent)


def _entrusted_by_others(consent: ProposedConsent) -> Iterator[Fault]:
    """What somebody else entrusted to the youth office needs this person's yes beside that of the person concerned."""
    if consent.giver.together_with("entrusting_person"):
        return
    for number, grant in enumerate(consent.grants):
        if grant.answer == "given" and grant.entrusted_by == "other":
            yield Fault(
                f"/grants/{number}/entrusted_by",
                "Somebody else entrusted this: it needs the yes of that person too.",
                "entrusting_person",
            )


def _shape(giver: Giver) -> Iterator[Fault]:
    """The faults of members that this giver cannot have."""
    if giver.role == "entrusting_person":
        detail = "Who entrusted facts to the youth office never decides for the person concerned, only beside it."
        yield Fault("/giver/role", detail, "entrusting_person")
    if giver.role == "self" and giver.mandate_until is not None:
        yield Fault("/giver/mandate_until", "A client who decides alone has no mandate.", "mandate")
    if giver.role == "self" and giver.scope is not None:
        detail = "A client who decides alone is limited to no purposes."
        yield Fault("/giver/scope", detail, "representation", "§ 1815 Abs. 1 BGB")
    if giver.partner is not None and giver.role not in OFFICES:
        detail = "An office can only be guardian or custodian, or have taken the client into care."
        yield Fault("/giver/partner", detail, "representation", "§ 1774 BGB")
