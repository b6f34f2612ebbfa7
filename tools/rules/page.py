"""docs/rules.md: the template with its tables filled in."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from consent_registry.domain.law.checklist import CHECKLIST
from consent_registry.domain.law.form_rows import FORM_RULES, FormRule
from consent_registry.domain.law.information import INFORMATION
from consent_registry.domain.law.norms import EQUIVALENTS, Equivalent
from consent_registry.domain.law.own_consent import OWN_CONSENT_ROWS
from consent_registry.domain.law.representatives import REPRESENTATION_ROWS
from consent_registry.domain.law.rules.all_rules import FINDINGS, RECORDING, REMARKS, RULES
from consent_registry.domain.law.rules.rule import Rule
from tools.rules.cells import table
from tools.rules.giver_tables import own_consent_table, representation_table
from tools.rules.norm_cells import dated_cell, norm_cell
from tools.rules.text_tables import checklist_table, information_table

TEMPLATE = Path(__file__).with_name("template.md")
WRITTEN = "<!-- Written by `make rules` from src/consent_registry/domain/law and tools/rules/template.md. -->"
CHURCHES = ("kdg", "dsg_ekd")


def rules_page() -> str:
    """The whole page."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, filled in tables().items():
        text = text.replace(f"{{{{{name}}}}}", filled)
    return text.replace("{{written}}", WRITTEN)


def tables() -> Mapping[str, str]:
    """The tables by the name of their place in the template."""
    elsewhere = [rule for code, rule in RULES.items() if code not in RECORDING]
    kinds = {"rule": RULES.values(), "remark": REMARKS.values(), "finding": FINDINGS.values()}
    coming = [(kind, rule) for kind, rules in kinds.items() for rule in rules if not rule.in_use]
    return {
        "form": _form_table(FORM_RULES),
        "own_consent": own_consent_table(OWN_CONSENT_ROWS),
        "representation": representation_table(REPRESENTATION_ROWS),
        "information": information_table(INFORMATION),
        "checklist": checklist_table(CHECKLIST),
        "recording": _rules_table("rule", RECORDING.values()),
        "elsewhere": _rules_table("rule", elsewhere),
        "remarks": _rules_table("remark", REMARKS.values()),
        "findings": _rules_table("finding", FINDINGS.values()),
        "coming": table(
            ("rule", "what it asks for", "what to do", "norm", "DPO"),
            [[f"{kind} `{rule.code}`", *_cells(rule)[1:]] for kind, rule in coming],
        ),
        "norms": _norms_table(EQUIVALENTS.values()),
    }


def _rules_table(kind: str, rules: Iterable[Rule]) -> str:
    heads = (kind, "what it asks for" if kind == "rule" else "what it says", "what to do", "norm", "DPO")
    return table(heads, [_cells(rule) for rule in rules if rule.in_use])


def _cells(rule: Rule) -> list[str]:
    where = f"<br>{rule.where}" if rule.where else ""
    return [
        f"`{rule.code}`{where}",
        f"{rule.asks_en}<br>*{rule.asks_de}*",
        f"{rule.cure_en}<br>*{rule.cure_de}*",
        norm_cell(rule),
        "yes" if rule.dpo_confirms else "no",
    ]


def _norms_table(equivalents: Iterable[Equivalent]) -> str:
    rows = []
    for equivalent in equivalents:
        beside = [dated_cell(equivalent.rows[regime]) for regime in ("sgb_x", "dsg_nrw")]
        cells = ["" if cell == equivalent.article else cell.removeprefix(f"{equivalent.article}; ") for cell in beside]
        rows.append([equivalent.article, *cells, *(dated_cell(equivalent.rows[regime]) for regime in CHURCHES)])
    return table(("`gdpr_bdsg`", "beside it `sgb_x`", "beside it `dsg_nrw`", "`kdg`", "`dsg_ekd`"), rows)


def _form_table(rules: Iterable[FormRule]) -> str:
    heads = ("regime", "data", "form of the law", "form of the register", "from", "until", "norm", "DPO")
    return table(heads, [_form_cells(rule) for rule in rules])


def _form_cells(rule: FormRule) -> list[str]:
    named = ", ".join(f"`{category}`" for category in sorted(rule.categories or ()))
    data = named or {None: "any", True: "special", False: "not special"}[rule.special]
    forms = [(form or "").replace("_", " ") for form in (rule.form, rule.register_form)]
    days = [str(rule.since), str(rule.until or "")]
    return [f"`{rule.regime}`", data, *forms, *days, rule.norm, "yes" if rule.to_confirm else "no"]
