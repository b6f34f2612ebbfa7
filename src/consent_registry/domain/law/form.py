"""The form of a consent: dated rules for each data-protection regime (docs/rules.md; a DPO must confirm them).

The rules of the sender's and of the recipient's regime apply, as of the day of the consent; the stricter one wins. If a
regime has no rule for that day, the consent is refused and the answer names the gap.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Literal

from consent_registry.domain.errors import Fault
from consent_registry.domain.instants import format_instant
from consent_registry.domain.law.dated import Dated
from consent_registry.domain.law.norms import norms_of
from consent_registry.domain.law.proposed import Method, ProposedConsent, ProposedGrant

Form = Literal["written", "written_or_electronic", "written_or_electronic_preferred", "provable"]

# A regime that has no form rule on the day of the consent is cited with its equivalent of this.
PROOF = "Art. 7 Abs. 1 DSGVO"
# The strictest first.
FORMS: tuple[Form, ...] = ("written", "written_or_electronic", "written_or_electronic_preferred", "provable")
DURABLE: frozenset[Method] = frozenset({"written", "signature_pad", "electronic"})


class FormRule(Dated, frozen=True, kw_only=True):
    """One dated rule of a regime: the form of a consent.

    `categories` None means any. `special` limits the rule to special categories (Art. 9 DSGVO) or to the others.
    `other_form_if_special_circumstances` accepts another form if the circumstances are recorded.
    """

    regime: str
    form: Form
    norm: str
    special: bool | None = None
    categories: frozenset[str] | None = None
    other_form_if_special_circumstances: bool = False

    def covers(self, category: str, *, special: bool, by_its_flow: bool = False) -> bool:
        """Whether the rule applies to this data category. `by_its_flow`: the mere transfer reveals special data."""
        if by_its_flow:
            return self.special is not False
        if self.categories is not None:
            return category in self.categories
        return self.special is None or self.special == special


FORM_RULES: tuple[FormRule, ...] = (
    FormRule(
        regime="sgb_x",
        special=False,
        form="written_or_electronic_preferred",
        norm="§ 67b Abs. 2 Satz 1 SGB X",
        since=date(2018, 5, 25),
    ),
    FormRule(
        regime="sgb_x",
        categories=frozenset({"health", "mental-health", "protected-identity"}),
        form="written_or_electronic",
        other_form_if_special_circumstances=True,
        norm="§ 67b Abs. 2 Satz 2 SGB X",
        since=date(2018, 5, 25),
    ),
    FormRule(regime="gdpr_bdsg", form="provable", norm="Art. 7 Abs. 1 DSGVO", since=date(2018, 5, 25)),
    FormRule(
        regime="kdg",
        form="written",
        other_form_if_special_circumstances=True,
        norm="§ 8 Abs. 2 KDG (2018)",
        since=date(2018, 5, 24),
        until=date(2026, 2, 28),
    ),
    FormRule(regime="kdg", form="provable", norm="§ 8 KDG (2026)", since=date(2026, 3, 1)),
    FormRule(
        regime="dsg_ekd",
        form="provable",
        norm="§ 11 DSG-EKD",
        since=date(2025, 5, 1),
    ),
    FormRule(regime="dsg_nrw", form="provable", norm="Art. 7 Abs. 1 DSGVO, DSG NRW", since=date(2018, 5, 25)),
)


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
    """The rule that requires the stricter form; `first` if both require the same."""
    return second if FORMS.index(second.form) < FORMS.index(first.form) else first


def form_is_sufficient(rule: FormRule, method: Method, *, special_circumstances: bool) -> bool:
    """Whether a consent by this method has the form that the rule requires. `provable` accepts every method, because
    the record always names who explained.
    """
    if rule.form == "provable":
        return True
    if method == "written" or (method in DURABLE and rule.form != "written"):
        return True
    if rule.form == "written_or_electronic_preferred":
        return special_circumstances
    return special_circumstances and rule.other_form_if_special_circumstances


def _rules_of_consent(consent: ProposedConsent) -> list[FormRule]:
    """The form rules that the given grants of a consent must keep, those of senders and of recipients."""
    found = (pair for grant in consent.given for pair in _rules_of(grant, consent.act.given_at))
    return [rule for pair in found for rule in pair if rule is not None]


def form_refusals(consent: ProposedConsent) -> Iterator[Fault]:
    """The faults in the form of a consent and in its explicitness. A refused grant needs no form."""
    for number, grant in enumerate(consent.grants):
        if grant.answer == "given":
            pointer = f"/grants/{number}"
            yield from _gaps(grant, list(_rules_of(grant, consent.act.given_at)), consent.act.given_at, pointer)
            yield from _explicitness(grant, pointer)
    yield from _form(consent, _rules_of_consent(consent))


def _rules_of(grant: ProposedGrant, given_at: datetime) -> Iterator[tuple[FormRule | None, ...]]:
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
    grant: ProposedGrant, found: Sequence[tuple[FormRule | None, ...]], given_at: datetime, pointer: str
) -> Iterator[Fault]:
    for number, pair in enumerate(found):
        for partner, rule in zip((grant.sender, grant.recipient), pair, strict=True):
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


def _form(consent: ProposedConsent, rules: Sequence[FormRule]) -> Iterator[Fault]:
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
            rule, consent.act.method, special_circumstances=consent.act.special_circumstances is not None
        )
    ]
    if broken:
        named = strictest if strictest in broken else broken[0]
        yield Fault(
            "/act/method", f"This act does not keep the form {named.form.replace('_', ' ')}.", "form", named.norm
        )
