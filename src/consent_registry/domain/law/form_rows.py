"""The forms that consents need, as dated rows for each data-protection regime (docs/rules.md).

That the register asks for paper or an electronic form for all special data is a rule of its own. The laws ask for it
only where a row's `form` says so. No data-protection officer loosens a row: those of both sides must be kept.
"""

from typing import Literal

from consent_registry.domain.law.dated import Dated
from consent_registry.domain.law.norms import (
    CHURCHES,
    DSG_EKD_OF_2017_ENDS,
    DSG_EKD_OF_2025_BEGINS,
    GDPR,
    KDG_OF_2018_ENDS,
    KDG_OF_2026_BEGINS,
)

Form = Literal["written", "written_or_electronic", "written_or_electronic_preferred", "provable"]

# The strictest first.
FORMS: tuple[Form, ...] = ("written", "written_or_electronic", "written_or_electronic_preferred", "provable")
# Data about health (Art. 4 Nr. 15 DSGVO).
HEALTH = frozenset({"health", "mental-health"})


class FormRule(Dated, frozen=True, kw_only=True):
    """One dated row of a regime: the form of a consent by law, and the stricter form of the register's own rule.

    `special` limits the row to special categories (Art. 9 DSGVO) or to the others, `categories` to these; None means
    any. `other_form_if_special_circumstances` accepts another form if the circumstances are recorded. `to_confirm`: a
    data-protection officer confirms the row before a network goes live.
    """

    regime: str
    form: Form
    norm: str
    register_form: Form | None = None
    special: bool | None = None
    categories: frozenset[str] | None = None
    other_form_if_special_circumstances: bool = False
    to_confirm: bool = False

    @property
    def required(self) -> Form:
        """The form that a consent must have: the law's, or the register's where that is stricter."""
        return self.register_form or self.form

    def covers(self, category: str, *, special: bool, by_its_flow: bool = False) -> bool:
        """Whether the row is for this data category. `by_its_flow`: the mere transfer reveals data about health."""
        if by_its_flow:
            return self.special is not False and (self.categories is None or bool(self.categories & HEALTH))
        if self.categories is not None:
            return category in self.categories
        return self.special is None or self.special == special


FORM_RULES: tuple[FormRule, ...] = (
    FormRule(
        regime="sgb_x",
        special=False,
        form="written_or_electronic_preferred",
        norm="§ 67b Abs. 2 Satz 1 SGB X",
        since=GDPR,
    ),
    FormRule(
        regime="sgb_x",
        categories=HEALTH,
        form="written_or_electronic",
        other_form_if_special_circumstances=True,
        norm="§ 67b Abs. 2 Satz 2 SGB X; Art. 9 Abs. 2 lit. a DSGVO",
        since=GDPR,
    ),
    # Sentence 2 names genetic, biometric and health data, and not these.
    FormRule(
        regime="sgb_x",
        categories=frozenset({"protected-identity"}),
        form="written_or_electronic_preferred",
        register_form="written_or_electronic",
        other_form_if_special_circumstances=True,
        norm="§ 67b Abs. 2 Satz 1 SGB X; Art. 9 Abs. 2 lit. a DSGVO",
        since=GDPR,
    ),
    FormRule(regime="gdpr_bdsg", special=False, form="provable", norm="Art. 7 Abs. 1 DSGVO", since=GDPR),
    FormRule(
        regime="gdpr_bdsg",
        special=True,
        form="provable",
        register_form="written_or_electronic",
        other_form_if_special_circumstances=True,
        norm="Art. 7 Abs. 1 DSGVO; Art. 9 Abs. 2 lit. a DSGVO",
        since=GDPR,
    ),
    FormRule(regime="dsg_nrw", special=False, form="provable", norm="Art. 7 Abs. 1 DSGVO", since=GDPR),
    FormRule(
        regime="dsg_nrw",
        special=True,
        form="provable",
        register_form="written_or_electronic",
        other_form_if_special_circumstances=True,
        norm="Art. 7 Abs. 1 DSGVO; Art. 9 Abs. 2 lit. a DSGVO",
        since=GDPR,
    ),
    FormRule(
        regime="kdg",
        special=False,
        form="written",
        other_form_if_special_circumstances=True,
        norm="§ 8 Abs. 2 Satz 1 KDG",
        since=CHURCHES,
        until=KDG_OF_2018_ENDS,
    ),
    FormRule(
        regime="kdg",
        special=True,
        form="written",
        other_form_if_special_circumstances=True,
        norm="§ 8 Abs. 2 Satz 1 KDG; § 8 Abs. 4 KDG; § 11 Abs. 2 lit. a KDG",
        since=CHURCHES,
        until=KDG_OF_2018_ENDS,
    ),
    # Enacted by each diocese: a row of its own for a diocese where it began on another day.
    FormRule(
        regime="kdg",
        special=False,
        form="provable",
        norm="§ 8 Abs. 1 KDG",
        since=KDG_OF_2026_BEGINS,
        to_confirm=True,
    ),
    FormRule(
        regime="kdg",
        special=True,
        form="provable",
        register_form="written_or_electronic",
        other_form_if_special_circumstances=True,
        norm="§ 8 Abs. 1 KDG; § 11 Abs. 2 lit. a KDG",
        since=KDG_OF_2026_BEGINS,
        to_confirm=True,
    ),
    FormRule(
        regime="dsg_ekd",
        form="provable",
        norm="§ 11 Abs. 1 DSG-EKD",
        since=CHURCHES,
        until=DSG_EKD_OF_2017_ENDS,
        to_confirm=True,
    ),
    FormRule(
        regime="dsg_ekd",
        special=False,
        form="provable",
        norm="§ 11 Abs. 1 DSG-EKD",
        since=DSG_EKD_OF_2025_BEGINS,
        to_confirm=True,
    ),
    FormRule(
        regime="dsg_ekd",
        special=True,
        form="provable",
        register_form="written_or_electronic",
        other_form_if_special_circumstances=True,
        norm="§ 11 Abs. 1 DSG-EKD; § 13 Abs. 2 Nr. 1 DSG-EKD",
        since=DSG_EKD_OF_2025_BEGINS,
        to_confirm=True,
    ),
)
