"""docs/rules.md says every rule the code refuses by, and no other; likewise remarks, obligations, forms and flags."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from consent_registry.domain import grant_changes
from consent_registry.domain.flags import CategoryFlags, Policies, PurposeFlags
from consent_registry.domain.law.form import FORM_RULES
from consent_registry.domain.law.own_consent import OWN_CONSENT_ROWS
from consent_registry.domain.law.remarks import REMARKS
from consent_registry.domain.law.representatives import REPRESENTATION_ROWS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src/consent_registry").rglob("*.py"))
DOCUMENT = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
RULE = 2  # the place of `rule` among a fault's arguments


def section(title: str) -> str:
    """The part of the document below one heading."""
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def named(*titles: str) -> set[str]:
    """The first cells of these sections' tables, as code."""
    return {re.findall(r"`([^`]+)`", row[0])[0] for title in titles for row in rows(title)}


def rules_of(tree: ast.Module) -> Iterator[str]:
    """The rules that a module's faults name; one that is put together is known by its beginning."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in {"Fault", "_fault"}:
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            rule = given.get("rule") or (call.args[RULE] if len(call.args) > RULE else None)
            if isinstance(rule, ast.Constant) and isinstance(rule.value, str):
                yield rule.value
            elif isinstance(rule, ast.JoinedStr) and ast.unparse(rule) == "f'who_may_{kind.noun}'":
                yield from (f"who_may_{noun}" for noun in nouns_of_acts())
            elif rule is not None and ast.unparse(rule) != "rule":  # a module's own maker of faults passes it on
                raise AssertionError(f"a rule nobody can look up: {ast.unparse(call)}")


def nouns_of_acts() -> set[str]:
    """The nouns of all acts on grants."""
    return {value.noun for value in vars(grant_changes).values() if isinstance(value, grant_changes.GrantAct)}


def test_every_rule_that_refuses_is_in_the_document_and_the_reverse() -> None:
    """A new rule needs a line in docs/rules.md; one that is gone must leave it."""
    refusing = {rule for path in SOURCES for rule in rules_of(ast.parse(path.read_text(encoding="utf-8")))}
    assert refusing == named("What is refused when a consent is recorded", "What is refused elsewhere")


def test_a_rule_that_is_not_documented_is_found() -> None:
    """Control: a fault with another rule yields that rule, and a rule out of the blue is refused."""
    assert list(rules_of(ast.parse('Fault("/a", "b", "brand_new", "§ 1")'))) == ["brand_new"]
    assert list(rules_of(ast.parse('Fault("/a", detail="b", rule="brand_new")'))) == ["brand_new"]


def test_every_line_says_norm_and_who_confirms() -> None:
    """No cell for the norm is empty, and the last cell of each row of a table of rules is yes or no."""
    for title in ("What is refused when a consent is recorded", "What is refused elsewhere", "What a decision denies"):
        for row in rows(title):
            assert row[-1] in {"yes", "no"}, row
            assert all(row[:3]), row


def test_every_form_rule_is_in_the_document() -> None:
    """Regime, norm and both dates of each row of the code are in one row of the document, and there is no other."""
    told = {(row[0].strip("`"), row[5], row[3], row[4]) for row in rows("Form: how a yes is said")}
    kept = {
        (rule.regime, rule.norm, str(rule.since), "" if rule.until is None else str(rule.until)) for rule in FORM_RULES
    }
    assert told == kept


def test_every_row_of_who_may_give_is_in_the_document() -> None:
    """Each row of the code with its norm, its days, what it asks for and whether a DPO confirms it, and no other."""
    alone = [
        [
            *(f"`{row.regime}`", f"`{row.age_band}`", row.asks.replace("_", " "), str(row.since)),
            *("" if row.until is None else str(row.until), row.norm, "yes" if row.to_confirm else "no"),
        ]
        for row in OWN_CONSENT_ROWS
    ]
    assert rows("Who may give: the client alone") == alone
    words = {"insight_or_own_yes": "own yes or lacking", "mandate": "end", "four_weeks": "end within four weeks"}
    represented = [
        [
            *(f"`{row.role}`", ", ".join(f"`{band}`" for band in sorted(row.age_bands))),
            *(", ".join(sorted(words.get(asked, asked) for asked in row.asks)), str(row.since)),
            *("" if row.until is None else str(row.until), row.norm, "yes" if row.to_confirm else "no"),
        ]
        for row in REPRESENTATION_ROWS
    ]
    assert rows("Who may give: representatives") == represented


def test_every_remark_and_obligation_is_in_the_document() -> None:
    """With its norm; obligations by the codes in the module that makes them."""
    assert {(re.findall(r"`([^`]+)`", row[0])[0], row[2]) for row in rows("Remarks")} == {
        (remark.code, remark.norm) for remark in REMARKS.values()
    }
    made = ast.parse((ROOT / "src/consent_registry/domain/obligations.py").read_text(encoding="utf-8"))
    codes = {
        call.args[0].value
        for call in ast.walk(made)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Obligation"
        if isinstance(call.args[0], ast.Constant)
    }
    assert named("Obligations") == codes


def test_every_flag_is_in_the_document() -> None:
    """Each flag that a document of a network may set, and the two of partners."""
    flags = {field.name for kind in (CategoryFlags, PurposeFlags, Policies) for field in msgspec.structs.fields(kind)}
    told = {rule.partition(":")[0] for rule in named("The flags of a catalogue")}
    assert told == flags | {"isolated", "coordinating_post", "entrusted"}
