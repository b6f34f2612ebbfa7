"""Rows as events tell them: each once, by all its columns, and found again by its key."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from consent_registry.domain.commitments import Commitment, Committed
from consent_registry.domain.events.expected_rows import NOT_SAID, ExpectedRows, Row, at, listed, make_row
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
    rows.add(
        Row("suspensions", {"suspension_id": "s", "partner_id": "east", "reason": "other", "recorded_at": instant(1)})
    )
    assert rows.value("suspensions", "partner_id", "s") == "east"
    assert rows.value("suspensions", "recorded_at", "s") == instant(1)
    with pytest.raises(KeyError):
        rows.value("suspensions", "partner_id", "t")


def test_a_row_is_taken_once() -> None:
    """What was taken is not there any more."""
    rows = ExpectedRows()
    rows.add(
        Row("suspensions", {"suspension_id": "s", "partner_id": "east", "reason": "other", "recorded_at": instant(1)})
    )
    assert rows.take("suspensions", ("s",)) == ("east", "other", instant(1))
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
    assert [rows.says_nothing_of("text_languages", {"version": version}) for version in "123"] == [True, True, False]
    assert all(rows.says_nothing_of(table, {}) for table in ("partners", "purposes"))


def test_times_and_lists_are_read() -> None:
    """A time as the instant it is, a list of slugs sorted."""
    assert at(text(5)) == instant(5)
    assert listed(["south", "north"]) == ("north", "south")


class Source(msgspec.Struct):
    """Members by the names of columns."""

    norm: str | UnsetType | None = "legal_claims"
    placed_by: str = "DPO-1"
    recorded_at: str = text(1)


HOLD = {"hold_id": "h", "client_id": "a"}


def test_members_become_columns() -> None:
    """By the columns' names, unless a value is given; null stays null, and what is not said stays so."""
    row = Row("holds", HOLD | {"norm": "legal_claims", "placed_by": "DPO-1", "recorded_at": instant(1)})
    assert make_row("holds", Source(), HOLD) == row
    given = make_row("holds", Source(norm=None), HOLD | {"placed_by": NOT_SAID, "recorded_at": text(2)})
    assert given.columns == HOLD | {"norm": None, "placed_by": NOT_SAID, "recorded_at": instant(2)}


def test_a_member_that_is_absent_is_said() -> None:
    """With its table and its name; one that the struct does not have is a mistake of the program."""
    with pytest.raises(ValueError, match=r"^holds: the event does not say norm$"):
        make_row("holds", Source(norm=UNSET), HOLD)
    with pytest.raises(AttributeError, match="hold_id"):
        make_row("holds", Source(), {"client_id": "a"})


def test_a_column_that_the_table_does_not_have() -> None:
    """Is a mistake of the program; only when a row was recorded may be said of every table."""
    with pytest.raises(TypeError, match=r"^holds has no columns \['reason', 'text'\]$"):
        make_row("holds", Source(), HOLD | {"text": "t", "reason": "r"})
    row = make_row("purposes", Source(), dict.fromkeys((*TABLES["purposes"][0], *TABLES["purposes"][1]), None))
    assert row == make_row("purposes", Source(), {**row.columns, "recorded_at": text(1)})


def columns_of(table: str, **columns: object) -> Mapping[str, Any]:
    """The columns of a row of this table, of which all others are null."""
    names = [name for part in TABLES[table] for name in part]
    return make_row(table, None, dict.fromkeys(names) | columns).columns


def test_times_are_instants() -> None:
    """By the columns' names: those in `_at` and three others; whether there is a text is none of them."""
    grant = columns_of("grants", **dict.fromkeys(("valid_from", "valid_until", "given_at", "answer"), text(2)))
    assert [grant[name] for name in ("valid_from", "valid_until", "given_at")] == [instant(2)] * 3
    assert grant["answer"] == text(2)
    consent = columns_of("consents", giver_mandate_until=text(5), has_kept_at=True, valid_from=instant(6))
    assert [consent[name] for name in ("giver_mandate_until", "has_kept_at", "valid_from")] == [
        instant(5),
        True,
        instant(6),
    ]
    with pytest.raises(ValueError, match="Invalid isoformat"):
        columns_of("holds", recorded_at="yesterday")


def test_lists_are_compared_sorted_or_in_their_order() -> None:
    """Slugs of partners and categories are sorted; what was told and remarked stays as it was."""
    consent = columns_of("consents", partner_ids=["b", "a"], told=["b", "a"], remarks=["b", "a"])
    assert [consent[name] for name in ("partner_ids", "told", "remarks")] == [("a", "b"), ("b", "a"), ("b", "a")]
    assert columns_of("grants", category_ids=["b", "a"])["category_ids"] == ("a", "b")
    assert columns_of("credentials", scopes=["b", "a"])["scopes"] == ("b", "a")


def test_a_change_of_what_is_not_expected_is_counted() -> None:
    """Once for each; a change of a row that is expected is not."""
    rows = ExpectedRows()
    rows.add(
        Row("suspensions", {"suspension_id": "s", "partner_id": "east", "reason": "other", "recorded_at": instant(1)})
    )
    assert [rows.is_attached("suspensions", suspension) for suspension in "rsq"] == [False, True, False]
    assert rows.unattached == 2


def test_a_commitment_is_opened_with_its_events_nonce() -> None:
    """Of an event that was read what it says, with what it is of."""
    rows = ExpectedRows()
    rows.nonce = b"n"
    assert rows.opened("code", Committed.read("D")) == Commitment("code", b"n", "D")
