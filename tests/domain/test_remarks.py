"""Remarks are found by their codes."""

from consent_registry.domain.remarks import REMARKS, remarks_of


def test_remarks_come_in_the_order_of_their_codes() -> None:
    """Each code has its remark, and no code none."""
    assert [one.code for one in remarks_of(["lay_interpreter", "mandate_ends_first"])] == [
        "lay_interpreter",
        "mandate_ends_first",
    ]
    assert remarks_of([]) == []
    assert {code: one.code for code, one in REMARKS.items()} == {code: code for code in REMARKS}


def test_a_code_in_the_log_keeps_its_remark() -> None:
    """Codes stand in events for ever: one that was written is found by a later release too."""
    assert set(REMARKS) >= {
        "benefits_notice_unstated",
        "guardian_is_recipient",
        "mandate_ends_first",
        "third_parties_unstated",
        "lay_interpreter",
        "family_interpreter",
    }
