"""Which norm a refusal cites: by the grant's sides, the recorder, the day, and what the refusal has of its own."""

from datetime import UTC, datetime

import pytest

from consent_registry.domain.errors import Fault
from consent_registry.domain.law.citations import with_norms
from consent_registry.domain.law.proposed import Giver
from tests.domain.cases import partner
from tests.domain.law.law_cases import consent_by, grant_between

BEFORE, SINCE = datetime(2026, 2, 28, 22, 59, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC)
GRANTS = (grant_between("sgb_x", "kdg"), grant_between("dsg_ekd", "sgb_x"))


def norm_of(fault: Fault, at: datetime = SINCE) -> str | None:
    """What is cited for one fault of a consent with two grants, recorded by a body under the KDG."""
    consent = consent_by(Giver("self", "adult"), *GRANTS, at=at)
    (cited,) = with_norms([fault], consent, partner(1, regime="kdg"))
    assert (cited.pointer, cited.detail, cited.rule) == (fault.pointer, fault.detail, fault.rule)
    return cited.norm


@pytest.mark.parametrize(
    ("pointer", "rule", "norm"),
    [
        ("/act/evidence", "evidence", "§ 8 Abs. 1 KDG"),
        ("/grants/0/valid_until", "valid_until", "Art. 5 Abs. 1 lit. e DSGVO"),
        ("/grants/1", "valid_until", "§ 5 Abs. 1 Nr. 5 DSG-EKD"),
        ("/grants", "valid_until", "Art. 5 Abs. 1 lit. e DSGVO; § 5 Abs. 1 Nr. 5 DSG-EKD"),
        (
            "/grants/0/categories/1",
            "own_tick",
            "Art. 9 Abs. 2 lit. a DSGVO; § 67b Abs. 2 Satz 2 SGB X; § 11 Abs. 2 lit. a KDG",
        ),
        ("/giver/mandate_until", "mandate", "§ 1773 BGB; § 1815 BGB"),
        ("/grants/0/categories/0", "flow_in_agreement", None),
    ],
)
def test_whose_law_a_refusal_cites(pointer: str, rule: str, norm: str | None) -> None:
    """The recorder's, or that of the sides of the grant into which the pointer leads; of all grants if into none."""
    assert norm_of(Fault(pointer, "No.", rule)) == norm


def test_the_day_of_the_consent_decides() -> None:
    """A paper of February 2026 is judged by the act of 2018."""
    assert norm_of(Fault("/act/evidence", "No.", "evidence"), BEFORE) == "§ 8 Abs. 5 KDG"


def test_a_norm_of_its_own_stays() -> None:
    """In the place of the table's; of a statutory flow after it. What is no rule of the table stays as it is."""
    assert norm_of(Fault("/giver/mandate_until", "No.", "mandate", "§ 42 Abs. 2 Satz 4 SGB VIII")) == (
        "§ 42 Abs. 2 Satz 4 SGB VIII"
    )
    statute = Fault("/grants/1/categories/0", "No.", "statutory_flow", "§ 69 SGB X")
    assert norm_of(statute) == "§ 5 Abs. 1 Nr. 1 DSG-EKD; § 69 SGB X"
    assert norm_of(Fault("/client", "must be a text")) is None
