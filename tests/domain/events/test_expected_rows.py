"""Rows as events tell them: each once, by all its columns, and found again by its key."""

import pytest

from consent_registry.domain.events.expected_rows import ExpectedRows, Row, at, listed
from consent_registry.domain.events.tables import TABLES
from tests.domain.events.logged import instant, shown, text

MEMBERSHIP = {"client_id": "a", "position": 1, "group_id": "g", "recorded_at": instant(1)}


def test_a_row_is_told_with_all_its_columns() -> None:
    """Key and columns come back as they were told, and what belongs to no column is left."""
    rows = ExpectedRows()
    rows.add(Row("client_memberships", MEMBERSHIP | {"other": "x"}))
    assert shown(rows) == {"client_memberships": [MEMBERSHIP]}
    assert rows.has("client_memberships", "a", 1)
    assert not rows.has("client_memberships", "a", 2)


def test_a_row_is_told_once() -> None:
    """Another one under the same key is refused, under another key it is not."""
    rows = ExpectedRows()
    rows.add(Row("client_memberships", MEMBERSHIP))
    rows.add(Row("client_memberships", MEMBERSHIP | {"position": 2}))
    with pytest.raises(ValueError, match=r"^client_memberships \('a', 2\) was told before$"):
        rows.add(Row("client_memberships", MEMBERSHIP | {"position": 2, "group_id": "h"}))


@pytest.mark.parametrize("left_out", ["position", "group_id"])
def test_no_column_is_left_out(left_out: str) -> None:
    """Neither of the key nor of the rest."""
    with pytest.raises(KeyError, match=left_out):
        ExpectedRows().add(
            Row("client_memberships", {name: value for name, value in MEMBERSHIP.items() if name != left_out})
        )


def test_a_column_is_found_by_key_and_name() -> None:
    """The second column as the first; nothing is found of a row that was not told."""
    rows = ExpectedRows()
    rows.add(Row("suspensions", {"suspension_id": "s", "partner_id": "east", "recorded_at": instant(1)}))
    assert rows.value("suspensions", "partner_id", "s") == "east"
    assert rows.value("suspensions", "recorded_at", "s") == instant(1)
    with pytest.raises(KeyError):
        rows.value("suspensions", "partner_id", "t")


def test_a_row_is_taken_once() -> None:
    """What was taken is not there any more."""
    rows = ExpectedRows()
    rows.add(Row("suspensions", {"suspension_id": "s", "partner_id": "east", "recorded_at": instant(1)}))
    assert rows.take("suspensions", ("s",)) == ("east", instant(1))
    assert rows.take("suspensions", ("s",)) is None
    assert shown(rows) == {}


def test_nothing_is_unattached_or_left_untold_at_first() -> None:
    """Both are told: of tables every row, of texts' languages those of some versions."""
    rows = ExpectedRows()
    assert rows.unattached == 0
    assert not rows.says_nothing_of("purposes", {})
    rows.leave_unlisted("purposes", "networks", versions=["1"])
    assert [table for table in TABLES if rows.says_nothing_of(table, {"version": "2"})] == ["networks", "purposes"]
    assert rows.says_nothing_of("text_languages", {"version": "1"})
    rows.leave_unlisted("partners", versions=["2"])
    assert [rows.says_nothing_of("text_languages", {"version": one}) for one in "123"] == [True, True, False]
    assert all(rows.says_nothing_of(table, {}) for table in ("partners", "purposes"))


def test_times_and_lists_are_read() -> None:
    """A time as the instant it is, a list of slugs sorted."""
    assert at(text(5)) == instant(5)
    assert listed(["south", "north"]) == ("north", "south")
