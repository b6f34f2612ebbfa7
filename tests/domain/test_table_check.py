"""The table check reads every kind of event, reports what it cannot read, and compares tables with the events."""

from typing import Any

import pytest

from consent_registry.domain.commitments import commit
from consent_registry.domain.events.all_kinds import EVENTS, NUMBERS, NotAnEvent
from consent_registry.domain.events.decisions import OUTCOMES, TransferEvent
from consent_registry.domain.events.event import EventHead
from consent_registry.domain.events.tables import TABLES
from consent_registry.domain.table_check import (
    Difference,
    NotComplete,
    TableCheck,
    differences,
    search_columns,
)
from tests.domain.events.logged import Row, event, instant, read, text
from tests.domain.events.test_consents import CONSENT, CONSENT_ROW

# These leave the state as it is; transfers, of which there are as many as permits, are compared one by one.
WITHOUT_STATE = {"decision", "read", "transfer", "key_rotation", "padding"}
SUSPENSION = event("suspension", 1, id="s", partner="east")
SUSPENDED: Row = {"suspension_id": "s", "partner_id": "east", "reason": "security", "recorded_at": instant(1)}
DECISION = event(
    "decision", 1, id="d", client="p", recipient="south", purpose="support", outcome="partial", categories=["identity"]
)
TRANSFER = event(
    "transfer",
    3,
    id="t",
    client="p",
    decision="d",
    outcome="sent",
    categories=["identity", "contact"],
    transferred_at=text(2),
)


def check_of(*events: Row) -> TableCheck:
    """A table check that has read these events."""
    table_check = TableCheck()
    assert all(table_check.add(read(event)) for event in events)
    return table_check


def test_every_kind_is_taken_in() -> None:
    """Every kind of event gives expected rows, or changes no state."""
    assert {kind for kind, event_type in EVENTS.items() if event_type.rows is EventHead.rows} == WITHOUT_STATE


@pytest.mark.parametrize("kind", sorted(WITHOUT_STATE))
def test_some_kinds_leave_the_state_as_it_is(kind: str) -> None:
    """They are taken in and tell no row, whatever they hold."""
    table_check = check_of(event(kind, 1))
    assert [table for table in TABLES if list(table_check.missing(table))] == []


def test_an_unknown_kind_is_said() -> None:
    """An event of an unknown kind is reported: neither refused nor read."""
    assert not TableCheck().add(read(event("something new", 1)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": None}, r"^Expected `str`, got `null` - at `\$.kind`"),
        ({"at": 5}, r"^Expected `str`, got `int` - at `\$.at`"),
        ({"grants": [1]}, r"^Expected `object`, got `int` - at `\$.grants\[0\]`"),
        ({"grants": [{"third_parties": "none"}]}, "^Object missing required field `grant`"),
        ({"releases": ["text"]}, r"^Expected `object`, got `str` - at `\$.releases\[0\]`"),
        ({"grants": [CONSENT["grants"][0] | {"third_party_grants": None}]}, "^Expected `array`, got `null`"),
        ({"text": "t"}, r"^Expected `object`, got `str` - at `\$.text`"),
    ],
)
def test_what_an_event_lacks_is_said(change: Row, says: str) -> None:
    """A missing or mistyped member of an event is reported with its place."""
    with pytest.raises(NotAnEvent, match=says):
        read(CONSENT | change)


def test_a_time_that_is_none_is_said() -> None:
    """Where a column is made of it."""
    with pytest.raises(NotComplete, match=r"^ValueError: Invalid isoformat"):
        TableCheck().add(read(CONSENT | {"at": "soon"}))


def test_an_event_told_twice_is_said() -> None:
    """A second event with the same rows is reported."""
    table_check = check_of(SUSPENSION)
    with pytest.raises(NotComplete, match=r"^ValueError: suspensions \('s',\) was told before$"):
        table_check.add(read(SUSPENSION))


def test_a_row_as_told_has_no_differences() -> None:
    """A row as its event implies has no differences and is not missing."""
    table_check = check_of(SUSPENSION)
    assert list(table_check.missing("suspensions")) == [("s",)]
    assert table_check.compare("suspensions", SUSPENDED) == []
    assert list(table_check.missing("suspensions")) == []


def test_each_column_that_differs_is_named() -> None:
    """Each differing column is named with its expected and its stored value; columns that are not compared do not
    matter.
    """
    table_check = check_of(SUSPENSION)
    held = SUSPENDED | {"recorded_at": instant(2), "partner_id": "west", "network_id": 4}
    assert table_check.compare("suspensions", held) == [
        Difference("partner_id", "east", "west"),
        Difference("recorded_at", instant(1), instant(2)),
    ]


@pytest.mark.parametrize("column", TABLES["consents"][1])
def test_a_consents_columns_are_each_compared(column: str) -> None:
    """A differing column of a consent is named."""
    found = check_of(CONSENT).compare("consents", CONSENT_ROW | {column: "other"})
    assert found == [Difference(column, CONSENT_ROW[column], "other")]


def test_a_row_that_nobody_told_is_none() -> None:
    """A row without an event is reported, and so is a row that was compared before."""
    table_check = check_of(SUSPENSION)
    assert table_check.compare("suspensions", SUSPENDED | {"suspension_id": "r"}) is None
    assert table_check.compare("suspensions", SUSPENDED) == []
    assert table_check.compare("suspensions", SUSPENDED) is None


def test_a_commitment_is_compared_with_what_the_row_holds() -> None:
    """An event commits to a credential's secret: the stored bytes fit, others and none are a difference."""
    nonce = bytes(32)
    said = commit(nonce, "secret", b"mac")
    issued = event(
        "credential", 1, client_id="c", partner="east", scopes=[], secret_key="digest-1", secret_commitment=said
    )
    row: Row = {
        "client_id": "c",
        "partner_id": "east",
        "scopes": (),
        "secret_key": "digest-1",
        "recorded_at": instant(1),
    }
    for held, expected in (
        (b"mac", []),
        (b"other", [Difference("secret_mac", said, commit(nonce, "secret", b"other"))]),
        (None, [Difference("secret_mac", said, None)]),
    ):
        table_check = TableCheck()
        assert table_check.add(read(issued), nonce)
        assert table_check.compare("credentials", row | {"secret_mac": held}) == expected


def test_what_is_untold_of_a_row_is_not_compared() -> None:
    """A column that the event says nothing about is not compared."""
    held: Row = {"text_id": "t", "language": "ar", "sha256": "aa", "content": "aa", "translation_of": "anything"} | {
        "aliases": {"purposes": {}}
    }
    assert check_of(CONSENT).compare("text_languages", held) == []
    found = check_of(CONSENT).compare("text_languages", held | {"content": "bb"})
    assert found == [Difference("content", "aa", "bb")]


def test_changes_of_what_was_not_told_are_counted() -> None:
    """None at first."""
    assert check_of(CONSENT).unattached == 0
    act = event("ending", 7, id="x", client="p", effective_at=text(6), grants=["g1", "other"])
    assert check_of(CONSENT, act).unattached == 1


NOTHING: Row = dict.fromkeys(("sender_id", "recipient_id", "purpose_id", "outcome", "person"))


def test_the_search_columns_of_a_decision() -> None:
    """All of them."""
    assert search_columns(read(DECISION)) == {
        "event_id": "d",
        "at": instant(1),
        "client_id": "p",
        "actor_id": "north",
        "kind": NUMBERS["decision"],
        "sender_id": "north",
        "recipient_id": "south",
        "purpose_id": "support",
        "outcome": OUTCOMES["partial"],
        "person": None,
    }


def test_the_search_columns_of_other_kinds() -> None:
    """A transfer has its sender as well, a consent who explained it; anything else has head and kind, and an unknown
    kind has no number.
    """
    same: Row = {"minute": 3, "id": "t", "client": "p"}
    head: Row = {"event_id": "t", "at": instant(3), "client_id": "p", "actor_id": "north"}
    sender = {"kind": NUMBERS["transfer"], "sender_id": "north"}
    assert search_columns(read(TRANSFER)) == NOTHING | head | sender
    assert search_columns(read(event("read", **same))) == NOTHING | head | {"kind": NUMBERS["read"]}
    assert search_columns(read(event("something new", **same))) == NOTHING | head | {"kind": None}
    explained = event("consent", **same, information=CONSENT["information"])
    assert search_columns(read(explained)) == NOTHING | head | {"kind": NUMBERS["consent"], "person": "B-12"}


@pytest.mark.parametrize("member", ["kind", "id", "at", "client", "actor", "recipient", "purpose", "outcome"])
def test_search_columns_need_their_members(member: str) -> None:
    """Whichever is missing."""
    with pytest.raises(NotAnEvent, match=f"missing required field `{member}`"):
        read({name: value for name, value in DECISION.items() if name != member})


def test_a_transfer_is_told_whole() -> None:
    """Every column, its categories sorted."""
    transfer = read(TRANSFER)
    assert isinstance(transfer, TransferEvent)
    assert transfer.transfer_row() == {
        "transfer_id": "t",
        "decision_id": "d",
        "partner_id": "north",
        "client_id": "p",
        "outcome": "sent",
        "category_ids": ("contact", "identity"),
        "transferred_at": instant(2),
        "recorded_at": instant(3),
    }


def test_differences_are_named() -> None:
    """Of the columns that were told, and no others."""
    told: dict[str, Any] = {"a": 1, "b": 2, "c": None}
    assert differences(told, {"a": 1, "b": 3, "c": 0, "d": 5}) == [Difference("b", 2, 3), Difference("c", None, 0)]
    assert differences(told, told) == []


# Of each kind that names a member of staff, a member of another kind that must not be taken for its own beside it.
STAFF: dict[str, Row] = {
    "consent": {"information": CONSENT["information"]},
    "approval": {"approved_by": "B-12", "revoked_by": "X"},
    "approval_revocation": {"revoked_by": "B-12", "approved_by": "X"},
    "hold": {"placed_by": "B-12", "lifted_by": "X"},
    "hold_lifting": {"lifted_by": "B-12", "placed_by": "X"},
    "policy": {"set_by": "B-12", "placed_by": "X"},
}


@pytest.mark.parametrize("kind", EVENTS)
def test_the_member_of_staff_an_event_names(kind: str) -> None:
    """A consent names who explained it, approvals and holds who gave, placed and took them back; other events name
    nobody, even if one of their members were called so.
    """
    members = STAFF.get(kind, {"approved_by": "B-12", "information": {"explained_by": "B-12"}})
    person = search_columns(read(event(kind, 1, id="e", **members)))["person"]
    assert person == ("B-12" if kind in STAFF else None)


def test_an_outcome_keeps_its_number() -> None:
    """Decisions in the search columns mean what they meant."""
    assert OUTCOMES == {"permit": 1, "partial": 2, "no_permission": 3, "not_consent_based": 4}
