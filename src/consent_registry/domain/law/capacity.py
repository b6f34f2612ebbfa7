"""Who may give a consent, and until when: the client's age and insight, representatives and their mandates."""

from collections.abc import Iterator
from datetime import datetime

from consent_registry.domain.errors import Fault
from consent_registry.domain.law.form import may_consent_alone, rules_of_consent
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant

# Givers who decide for the client while a court's mandate lasts.
REPRESENTATIVES = frozenset({"guardian", "custodian"})


def capacity_refusals(consent: ProposedConsent) -> Iterator[Fault]:
    """The faults of a giver who cannot decide alone, who represents nobody of this age, or whose mandate is over."""
    giver, rules = consent.giver, rules_of_consent(consent)
    if giver.age_band is None and any(_is_about_children(grant) for grant in consent.given):
        yield Fault(
            "/giver/age_band",
            "Data about school and day care are mostly a child's: say how old the client is.",
            "age_band",
            "§ 36 SGB I",
        )
    minor = giver.age_band not in {None, "adult"}
    if giver.role == "self" and giver.age_band is not None:
        assessed = giver.insight_assessed_by is not None
        failing = next(
            (rule for rule in rules if not may_consent_alone(rule, giver.age_band, insight_assessed=assessed)), None
        )
        if failing is not None:
            yield Fault(
                "/giver",
                "A client of this age cannot decide alone, unless insight was assessed where the rule allows it.",
                "capacity",
                f"{failing.norm}, § 36 SGB I" if failing.regime == "sgb_x" else failing.norm,
            )
    if giver.role in {"parent", "guardian"} and giver.age_band == "adult":
        yield Fault("/giver/role", "Nobody's parent or guardian decides for an adult.", "representation", "§ 1626 BGB")
    if giver.partner is not None and giver.role not in REPRESENTATIVES:
        yield Fault("/giver/partner", "Only a guardian or custodian can be a partner.", "representation", "§ 1774 BGB")
    if giver.role == "custodian" and minor:
        yield Fault("/giver/role", "A custodian represents adults.", "representation", "§ 1814 BGB")
    if giver.role in REPRESENTATIVES:
        yield from _mandate(giver.mandate_until, consent.act.given_at)


def _is_about_children(grant: ProposedGrant) -> bool:
    return grant.purpose.flags.minors or any(category.flags.minors for category in grant.categories)


def _mandate(mandate_until: datetime | None, given_at: datetime) -> Iterator[Fault]:
    if mandate_until is None:
        yield Fault("/giver/mandate_until", "A mandate needs its end on record.", "mandate", "§§ 1773, 1814 BGB")
    elif mandate_until <= given_at:
        yield Fault(
            "/giver/mandate_until", "The mandate had ended when the consent was given.", "mandate", "§§ 1773, 1814 BGB"
        )
