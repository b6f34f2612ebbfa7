"""What every permit carries: purpose binding, no onward transfer, and who stays responsible."""

import pytest

from consent_registry.domain.obligations import obligations_for
from tests.domain.cases import partner


@pytest.mark.parametrize(
    ("sender", "recipient", "binding", "responsible"),
    [
        ("sgb_x", "gdpr_bdsg", "§ 78 SGB X", "§ 67d Abs. 1 SGB X"),  # § 78 binds whoever receives Sozialdaten
        ("gdpr_bdsg", "sgb_x", "§ 78 SGB X", "§ 67d Abs. 1 SGB X"),
        ("sgb_x", "kdg", "§ 78 SGB X", "§ 67d Abs. 1 SGB X"),
        ("gdpr_bdsg", "kdg", "§ 7 Abs. 1 lit. b KDG", "Art. 5 Abs. 2 DSGVO"),
        ("kdg", "dsg_ekd", "§ 5 Abs. 1 Nr. 2 DSG-EKD", "Art. 5 Abs. 2 DSGVO"),
        ("kdg", "gdpr_bdsg", "Art. 5 Abs. 1 lit. b DSGVO", "Art. 5 Abs. 2 DSGVO"),
        ("dsg_nrw", "dsg_nrw", "Art. 5 Abs. 1 lit. b DSGVO", "Art. 5 Abs. 2 DSGVO"),
        ("gdpr_bdsg", None, "Art. 5 Abs. 1 lit. b DSGVO", "Art. 5 Abs. 2 DSGVO"),
    ],
)
def test_norms_follow_the_law_of_both_sides(sender: str, recipient: str | None, binding: str, responsible: str) -> None:
    """Social law first where either side is under it, else the recipient's own law."""
    found = obligations_for(partner(1, regime=sender), partner(2, regime=recipient))
    assert [(one.code, one.norm) for one in found] == [
        ("purpose_binding", binding),
        ("no_onward_transfer", binding),
        ("sender_responsible", responsible),
    ]


def test_a_permit_says_that_it_is_not_lawfulness() -> None:
    """The sender reads with every permit that a consent on file is not the lawfulness of sending."""
    last = obligations_for(partner(1), partner(2))[-1]
    assert "nicht die Rechtmäßigkeit" in last.text
    assert all(one.text.endswith(".") for one in obligations_for(partner(1), partner(2)))
