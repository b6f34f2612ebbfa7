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
