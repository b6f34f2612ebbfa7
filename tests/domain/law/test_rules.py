"""Each rule cites the norm of the table, under the regimes of those whose law it is; written by hand here."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consent_registry.domain.law.norms import EQUIVALENTS, norms_of
from consent_registry.domain.law.rules.all_rules import FINDINGS, REMARKS, RULES, finding_norm, network_refusal, refusal
from consent_registry.domain.law.rules.rule import Rule

# Code | whose law | article of the GDPR, or what is cited for everybody. A remark or a finding says so before its code.
TABLE = """
form | row | -
form_rule_gap | row | -
explicit_for_special | both | Art. 9 Abs. 2 lit. a DSGVO
capacity | row | -
representation | fixed | § 1626 BGB; § 1789 BGB; § 1814 BGB
mandate | fixed | § 1773 BGB; § 1815 BGB
adult_from | fixed | § 2 BGB; § 1626 Abs. 1 BGB
adult_from_contradicts | recorder | Art. 5 Abs. 1 lit. d DSGVO
care | fixed | § 1627 BGB; § 1629 Abs. 1 BGB
insight | row | -
refused_by_person_with_insight | both | Art. 4 Nr. 11 DSGVO
entrusting_person | fixed | § 65 Abs. 1 Satz 1 Nr. 1 SGB VIII
release_needed | fixed | § 203 Abs. 1 StGB
released_party | fixed | § 203 Abs. 1 StGB
caller_takes_part | recorder | Art. 5 Abs. 2 DSGVO
client_registered | recorder | Art. 7 Abs. 1 DSGVO
client_not_known_here | sender | Art. 7 Abs. 1 DSGVO
given_at | recorder | Art. 7 Abs. 1 DSGVO
evidence | recorder | Art. 7 Abs. 1 DSGVO
evidence_follows | recorder | Art. 7 Abs. 1 DSGVO
valid_from | sender | Art. 6 Abs. 1 lit. a DSGVO
valid_until | sender | Art. 5 Abs. 1 lit. e DSGVO
text_published | recorder | Art. 7 Abs. 1 DSGVO
text_not_in_use | recorder | Art. 7 Abs. 1 DSGVO
text_does_not_cover | sender | Art. 4 Nr. 11 DSGVO
text_language | recorder | Art. 12 Abs. 1 DSGVO
text_void | recorder | Art. 7 Abs. 2 DSGVO
text_stale | recorder | Art. 12 Abs. 1 DSGVO
text_checklist | recorder | Art. 13 DSGVO
text_form | fixed | Art. 7 Abs. 1 DSGVO
text_names | fixed | § 67b Abs. 2 Satz 3 SGB X; Art. 4 Nr. 11 DSGVO; Art. 13 Abs. 1 DSGVO
text_informs | fixed | Art. 7 Abs. 1 DSGVO
text_blanket | fixed | Art. 4 Nr. 11 DSGVO
text_statutory | fixed | Art. 5 Abs. 1 lit. a DSGVO
interpreter_language | recorder | Art. 12 Abs. 1 DSGVO
interpreter_required | recorder | Art. 12 Abs. 1 DSGVO
client_language | recorder | Art. 12 Abs. 1 DSGVO
information_missing | row | -
partner_selectable | recorder | Art. 4 Nr. 7 DSGVO
category_of_purpose | sender | Art. 5 Abs. 1 lit. c DSGVO
flow_in_agreement | network | -
statutory_flow | sender | Art. 5 Abs. 1 lit. a DSGVO
never_shared | fixed | § 203 Abs. 1 StGB; § 65 Abs. 1 SGB VIII
own_tick | both | Art. 9 Abs. 2 lit. a DSGVO
attendance_only | sender | Art. 5 Abs. 1 lit. c DSGVO
participant_named_once | sender | Art. 4 Nr. 11 DSGVO
conference_end | sender | Art. 5 Abs. 1 lit. b DSGVO
separate_sheet | recorder | Art. 7 Abs. 2 DSGVO
isolated_partner | both | Art. 5 Abs. 2 DSGVO
third_parties | sender | Art. 6 Abs. 1 lit. a DSGVO
renewal_widens | recorder | Art. 7 Abs. 1 DSGVO
renewal_revives | recorder | Art. 7 Abs. 3 DSGVO
renewal_refused | recorder | Art. 7 Abs. 3 DSGVO
who_may_confirmation | sender | Art. 5 Abs. 2 DSGVO
who_may_ending | caller | Art. 5 Abs. 1 lit. e DSGVO
who_may_invalidation | caller | Art. 7 Abs. 1 DSGVO
who_may_restriction | caller | Art. 18 DSGVO
who_may_restriction_lifting | caller | Art. 18 Abs. 3 DSGVO
link_code_usable | caller | Art. 5 Abs. 1 lit. f DSGVO
german_reference | recorder | Art. 12 Abs. 1 DSGVO
not_a_purpose | sender | Art. 5 Abs. 1 lit. b DSGVO
legal_hold | row | -
erasure_ground | partner | Art. 17 Abs. 1 DSGVO
dpo_of_partner | partner | Art. 38 Abs. 6 DSGVO
coordinating_post | partner | Art. 5 Abs. 1 lit. c DSGVO
remark interpreter_mismatch | recorder | Art. 12 Abs. 1 DSGVO
remark text_out_of_use | recorder | Art. 7 Abs. 1 DSGVO
remark text_published_later | recorder | Art. 7 Abs. 1 DSGVO
remark withdrawn_since | sender | Art. 7 Abs. 3 DSGVO
remark mandate_ends_first | fixed | § 2 BGB; § 1773 BGB; § 1815 BGB
remark guardian_is_recipient | fixed | § 1789 Abs. 2 BGB
remark lay_interpreter | both | Art. 9 Abs. 2 lit. a DSGVO
remark family_interpreter | recorder | Art. 7 Abs. 4 DSGVO
remark age_band_contradicts | recorder | Art. 5 Abs. 1 lit. d DSGVO
finding basis_switched | sender | Art. 5 Abs. 1 lit. a DSGVO
finding statute_doubtful | sender | Art. 5 Abs. 2 DSGVO
finding override_unreviewed | sender | Art. 5 Abs. 2 DSGVO
finding transfer_broader | sender | Art. 5 Abs. 1 lit. c DSGVO
finding undertaking_missing | fixed | § 78 Abs. 1 Satz 2 SGB X
finding evidence_repeated | recorder | Art. 7 Abs. 1 DSGVO
finding acknowledgement_overdue | recipient | Art. 19 DSGVO
finding error_reported | recorder | Art. 18 DSGVO
renewal_of_newest | recorder | Art. 7 Abs. 1 DSGVO
renewal_gap | recorder | Art. 7 Abs. 1 DSGVO
renewal_gives_nothing | recorder | Art. 7 Abs. 1 DSGVO
text_days | fixed | Art. 7 Abs. 1 DSGVO
text_characters | fixed | Art. 7 Abs. 1 DSGVO
text_length | fixed | Art. 7 Abs. 1 DSGVO
dpo_approval | both | Art. 5 Abs. 2 DSGVO
log_origin | network | -
links_of_one_client | caller | Art. 5 Abs. 1 lit. d DSGVO
who_may_reissue | caller | Art. 7 Abs. 3 DSGVO
approval_needed | partner | Art. 39 DSGVO
approval_direction | partner | Art. 5 Abs. 2 DSGVO
approval_end | partner | Art. 6 Abs. 1 lit. a DSGVO
reserved_slug | network | -
idempotency_key | network | -
remark ask_again_at_15 | fixed | § 36 Abs. 1 Satz 1 SGB I
remark ask_again_at_14 | fixed | § 12 DSG-EKD; § 5 RelKErzG
remark adult_in_childrens_data | recorder | Art. 5 Abs. 1 lit. d DSGVO
remark entrusted_by_unstated | fixed | § 65 Abs. 1 Satz 1 Nr. 1 SGB VIII
remark third_parties_unstated | sender | Art. 6 Abs. 1 lit. a DSGVO
finding transfer_without_permit | sender | Art. 6 Abs. 1 lit. a DSGVO; Art. 5 Abs. 2 DSGVO
finding transfer_after_withdrawal | sender | Art. 7 Abs. 3 DSGVO
finding transfer_on_void_grant | sender | Art. 6 Abs. 1 lit. a DSGVO; Art. 17 Abs. 1 DSGVO
finding transfer_under_restriction | sender | Art. 18 DSGVO
finding transfer_before_permit | sender | Art. 6 Abs. 1 lit. a DSGVO
finding transfer_after_ending | sender | Art. 5 Abs. 1 lit. b DSGVO
finding transfer_after_expiry | sender | Art. 5 Abs. 1 lit. a DSGVO
finding permit_unreported | sender | Art. 5 Abs. 2 DSGVO
finding permit_on_undone_link | sender | Art. 5 Abs. 1 lit. d DSGVO
finding evidence_missing | recorder | Art. 7 Abs. 1 DSGVO
finding refusal_overridden | sender | Art. 4 Nr. 11 DSGVO
finding age_band_contradicts | recorder | Art. 5 Abs. 1 lit. d DSGVO
finding lookups_refused | caller | Art. 5 Abs. 1 lit. f DSGVO; Art. 32 DSGVO
finding lookups_without_transfer | caller | Art. 5 Abs. 1 lit. c DSGVO
finding receipt_codes_guessed | caller | Art. 5 Abs. 1 lit. f DSGVO; Art. 32 DSGVO
finding link_codes_guessed | caller | Art. 5 Abs. 1 lit. f DSGVO; Art. 32 DSGVO
"""
ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in TABLE.strip().splitlines()]
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
KINDS = {"remark": REMARKS, "finding": FINDINGS}


def test_the_table_has_every_row_once() -> None:
    """No rule, remark or finding is missing here, and none is here that is gone."""
    kinds = {"": RULES, "remark ": REMARKS, "finding ": FINDINGS}
    codes = [f"{kind}{code}" for kind, rules in kinds.items() for code in rules]
    assert sorted(row[0] for row in ROWS) == sorted(codes)


def found(code: str) -> Rule:
    """The rule, remark or finding of a row."""
    kind, _, name = code.rpartition(" ")
    return KINDS[kind][name] if kind else RULES[name]


@pytest.mark.parametrize(("code", "regime_of", "norms"), ROWS)
def test_a_row_of_the_table(code: str, regime_of: str, norms: str) -> None:
    """Whose law a rule cites, and which articles or norms."""
    rule = found(code)
    assert rule.regime_of == regime_of
    assert "; ".join(rule.norms) == ("" if norms == "-" else norms)


@pytest.mark.parametrize("rule", [*RULES.values(), *REMARKS.values(), *FINDINGS.values()], ids=lambda rule: rule.code)
def test_every_rule_says_what_it_asks_for_and_what_to_do(rule: Rule) -> None:
    """In German and in English, in a sentence; its articles are rows of the table of norms."""
    for said in (rule.asks_en, rule.asks_de, rule.cure_en, rule.cure_de):
        assert said.endswith("."), said
    assert (rule.regime_of in {"row", "network"}) == (rule.norms == ())
    assert rule.regime_of == "fixed" or set(rule.norms) <= set(EQUIVALENTS)


def test_the_page_says_who_confirms_what_is_in_use_and_where() -> None:
    """Each row of docs/rules.md: the place beside the code, whether a DPO confirms it, and the section of the rest."""
    page = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    for title, rules in (("Remarks", REMARKS), ("Findings", FINDINGS), ("What is refused", RULES)):
        rows = dict(re.findall(r"^\| `(\w+)`(.*)$", _sections(page, title), flags=re.MULTILINE))
        assert set(rows) == {rule.code for rule in rules.values() if rule.in_use}
        for code, row in rows.items():
            assert row.endswith(f" | {'yes' if rules[code].dpo_confirms else 'no'} |"), code
            assert row.startswith(f"<br>{rules[code].where} |" if rules[code].where else " | "), code


def _sections(page: str, title: str) -> str:
    """The sections whose heading begins with these words."""
    return "".join(part for part in page.split("\n## ") if part.startswith(title))


def test_whose_law_is_cited() -> None:
    """Of the recorder, of one side, of both, or the same for everybody."""
    flows = [("sgb_x", "kdg"), ("sgb_x", "dsg_ekd")]
    cited = {code: RULES[code].norm_between(NOW, "dsg_nrw", flows) for code in RULES}
    assert cited["separate_sheet"] == "Art. 7 Abs. 2 DSGVO"
    assert cited["third_parties"] == "Art. 6 Abs. 1 lit. a DSGVO; § 67b Abs. 2 SGB X"
    assert cited["own_tick"] == (
        "Art. 9 Abs. 2 lit. a DSGVO; § 67b Abs. 2 Satz 2 SGB X; § 11 Abs. 2 lit. a KDG; § 13 Abs. 2 Nr. 1 DSG-EKD"
    )
    assert cited["released_party"] == "§ 203 Abs. 1 StGB"
    assert cited["flow_in_agreement"] is None
    assert cited["form"] is None
    assert FINDINGS["acknowledgement_overdue"].norm_between(NOW, "sgb_x", flows) == "§ 21 KDG; § 23 DSG-EKD"
    assert RULES["third_parties"].norm_between(NOW, "kdg", []) == "§ 6 Abs. 1 lit. b KDG"


def test_the_day_decides_which_act_is_cited() -> None:
    """The KDG of 2018 until the last microsecond of February 2026, German time."""
    march = datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert RULES["evidence"].norm(march, ["kdg"]) == "§ 8 Abs. 1 KDG"
    assert RULES["evidence"].norm(march.replace(hour=22, minute=59), ["kdg"]) == "§ 8 Abs. 5 KDG"


def test_refusals_of_partners_and_of_the_network() -> None:
    """A partner is told its own law; the administration the article; a finding is cited by its reader's law."""
    fault = refusal("/text", "No.", "text_void", NOW, "dsg_ekd")
    assert (fault.pointer, fault.detail, fault.rule, fault.norm) == ("/text", "No.", "text_void", "§ 11 Abs. 2 DSG-EKD")
    assert network_refusal("", "No.", "not_a_purpose").norm == norms_of(["Art. 5 Abs. 1 lit. b DSGVO"], [None], NOW)
    assert network_refusal("", "No.", "idempotency_key").norm is None
    assert finding_norm("transfer_after_withdrawal", NOW, "kdg") == "§ 8 Abs. 3 KDG"
