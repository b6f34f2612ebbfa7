"""docs/rules.md says every rule the code refuses by, and no other; it is written from the tables, as are the norms."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from tools.rules.page import rules_page

from consent_registry.domain import grant_changes
from consent_registry.domain.findings import KINDS
from consent_registry.domain.flags import CategoryFlags, Policies, PurposeFlags
from consent_registry.domain.law.checklist import CHECKLIST
from consent_registry.domain.law.form_rows import FORM_RULES
from consent_registry.domain.law.information import INFORMATION
from consent_registry.domain.law.norms import EQUIVALENTS
from consent_registry.domain.law.own_consent import OWN_CONSENT_ROWS
from consent_registry.domain.law.representatives import REPRESENTATION_ROWS
from consent_registry.domain.law.rules.all_rules import FINDINGS, RECORDING, REMARKS, RULES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src/consent_registry").rglob("*.py"))
DOCUMENT = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
RULE, NORM = 2, 3  # the places of `rule` and `norm` among a fault's arguments
MAKERS = {"Fault", "refusal", "network_refusal"}
# Rules whose refusals name a norm of their own. Of tables of forms and givers the dated row that is not kept has it.
OF_ROWS = {"form", "form_rule_gap", "capacity", "insight", "representation", "mandate", "care"}
# The statute is in the network's agreement, a hold has its own ground, and so has each row of what must be told and of
# what a text must say.
OWN_NORM = OF_ROWS | {"statutory_flow", "legal_hold", "information_missing", "text_checklist"}


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


def faults_of(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """The rules that a module's faults name, and the norm that a fault names itself; one that is put together is known
    by its beginning.
    """
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in MAKERS:
            given = {argument.arg: argument.value for argument in call.keywords}
            places = dict(enumerate(call.args))
            rule, norm = given.get("rule") or places.get(RULE), given.get("norm") or places.get(NORM)
            own = norm if getattr(call.func, "id", "") == "Fault" else None
            if isinstance(rule, ast.Constant) and isinstance(rule.value, str):
                yield rule.value, own
            elif isinstance(rule, ast.JoinedStr) and ast.unparse(rule) == "f'who_may_{kind.noun}'":
                yield from ((f"who_may_{noun}", None) for noun in nouns_of_acts())
            elif rule is not None and ast.unparse(rule) != "rule":  # a maker of faults passes it on
                raise AssertionError(f"a rule nobody can look up: {ast.unparse(call)}")


def all_faults() -> Iterator[tuple[str, ast.expr | None]]:
    """The faults of every module."""
    return (fault for path in SOURCES for fault in faults_of(ast.parse(path.read_text(encoding="utf-8"))))


def nouns_of_acts() -> set[str]:
    """The nouns of all acts on grants."""
    return {act.noun for act in vars(grant_changes).values() if isinstance(act, grant_changes.GrantAct)}


def test_the_document_is_written_from_the_tables() -> None:
    """`make rules` writes the document that is committed."""
    assert rules_page() == DOCUMENT


def test_every_rule_that_refuses_is_in_the_document_and_the_reverse() -> None:
    """A new rule needs a row; a row whose rule is gone must leave, or say that nothing applies it yet."""
    refusing = {rule for rule, _ in all_faults()}
    assert refusing == {rule.code for rule in RULES.values() if rule.in_use}
    assert refusing == named("What is refused when a consent is recorded", "What is refused elsewhere")


def test_every_rule_is_in_its_section() -> None:
    """And what nothing applies yet in one of its own."""
    recording = {rule.code for rule in RECORDING.values() if rule.in_use}
    assert named("What is refused when a consent is recorded") == recording
    assert named("Remarks") == {rule.code for rule in REMARKS.values() if rule.in_use}
    assert named("Findings") == set(KINDS) == {rule.code for rule in FINDINGS.values() if rule.in_use}
    every = [*RULES.values(), *REMARKS.values(), *FINDINGS.values()]
    assert named("What nothing applies yet") == {rule.code for rule in every if not rule.in_use}


def test_no_refusal_names_a_norm_that_the_table_has() -> None:
    """Norms come from the table, under the regime concerned; a rule without a row there names its own."""
    own = {rule for rule, norm in all_faults() if norm is not None}
    assert own == OWN_NORM
    of_everybody = {rule for rule in own if RULES[rule].regime_of in {"row", "fixed"}}
    assert own - of_everybody == {"statutory_flow", "text_checklist"}


def test_a_rule_that_is_not_documented_is_found() -> None:
    """Control: a fault with another rule yields that rule, with its norm; a rule out of the blue is refused."""
    ((rule, norm),) = faults_of(ast.parse('Fault("/a", "b", "brand_new", "§ 1")'))
    assert rule == "brand_new"
    assert norm is not None
    assert list(faults_of(ast.parse('Fault("/a", detail="b", rule="brand_new")'))) == [("brand_new", None)]
    assert list(faults_of(ast.parse('refusal("/a", "b", "brand_new", now, regime)'))) == [("brand_new", None)]


def test_every_line_says_norm_and_who_confirms() -> None:
    """No cell for the norm is empty, and the last cell of each row of a table of rules is yes or no."""
    for title in (
        "What is refused when a consent is recorded",
        "What is refused elsewhere",
        "What a decision denies",
        "Remarks",
        "Findings",
        "What nothing applies yet",
    ):
        for row in rows(title):
            assert row[-1] in {"yes", "no"}, row
            assert all(row[:4]), row


def test_every_form_rule_is_in_the_document() -> None:
    """Regime, norm and both dates of each row of the code are in one row of the document, and there is no other."""
    told = {(row[0].strip("`"), row[6], row[4], row[5]) for row in rows("Form: how a yes is said")}
    kept = {(rule.regime, rule.norm, str(rule.since), str(rule.until or "")) for rule in FORM_RULES}
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


def test_every_row_of_information_is_in_the_document() -> None:
    """Code, regimes, both dates, norms and who confirms, in the order of the code."""
    told = [(row[0].strip("`"), *row[2:]) for row in rows("Information: what the client must be told")]
    assert told == [
        (
            row.code,
            "any" if row.regimes is None else ", ".join(f"`{regime}`" for regime in sorted(row.regimes)),
            str(row.since),
            "" if row.until is None else str(row.until),
            "; ".join(row.norms),
            "yes" if row.to_be_confirmed else "no",
        )
        for row in INFORMATION
    ]


def test_every_row_of_the_checklist_is_in_the_document() -> None:
    """Item, code, first day, norms and who confirms, in the order of the code."""
    told = [(row[0].strip("`"), row[1].strip("`"), *row[3:]) for row in rows("What a text must say")]
    assert told == [
        (row.item, row.code or "", str(row.since), "; ".join(row.norms), "yes" if row.to_be_confirmed else "no")
        for row in CHECKLIST
    ]


def test_every_norm_is_in_the_document() -> None:
    """Each article with the citations of every regime, and with a mark where they are to be confirmed."""
    shown = {row[0]: row for row in rows("The norms by regime")}
    assert list(shown) == list(EQUIVALENTS)
    for article, equivalent in EQUIVALENTS.items():
        for regime in ("kdg", "dsg_ekd"):
            cells = " ".join(shown[article])
            for row in equivalent.rows[regime]:
                assert all(citation in cells for citation in row.citations)
        assert shown[article][3].endswith("\\*") is (len({row.citations for row in equivalent.rows["kdg"]}) == 1)


def test_every_obligation_is_in_the_document() -> None:
    """By the codes in the module that makes them."""
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
    told = {flag.partition(":")[0] for flag in named("The flags of a catalogue")}
    assert told == flags | {"isolated", "coordinating_post", "entrusted"}
