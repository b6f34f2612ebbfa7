"""Each remark is found by its code."""

from consent_registry.domain.law.remarks import REMARKS, remarks_of


def test_remarks_come_in_the_order_of_their_codes() -> None:
    """Remarks come in the order of the given codes; no codes give no remarks."""
    assert [remark.code for remark in remarks_of(["lay_interpreter", "mandate_ends_first"])] == [
        "lay_interpreter",
        "mandate_ends_first",
    ]
    assert remarks_of([]) == []
    assert {code: remark.code for code, remark in REMARKS.items()} == {code: code for code in REMARKS}


def test_a_code_in_the_log_keeps_its_remark() -> None:
    """A code in an old event still has its remark in a later release."""
    assert set(REMARKS) >= {
        "benefits_notice_unstated",
        "guardian_is_recipient",
        "mandate_ends_first",
        "third_parties_unstated",
        "lay_interpreter",
        "family_interpreter",
    }
