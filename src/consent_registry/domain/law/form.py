"""The form of a consent and its explicitness, by the rows of the sender's and the recipient's regime (docs/rules.md).

The rows as of the day of the consent apply; the stricter one wins. If a regime has no row for that day, the consent is
refused and the answer names the gap.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.catalogue import Category
from consent_registry.domain.errors import Fault
from consent_registry.domain.instants import format_instant
from consent_registry.domain.law.form_rows import FORM_RULES, FORMS, HEALTH, FormRule
from consent_registry.domain.law.norms import norms_of
from consent_registry.domain.law.proposed import Method, ProposedConsent, ProposedGrant, SpecialCircumstances

# A regime that has no form rule on the day of the consent is cited with its equivalent of this.
PROOF = "Art. 7 Abs. 1 DSGVO"
DURABLE: frozenset[Method] = frozenset({"written", "signature_pad", "electronic"})


class _NeededForm(msgspec.Struct, frozen=True):
    """A row that a consent must keep, and whether it is for data about health."""

    rule: FormRule
    is_health: bool

    def is_kept(self, method: Method, circumstances: SpecialCircumstances | None) -> bool:
        """Whether a consent by this method in these circumstances keeps it."""
        counts = circumstances_count(circumstances, is_health=self.is_health)
        return form_is_sufficient(self.rule, method, special_circumstances=counts)


def find_rule(
    regime: str | None, category: str, at: datetime, *, special: bool, by_its_flow: bool = False
) -> FormRule | None:
    """The rule of a regime for a data category at an instant; None if the regime has none."""
    for rule in FORM_RULES:
        covers = rule.covers(category, special=special, by_its_flow=by_its_flow)
        if rule.regime == regime and rule.holds(at) and covers:
            return rule
    return None


def stricter(first: FormRule, second: FormRule) -> FormRule:
    """The rule that requires the stricter form; of equal ones that whose law does, else `first`."""
    return min(first, second, key=lambda rule: (FORMS.index(rule.required), FORMS.index(rule.form)))


def circumstances_count(circumstances: SpecialCircumstances | None, *, is_health: bool) -> bool:
    """Whether special circumstances allow another form. `other` says too little for data about health."""
    return circumstances is not None and not (is_health and circumstances == "other")


def form_is_sufficient(rule: FormRule, method: Method, *, special_circumstances: bool) -> bool:
    """Whether a consent by this method has the form that the rule requires. `provable` accepts every method, because
    the record always names who explained. A signature on a device is no written form (§ 126 BGB).
    """
    if rule.required == "provable" or method == "written":
        return True
    if method in DURABLE and rule.required != "written":
        return True
    if rule.required == "written_or_electronic_preferred":
        return special_circumstances
    return special_circumstances and rule.other_form_if_special_circumstances


def form_refusals(consent: ProposedConsent) -> Iterator[Fault]:
    """The faults in the form of a consent and in its explicitness. A refused grant needs no form."""
    needed: list[_NeededForm] = []
    for number, grant in enumerate(consent.grants):
        if grant.answer == "given":
            pointer = f"/grants/{number}"
            yield from _gaps(grant, consent.act.given_at, pointer)
            yield from _explicitness(grant, pointer)
            needed += _needed_forms(grant, consent.act.given_at)
    yield from _form(consent, needed)


def _rules_for(grant: ProposedGrant, category: Category, given_at: datetime) -> list[FormRule | None]:
    """The form rules of the sender's and of the recipient's regime for a category on the day of the consent."""
    by_its_flow = grant.purpose.flags.flow_itself_is_special
    return [
        find_rule(partner.regime, category.slug, given_at, special=category.special, by_its_flow=by_its_flow)
        for partner in (grant.sender, grant.recipient)
    ]


def _needed_forms(grant: ProposedGrant, given_at: datetime) -> Iterator[_NeededForm]:
    for category in grant.categories:
        is_health = grant.purpose.flags.flow_itself_is_special or category.slug in HEALTH
        for rule in _rules_for(grant, category, given_at):
            if rule is not None:
                yield _NeededForm(rule, is_health)


def _gaps(grant: ProposedGrant, given_at: datetime, pointer: str) -> Iterator[Fault]:
    for number, category in enumerate(grant.categories):
        rules = _rules_for(grant, category, given_at)
        for partner, rule in zip((grant.sender, grant.recipient), rules, strict=True):
            if rule is None:
                yield Fault(
                    f"{pointer}/categories/{number}",
                    f"No form rule is known for {partner.regime} on {format_instant(given_at)[:10]}: ask the DPO.",
                    "form_rule_gap",
                    norms_of([PROOF], [partner.regime], given_at),
                )


def _explicitness(grant: ProposedGrant, pointer: str) -> Iterator[Fault]:
    if not grant.explicit and grant.is_special:
        yield Fault(
            f"{pointer}/explicit",
            "Special data, and flows that say something special, need the client's explicit yes.",
            "explicit_for_special",
        )


def _form(consent: ProposedConsent, needed: Sequence[_NeededForm]) -> Iterator[Fault]:
    """All grants of a consent share one form, so that form must keep every row; the strictest that is not is named."""
    act = consent.act
    broken = [form.rule for form in needed if not form.is_kept(act.method, act.special_circumstances)]
    if broken:
        named = broken[0]
        for rule in broken:
            named = stricter(named, rule)
        yield Fault("/act/method", _detail(named), "form", named.norm)


def _detail(rule: FormRule) -> str:
    whose = "" if rule.register_form is None else ", which is a rule of the register"
    return f"This act does not keep the form {rule.required.replace('_', ' ')}{whose}."
