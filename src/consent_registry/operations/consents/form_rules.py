"""The rules for recording a consent about its form, its explicitness and the giver's capacity to decide."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.errors import Fault
from consent_registry.domain.form_rules import FormRule, find_rule, form_is_sufficient, may_consent_alone, stricter
from consent_registry.domain.instants import format_instant, parse_instant
from consent_registry.operations.consents.flag_rules import is_special
from consent_registry.operations.consents.resolve import REPRESENTATIVES, ResolvedGrant
from consent_registry.operations.consents.schemas import ConsentRequest

EXPLICIT_NORM = "Art. 9 Abs. 2 lit. a DSGVO"
# The norm to cite for a regime that has no form rule on the day of the consent.
GAP_NORMS = {"sgb_x": "§ 67b Abs. 2 SGB X", "kdg": "§ 8 KDG", "dsg_ekd": "§ 11 DSG-EKD"}


def form_refusals(request: ConsentRequest, given_at: datetime, grants: Sequence[ResolvedGrant]) -> Iterator[Fault]:
    """The faults in the form of a consent, in its explicitness and in the giver's capacity. Each is named once."""
    rules: list[FormRule] = []
    for number, grant in enumerate(grants):
        if grant.answer == "refused":
            continue  # a refused grant needs no form
        pointer = f"/grants/{number}"
        found = list(_rules_of(grant, given_at))
        rules += [rule for pair in found for rule in pair if rule is not None]
        yield from _gaps(grant, found, given_at, pointer)
        yield from _explicitness(grant, pointer)
    yield from _form(request, rules)
    yield from _capacity(request, given_at, rules)


def _rules_of(grant: ResolvedGrant, given_at: datetime) -> Iterator[tuple[FormRule | None, ...]]:
    """For each category the form rules of the sender's and the recipient's regime on the day of the consent."""
    for category in grant.categories:
        yield tuple(
            find_rule(
                partner.regime,
                category.slug,
                given_at,
                special=category.special,
                by_its_flow=grant.purpose.flags.flow_itself_is_special,
            )
            for partner in (grant.sender, grant.recipient)
        )


def _gaps(
    grant: ResolvedGrant, found: Sequence[tuple[FormRule | None, ...]], given_at: datetime, pointer: str
) -> Iterator[Fault]:
    for number, pair in enumerate(found):
        for partner, rule in zip((grant.sender, grant.recipient), pair, strict=True):
            if rule is None:
                yield Fault(
                    f"{pointer}/categories/{number}",
                    f"No form rule is known for {partner.regime} on {format_instant(given_at)[:10]}: ask the DPO.",
                    "form_rule_gap",
                    GAP_NORMS.get(partner.regime or "", "Art. 7 Abs. 1 DSGVO"),
                )


def _explicitness(grant: ResolvedGrant, pointer: str) -> Iterator[Fault]:
    if not grant.explicit and is_special(grant):
        yield Fault(
            f"{pointer}/explicit",
            "Special data, and flows that say something special, need the client's explicit yes.",
            "explicit_for_special",
            EXPLICIT_NORM,
        )


def _form(request: ConsentRequest, rules: Sequence[FormRule]) -> Iterator[Fault]:
    """All grants of a consent share one form, so that form must satisfy the strictest rule among them."""
    if not rules:
        return
    strictest = rules[0]
    for rule in rules:
        strictest = stricter(strictest, rule)
    broken = [
        rule
        for rule in rules
        if not form_is_sufficient(
            rule, request.act.method, special_circumstances=request.act.special_circumstances is not None
        )
    ]
    if broken:
        named = strictest if strictest in broken else broken[0]
        yield Fault(
            "/act/method", f"This act does not keep the form {named.form.replace('_', ' ')}.", "form", named.norm
        )


def _capacity(request: ConsentRequest, given_at: datetime, rules: Sequence[FormRule]) -> Iterator[Fault]:
    giver = request.giver
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
        yield from _mandate(giver.mandate_until, given_at)


def _mandate(mandate_until: str | None, given_at: datetime) -> Iterator[Fault]:
    if mandate_until is None:
        yield Fault("/giver/mandate_until", "A mandate needs its end on record.", "mandate", "§§ 1773, 1814 BGB")
    elif parse_instant(mandate_until) <= given_at:
        yield Fault(
            "/giver/mandate_until", "The mandate had ended when the consent was given.", "mandate", "§§ 1773, 1814 BGB"
        )
