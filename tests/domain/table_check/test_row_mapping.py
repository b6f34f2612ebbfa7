"""Where the columns of a told row come from."""

from typing import Any

import pytest

from consent_registry.domain.table_check.expected_rows import TABLES, UNTOLD, ToldRows
from consent_registry.domain.table_check.row_mapping import Said, rows
from tests.domain.table_check.expected import Row, event, instant, shown, text

HOLD = event("hold", 1, id="h", client="a", norm="legal_claims", placed_by="DPO-1")
WHOLE = {"hold_id": "h", "client_id": "a", "norm": "legal_claims", "placed_by": "DPO-1", "recorded_at": instant(1)}
# Of each table every column, as nothing.
NOTHING: dict[str, Row] = {
    table: dict.fromkeys(name for part in parts for name in part) for table, parts in TABLES.items()
}


def told_by(members: Row, table: str, **sources: Any) -> list[Row]:  # noqa: ANN401 - as `rows` takes them
    """The rows of this table that an act with these sources tells of an event."""
    told = ToldRows()
    rows(table, **sources)(told, members)
    return shown(told).get(table, [])


def test_members_become_columns() -> None:
    """By the name given, or by the column's own; a row was recorded when its event was."""
    assert told_by(HOLD, "holds", hold_id="id", client_id="client") == [WHOLE]


def test_a_member_that_is_not_there_is_an_error() -> None:
    """Whether it was named, named by the column, or a member's member."""
    without = {name: value for name, value in HOLD.items() if name != "norm"}
    with pytest.raises(KeyError, match="norm"):
        told_by(without, "holds", hold_id="id", client_id="client")
    with pytest.raises(KeyError, match="other"):
        told_by(HOLD, "holds", hold_id="other", client_id="client")
    with pytest.raises(KeyError, match="other"):
        told_by(HOLD | {"why": {}}, "holds", hold_id="id", client_id="client", norm="why.other")
    with pytest.raises(KeyError, match="why"):
        told_by(HOLD, "holds", hold_id="id", client_id="client", norm="why.other?")


def test_a_member_of_a_member() -> None:
    """However deep; a member of nothing is nothing."""
    for why, norm in (({"deep": {"norm": "x"}}, "x"), ({"deep": None}, None), (None, None)):
        (row,) = told_by(HOLD | {"why": why}, "holds", hold_id="id", client_id="client", norm="why.deep.norm")
        assert row == WHOLE | {"norm": norm}


def test_a_member_that_may_be_left_out() -> None:
    """It is taken if it is there, and is nothing otherwise."""
    for why, norm in (({"norm": "x"}, "x"), ({"norm": None}, None), ({}, None)):
        (row,) = told_by(HOLD | {"why": why}, "holds", hold_id="id", client_id="client", norm="why.norm?")
        assert row == WHOLE | {"norm": norm}


def test_what_is_computed_and_what_is_fixed() -> None:
    """A function sees the event, which is its own entry, and what was told; a value that is no text stands as it is."""
    seen: list[Said] = []

    def norm(said: Said) -> str:
        seen.append(said)
        return "computed"

    (row,) = told_by(HOLD, "holds", hold_id=7, client_id=None, norm=norm, placed_by=UNTOLD)
    assert row == WHOLE | {"hold_id": 7, "client_id": None, "norm": "computed", "placed_by": UNTOLD}
    assert [(said.event, said.one) for said in seen] == [(HOLD, HOLD)]
    assert seen[0].told.has("holds", 7)


def test_a_column_that_the_table_does_not_have() -> None:
    """Is a mistake of whoever wrote the entry, and named before anything is told."""
    with pytest.raises(TypeError, match=r"^holds has no columns \['reason', 'text'\]$"):
        rows("holds", hold_id="id", client_id="client", text="text", reason="reason")


def test_a_row_for_each_entry() -> None:
    """Members of the entry begin with a dot, and what is not named is one of them; the rest is the event's."""
    one = {"language": "de", "sha256": "aa", "translation_of": "aa"}
    members = event("text", 1, text="t", languages=[one, one | {"language": "en", "sha256": "bb"}], sha256="not this")
    found = told_by(members, "text_languages", each="languages", text_id="text", content=".sha256")
    assert found == [
        {"text_id": "t", "language": "de", "sha256": "aa", "content": "aa", "translation_of": "aa"},
        {"text_id": "t", "language": "en", "sha256": "bb", "content": "bb", "translation_of": "aa"},
    ]


def test_an_entry_itself() -> None:
    """A list of slugs; none of it, no row; a list that may be left out; one that is computed."""
    members = event("client", 1, some=["a", "b"], nobody=[])
    both = [{"client_id": "a", "recorded_at": instant(1)}, {"client_id": "b", "recorded_at": instant(1)}]
    assert told_by(members, "clients", each="some", client_id=".") == both
    assert told_by(members, "clients", each="nobody", client_id=".") == []
    assert told_by(members, "clients", each="other?", client_id=".") == []
    assert told_by(members, "clients", each="some?", client_id=".") == both
    assert told_by(members, "clients", each=lambda said: said.event["some"][:1], client_id=".") == both[:1]
    with pytest.raises(KeyError, match="other"):
        told_by(members, "clients", each="other", client_id=".")


def test_times_are_instants() -> None:
    """By the columns' names: those in `_at` and three others; nothing stays nothing."""
    code = event("link_code", 1, id="c", client="a", partner="south", expires_at=text(9))
    found = {"digest_key": None, "digest": None}
    (row,) = told_by(
        code, "link_codes", link_code_id="id", client_id="client", partner_id="actor", for_partner_id="partner", **found
    )
    assert (row["expires_at"], row["recorded_at"]) == (instant(9), instant(1))
    members = event("x", 1, **{name: text(2) for name in NOTHING["grants"]} | {"given_at": None})
    (row,) = told_by(members, "grants", category_ids=None)
    assert [row[name] for name in ("valid_from", "valid_until", "given_at", "answer")] == [
        instant(2),
        instant(2),
        None,
        text(2),
    ]
    with pytest.raises(ValueError, match="Invalid isoformat"):
        told_by(HOLD | {"at": "yesterday"}, "holds", hold_id="id", client_id="client")


def test_lists_are_compared_sorted_or_in_their_order() -> None:
    """Slugs of partners and categories are sorted; what was told and remarked stays as it was."""
    members = event("consent", 1, several=["b", "a"], mandate=text(5))
    several = dict.fromkeys(("partner_ids", "told", "remarks"), "several")
    (row,) = told_by(members, "consents", **NOTHING["consents"] | several | {"giver_mandate_until": "mandate"})
    assert (row["partner_ids"], row["told"], row["remarks"]) == (("a", "b"), ("b", "a"), ("b", "a"))
    assert row["giver_mandate_until"] == instant(5)
    (row,) = told_by(members, "grants", **NOTHING["grants"] | {"category_ids": "several"})
    assert row["category_ids"] == ("a", "b")


def test_a_row_of_something_that_was_not_told_is_counted() -> None:
    """And not told; what is of something that was told is, and sees it."""
    told = ToldRows()
    rows("suspensions", suspension_id="id", partner_id="partner")(told, event("x", 1, id="s", partner="east"))
    act = rows(
        "reinstatements",
        each="ended",
        of=("suspensions", ".suspension"),
        reinstatement_id=lambda said: said.changed_value("suspensions", "partner_id"),
        suspension_id=lambda said: said.changed,
    )
    act(told, event("y", 2, ended=[{"suspension": "r"}, {"suspension": "s"}, {"suspension": "q"}]))
    assert told.unattached == 2
    row = {"reinstatement_id": "east", "suspension_id": "s", "recorded_at": instant(2)}
    assert shown(told)["reinstatements"] == [row]
