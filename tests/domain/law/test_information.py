"""What the client must be told: every row of the table, on its first and last day, by its occasion, with its norm."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from consent_registry.domain.berlin import midnight_in_berlin
from consent_registry.domain.catalogue import Category, Partner, PartnerFunction, Purpose
from consent_registry.domain.flags import CategoryFlags, PurposeFlags
from consent_registry.domain.law.codes import INFORMS, TOLD
from consent_registry.domain.law.information import INFORMATION, InformationRow, norms_of_information
from consent_registry.domain.law.proposed import ProposedGrant
from consent_registry.domain.law.sentences import comparable, informs_of
from tests.domain.cases import day, partner
from tests.support.texts import SENTENCES

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLAIN = Category(1, "identity", "Stammdaten", "Identity", special=False, secrecy=False)
FAMILY = Category(
    2, "family", "Familie", "Family", special=False, secrecy=False, flags=CategoryFlags(third_party_data=True)
)
# Of a secrecy holder: somebody there is bound to secrecy.
BOUND = (PartnerFunction("debts", "Schuldnerberatung", "§ 203 Abs. 1 Nr. 4 StGB"),)
# By occasion: what makes a grant between two partners of one regime one of it.
OCCASIONS: dict[str, dict[str, Any]] = {
    "always": {},
    "benefit_body": {"kind": "jobcenter"},
    "isolated_recipient": {"isolated": True},
    "holder_sends": {"functions": BOUND},
    "others_data": {"category": FAMILY},
}


def grant(
    sender: Partner, recipient: Partner, category: Category = PLAIN, flags: PurposeFlags | None = None
) -> ProposedGrant:
    """A given grant between two partners."""
    return ProposedGrant(
        sender=sender,
        recipient=recipient,
        purpose=Purpose(1, "p", "p", "p", frozenset({1, 2}), flags or PurposeFlags()),
        categories=(category,),
        explicit=False,
        answer="given",
        valid_from=day(0),
        valid_until=day(1),
        asked_until=day(1),
        has_stated_end=True,
    )


def case_of(row: InformationRow, *, occurs: bool) -> ProposedGrant:
    """A grant between partners of the row's law, on the row's occasion or not."""
    regime = min(row.regimes or {"gdpr_bdsg"})
    members = dict(OCCASIONS[row.occasion]) if occurs else {}
    category = members.pop("category", PLAIN)
    side = msgspec.structs.replace(partner(1, regime=regime), kind="office", functions=(), isolated=False)
    opposite = msgspec.structs.replace(side, partner_id=2)
    sender, recipient = (
        msgspec.structs.replace(party, **{name: value for name, value in members.items() if name in allowed})
        for party, allowed in ((side, {"functions"}), (opposite, {"kind", "isolated"}))
    )
    return grant(sender, recipient, category)


ASKED = [row for row in INFORMATION if row.occasion in OCCASIONS]


@pytest.mark.parametrize("row", ASKED, ids=lambda row: f"{row.code}-{row.since}-{min(row.regimes or {'any'})}")
def test_a_row_asks_from_its_first_to_its_last_day(row: InformationRow) -> None:
    """On both days and between them its norms are named, and not on the days before and after."""
    asked = [case_of(row, occurs=True)]
    first = midnight_in_berlin(row.since)
    assert norms_of_information(row.code, asked, first) == list(row.norms)
    assert row.norms[0] not in norms_of_information(row.code, asked, first - timedelta(microseconds=1))
    if row.until is not None:
        after = midnight_in_berlin(row.until + timedelta(days=1))
        assert norms_of_information(row.code, asked, after - timedelta(microseconds=1)) == list(row.norms)
        assert row.norms[0] not in norms_of_information(row.code, asked, after)


@pytest.mark.parametrize("row", [row for row in ASKED if row.occasion != "always"], ids=lambda row: row.code)
def test_control_a_row_is_not_asked_on_another_occasion(row: InformationRow) -> None:
    """Control: without its occasion it asks for nothing."""
    assert norms_of_information(row.code, [case_of(row, occurs=False)], NOW) == []


@pytest.mark.parametrize("row", [row for row in INFORMATION if row.occasion not in OCCASIONS], ids=lambda row: row.code)
def test_what_is_the_texts_own_is_asked_of_no_consent(row: InformationRow) -> None:
    """Rows `by_text` and `if_true` are asked of no grant, for any partners."""
    everyone = msgspec.structs.replace(
        partner(1, regime="sgb_x"), kind="foreigners_authority", functions=BOUND, isolated=True
    )
    assert norms_of_information(row.code, [grant(everyone, everyone, FAMILY)], NOW) == []


def test_both_sides_laws_are_named_each_norm_once() -> None:
    """Between the Caritas and a Jobcenter both laws ask for the withdrawal; between two of one law it is named once."""
    caritas, jobcenter = partner(1, regime="kdg"), partner(2, regime="sgb_x")
    assert norms_of_information("withdrawal", [grant(caritas, jobcenter)], NOW) == [
        "§ 8 Abs. 3 KDG",
        "§ 67b Abs. 2 Satz 3 SGB X",
        "Art. 7 Abs. 3 Satz 3 DSGVO",
    ]
    twice = [grant(jobcenter, jobcenter), grant(jobcenter, jobcenter)]
    assert norms_of_information("consequences_of_refusal", twice, NOW) == ["§ 67b Abs. 2 Satz 3 SGB X"]


@pytest.mark.parametrize(
    ("regime", "kind", "flagged", "asked"),
    [
        ("sgb_x", "office", False, True),
        ("gdpr_bdsg", "employment_agency", False, True),
        ("dsg_nrw", "office", False, False),
        ("dsg_nrw", "office", True, True),
        ("gdpr_bdsg", "office", True, False),
    ],
)
def test_who_decides_about_benefits(regime: str, kind: str, flagged: bool, asked: bool) -> None:
    """On either side: social law, an agency by its kind, and with the purpose's flag every public body."""
    plain = msgspec.structs.replace(partner(1, regime="gdpr_bdsg"), kind="office")
    office = msgspec.structs.replace(partner(2, regime=regime), kind=kind)
    flags = PurposeFlags(notice="refusal_has_no_effect_on_benefits") if flagged else PurposeFlags()
    for pair in ((plain, office), (office, plain)):
        found = norms_of_information("no_effect_on_benefits", [grant(*pair, flags=flags)], NOW)
        assert bool(found) is asked


def test_every_code_has_its_row_and_each_row_its_sentence() -> None:
    """Each code that a counsellor can name is in the table, and a text with a row's sentence informs of its code."""
    assert {row.code for row in INFORMATION} == set(TOLD)
    for row in INFORMATION:
        assert informs_of(comparable(row.sentence), row.code), row.code


@pytest.mark.parametrize("code", INFORMS)
def test_a_code_is_found_by_its_sentence_alone(code: str) -> None:
    """A text with all sentences but this one does not inform of it; this one alone does."""
    assert informs_of(comparable(SENTENCES[code]), code)  # type: ignore[index, arg-type]
    recipe = comparable("Pfannkuchen: Mehl, Eier und Milch verrühren, nicht zu heiß braten. Wie viel Mehl? 200 Gramm!")
    assert not informs_of(recipe, code)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("consequences_of_refusal", "Wenn Sie Nein sagen, haben Sie keine Nachteile."),
        ("withdrawal", "Sie können widerrufen."),
        ("withdrawal", "Sie können jederzeit anrufen."),
        ("no_effect_on_benefits", "Ihr Geld bekommen Sie am Ersten."),
        ("rights", "Sie haben ein Recht auf Auskunft."),
        ("registry", "Es gibt ein Register."),
        ("onward", "Wir freuen uns über Weitergabe."),
        ("release_separate", "Hier gilt Schweigepflicht."),
    ],
)
def test_half_a_sentence_does_not_inform(code: str, said: str) -> None:
    """That nobody has a disadvantage does not say that nothing is sent; a right is not all rights."""
    assert not informs_of(comparable(said), code)  # type: ignore[arg-type]


def test_the_rows_begin_with_their_laws() -> None:
    """The DSGVO and social law in force on 25 May 2018, church acts a day earlier, the KDG's revision in 2026."""
    begins = {row.since for row in INFORMATION if row.regimes is None or not row.regimes <= {"kdg", "dsg_ekd"}}
    assert begins == {date(2018, 5, 25)}
    assert {row.since for row in INFORMATION} - begins == {date(2018, 5, 24), date(2026, 3, 1)}
