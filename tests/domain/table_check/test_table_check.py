"""A replay takes in every kind of event, says what it cannot, and holds tables against what it was told."""

from typing import Any

import pytest

from consent_registry.domain.events import KINDS, OUTCOMES
from consent_registry.domain.table_check.expected_rows import TABLES
from consent_registry.domain.table_check.table_check import (
    ACTS,
    WITHOUT_STATE,
    Difference,
    NotComplete,
    Replay,
    differences,
    search_columns,
    told_transfer,
)
from tests.domain.table_check.expected import Row, event, instant, text
from tests.domain.table_check.test_consent_rows import CONSENT, CONSENT_ROW

SUSPENSION = event("suspension", 1, id="s", partner="east")
SUSPENDED: Row = {"suspension_id": "s", "partner_id": "east", "recorded_at": instant(1)}
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


def replay_of(*events: Row) -> Replay:
    """A replay that was told these."""
    replay = Replay()
    assert all(replay.tell(one) for one in events)
    return replay


def test_every_kind_is_taken_in() -> None:
    """It tells rows, or leaves the state as it is, and no kind does both."""
    assert set(ACTS) | WITHOUT_STATE == set(KINDS)
    assert not set(ACTS) & WITHOUT_STATE


@pytest.mark.parametrize("kind", ["decision", "read", "transfer", "key_rotation"])
def test_some_kinds_leave_the_state_as_it_is(kind: str) -> None:
    """They are taken in and tell no row, whatever they hold."""
    replay = replay_of(event(kind, 1))
    assert [table for table in TABLES if list(replay.missing(table))] == []


def test_an_unknown_kind_is_said() -> None:
    """It is neither refused nor taken in, whether it is new, missing or one that has a number and no meaning here."""
    assert not Replay().tell(event("something new", 1))
    assert not Replay().tell({})
    assert not Replay().tell({"kind": None})


def test_a_kind_without_a_number_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is one that nobody wrote rows for."""
    monkeypatch.delitem(KINDS, "suspension")
    assert not Replay().tell(SUSPENSION)
    monkeypatch.setitem(KINDS, "novelty", 99)
    assert not Replay().tell(event("novelty", 1))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"at": 5}, "^TypeError: "),
        ({"at": "soon"}, "^ValueError: "),
        ({"grants": [1]}, "^TypeError: "),
        ({"grants": [{"third_parties": True}]}, "^KeyError: "),
        ({"releases": ["text"]}, "^TypeError: "),
        ({"grants": [CONSENT["grants"][0] | {"third_party_grants": None}]}, "^TypeError: "),
    ],
)
def test_what_an_event_lacks_is_said(change: Row, says: str) -> None:
    """With the kind of the fault: of the wrong type, out of range, missing."""
    with pytest.raises(NotComplete, match=says):
        Replay().tell(CONSENT | change)


def test_a_member_that_is_no_object_is_said() -> None:
    """Where one that may be left out was looked for."""
    approval = event("approval", 1, id="a", subject="east", sender=None, recipient=None, purpose=None)
    with pytest.raises(NotComplete, match=r"^AttributeError: "):
        Replay().tell(approval | {"approved_by": "D", "norm": "x", "valid_until": None})


def test_an_event_told_twice_is_said() -> None:
    """The second is not complete, because what it tells was told."""
    replay = replay_of(SUSPENSION)
    with pytest.raises(NotComplete, match=r"^ValueError: suspensions \('s',\) was told before$"):
        replay.tell(SUSPENSION)


def test_a_row_as_told_has_no_differences() -> None:
    """And is missing no more."""
    replay = replay_of(SUSPENSION)
    assert list(replay.missing("suspensions")) == [("s",)]
    assert replay.compare("suspensions", SUSPENDED) == []
    assert list(replay.missing("suspensions")) == []


def test_each_column_that_differs_is_named() -> None:
    """With what was told and what is held; columns that are not compared do not matter."""
    replay = replay_of(SUSPENSION)
    held = SUSPENDED | {"recorded_at": instant(2), "partner_id": "west", "network_id": 4}
    assert replay.compare("suspensions", held) == [
        Difference("partner_id", "east", "west"),
        Difference("recorded_at", instant(1), instant(2)),
    ]


@pytest.mark.parametrize("column", TABLES["consents"][1])
def test_a_consents_columns_are_each_compared(column: str) -> None:
    """A column held otherwise is the one that is named."""
    found = replay_of(CONSENT).compare("consents", CONSENT_ROW | {column: "other"})
    assert found == [Difference(column, CONSENT_ROW[column], "other")]


def test_a_row_that_nobody_told_is_none() -> None:
    """And so is one that was compared already."""
    replay = replay_of(SUSPENSION)
    assert replay.compare("suspensions", SUSPENDED | {"suspension_id": "r"}) is None
    assert replay.compare("suspensions", SUSPENDED) == []
    assert replay.compare("suspensions", SUSPENDED) is None


def test_what_is_untold_of_a_row_is_not_compared() -> None:
    """A consent says which bytes were shown, and not of what they are a translation."""
    held: Row = {"text_id": "t", "language": "ar", "sha256": "aa", "content": "aa", "translation_of": "anything"}
    assert replay_of(CONSENT).compare("text_languages", held) == []
    other = replay_of(CONSENT).compare("text_languages", held | {"content": "bb"})
    assert other == [Difference("content", "aa", "bb")]


def test_changes_of_what_was_not_told_are_counted() -> None:
    """None at first."""
    assert replay_of(CONSENT).unattached == 0
    act = event("ending", 7, id="x", client="p", effective_at=text(6), grants=["g1", "other"])
    assert replay_of(CONSENT, act).unattached == 1


NOTHING: Row = dict.fromkeys(("sender_id", "recipient_id", "purpose_id", "outcome", "person"))


def test_the_search_columns_of_a_decision() -> None:
    """All of them."""
    assert search_columns(DECISION) == {
        "event_id": "d",
        "at": instant(1),
        "client_id": "p",
        "actor_id": "north",
        "kind": KINDS["decision"],
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
    head: Row = {"event_id": "t", "at": instant(3), "client_id": "p", "actor_id": "north"}
    sender = {"kind": KINDS["transfer"], "sender_id": "north"}
    assert search_columns(TRANSFER) == NOTHING | head | sender
    assert search_columns(TRANSFER | {"kind": "read"}) == NOTHING | head | {"kind": KINDS["read"]}
    assert search_columns(TRANSFER | {"kind": "something new"}) == NOTHING | head | {"kind": None}
    explained = TRANSFER | {"kind": "consent", "information": {"explained_by": "B-12"}}
    assert search_columns(explained) == NOTHING | head | {"kind": KINDS["consent"], "person": "B-12"}


@pytest.mark.parametrize("member", ["kind", "id", "at", "client", "actor", "recipient", "purpose", "outcome"])
def test_search_columns_need_their_members(member: str) -> None:
    """Whichever is missing."""
    with pytest.raises(KeyError, match=member):
        search_columns({name: value for name, value in DECISION.items() if name != member})


def test_a_transfer_is_told_whole() -> None:
    """Every column, its categories sorted."""
    assert told_transfer(TRANSFER) == {
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
