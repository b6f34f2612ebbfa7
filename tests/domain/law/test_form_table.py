"""The form rules as one table: every row of docs/rules.md with every method, kind of data, explicitness and age.

The expected faults are computed here from the text of docs/rules.md, without the rules in the code.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product

import msgspec
import pytest

from consent_registry.domain.catalogue import Category, Purpose
from consent_registry.domain.errors import Fault
from consent_registry.domain.flags import PurposeFlags
from consent_registry.domain.law.capacity import capacity_refusals
from consent_registry.domain.law.citations import with_norms
from consent_registry.domain.law.form import form_refusals
from consent_registry.domain.law.proposed import (
    ClientAct,
    Giver,
    Information,
    Interpreter,
    ProposedConsent,
    ProposedGrant,
    ShownText,
)
from tests.domain.cases import day, partner

EKD_OLD = datetime(2025, 3, 15, 12, tzinfo=UTC)
OLD, NEW = datetime(2025, 11, 15, 12, tzinfo=UTC), datetime(2026, 4, 15, 12, tzinfo=UTC)
PLAIN = Category(1, "identity", "Stammdaten", "Identity", special=False, secrecy=False)
HEALTH = Category(2, "health", "Gesundheit", "Health", special=True, secrecy=False)
# The rows of the table by regime and day. Which of the two rows of social law applies depends on the category.
ROWS = (
    ("sgb_x", NEW),
    ("gdpr_bdsg", NEW),
    ("kdg", OLD),
    ("kdg", NEW),
    ("dsg_ekd", EKD_OLD),
    ("dsg_ekd", NEW),
    ("dsg_nrw", NEW),
)
METHODS = ("written", "signature_pad", "electronic", "oral")
BANDS = ("under_14", "14", "15_17", "adult")
CASES = list(product(ROWS, METHODS, (False, True), (False, True), BANDS, (False, True)))


def consent(method: str, band: str, *, circumstances: bool, **giver: object) -> ProposedConsent:
    """A consent without grants, given by this method by a client of this age band."""
    plain = Giver(role="self", age_band=band)  # type: ignore[arg-type]
    return ProposedConsent(
        reference="N-1",
        text=ShownText("0190b9f0-0000-7000-8000-000000000000", "de"),
        grants=(),
        releases=(),
        giver=msgspec.structs.replace(plain, **giver),
        act=ClientAct(method, NEW, "remote" if circumstances else None, None),  # type: ignore[arg-type]
        information=Information("B-12", Interpreter("none", None), (), None),
        renews=None,
    )


def grant_of(
    sender: str, recipient: str, category: Category, flags: PurposeFlags | None = None, *, explicit: bool = False
) -> ProposedGrant:
    """A given grant between partners of two regimes."""
    return ProposedGrant(
        sender=partner(1, regime=sender),
        recipient=partner(2, regime=recipient),
        purpose=Purpose(1, "p", "p", "p", frozenset({1, 2}), flags or PurposeFlags()),
        categories=(category,),
        explicit=explicit,
        answer="given",
        valid_from=day(0),
        valid_until=day(1),
        asked_until=day(1),
        has_stated_end=True,
    )


def faults_of(plain: ProposedConsent, at: datetime, grant: ProposedGrant) -> list[Fault]:
    """The faults of the consent with this grant, given at that time: in form, explicitness and capacity."""
    act = msgspec.structs.replace(plain.act, given_at=at)
    whole = msgspec.structs.replace(plain, act=act, grants=(grant,))
    return list(with_norms([*form_refusals(whole), *capacity_refusals(whole)], whole, grant.sender))


def broken(plain: ProposedConsent, at: datetime, grant: ProposedGrant) -> set[tuple[str, str]]:
    """The rule and pointer of each fault. Each fault also has a norm and a sentence."""
    faults = faults_of(plain, at, grant)
    assert all(fault.norm and fault.detail for fault in faults)
    return {(fault.rule or "", fault.pointer) for fault in faults}


def expected(
    regime: str, at: datetime, method: str, band: str, *, special: bool, explicit: bool, circumstances: bool
) -> Iterator[tuple[str, str]]:
    """The faults that the table expects."""
    if special and not explicit:
        yield "explicit_for_special", "/grants/0/explicit"
    written_only = regime == "kdg" and at == OLD
    fits = method == "written" or (method != "oral" and not written_only)
    # Where the law asks for no form, the register's own rule does for special data; not under the act of 2017.
    provable = regime in {"gdpr_bdsg", "dsg_ekd", "dsg_nrw"} or (regime == "kdg" and at == NEW)
    free = provable and (not special or at == EKD_OLD)
    if not (free or fits or circumstances):
        yield "form", "/act/method"
    alone_from = {"sgb_x": "15_17", "dsg_ekd": "adult" if at == EKD_OLD else "14"}.get(regime, "adult")
    if BANDS.index(band) < BANDS.index(alone_from):
        yield "capacity", "/giver"


def test_the_table_is_large_enough() -> None:
    """The table covers all combinations of row, method, special data, explicitness, age and special circumstances."""
    assert len(CASES) >= 2 * 120


@pytest.mark.parametrize(("row", "method", "special", "explicit", "band", "circumstances"), CASES)
def test_every_row_meets_every_act(
    row: tuple[str, datetime], method: str, special: bool, explicit: bool, band: str, circumstances: bool
) -> None:
    """Between two partners of one regime exactly the rules of the table refuse a consent, each with its pointer."""
    asked = consent(method, band, circumstances=circumstances)
    found = broken(asked, row[1], grant_of(row[0], row[0], HEALTH if special else PLAIN, explicit=explicit))
    assert found == set(expected(*row, method, band, special=special, explicit=explicit, circumstances=circumstances))


@pytest.mark.parametrize(("first", "second"), list(product(ROWS, ROWS)))
def test_the_stricter_side_wins_whichever_it_is(first: tuple[str, datetime], second: tuple[str, datetime]) -> None:
    """Between two regimes a consent is refused by the rules of both, in either direction."""
    if first[1] != second[1]:
        second = (second[0], first[1])
    asked = consent("oral", "15_17", circumstances=False)
    both = broken(asked, first[1], grant_of(first[0], second[0], HEALTH, explicit=True))
    alone = [broken(asked, at, grant_of(regime, regime, HEALTH, explicit=True)) for regime, at in (first, second)]
    assert both == alone[0] | alone[1] == broken(asked, first[1], grant_of(second[0], first[0], HEALTH, explicit=True))


@pytest.mark.parametrize("regime", ["sgb_x", "gdpr_bdsg", "kdg", "dsg_ekd", "dsg_nrw"])
def test_a_gap_is_named_with_its_norm(regime: str) -> None:
    """Before the first dated rule a consent is refused; the fault names regime, day and norm."""
    before = datetime(2018, 5, 1, tzinfo=UTC)
    asked = consent("written", "adult", circumstances=False)
    faults = faults_of(asked, before, grant_of(regime, regime, PLAIN))
    assert {(fault.rule, fault.pointer) for fault in faults} == {("form_rule_gap", "/grants/0/categories/0")}
    assert all(regime in fault.detail and "2018-05-01" in fault.detail and fault.norm for fault in faults)


@pytest.mark.parametrize(("method", "circumstances"), list(product(METHODS, (False, True))))
def test_a_flow_that_is_special_itself_has_the_form_of_special_data(method: str, circumstances: bool) -> None:
    """If the purpose itself is special, identity data needs the form of special data under social law."""
    asked = consent(method, "adult", circumstances=circumstances)
    of_flow = grant_of("sgb_x", "sgb_x", PLAIN, PurposeFlags(flow_itself_is_special=True))
    assert broken(asked, NEW, of_flow) == broken(asked, NEW, grant_of("sgb_x", "sgb_x", HEALTH))
    refused = [fault for fault in faults_of(asked, NEW, of_flow) if fault.rule == "form"]
    assert all(fault.norm == "§ 67b Abs. 2 Satz 2 SGB X; Art. 9 Abs. 2 lit. a DSGVO" for fault in refused)
