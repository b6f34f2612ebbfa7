"""A new member of an event is written down once, in its struct."""

import json
from typing import Any

import pytest

from consent_registry.domain.catalogue import Catalogue, Network
from consent_registry.domain.events.all_kinds import EVENTS, NotAnEvent, decoders_of, read_event, write_event
from consent_registry.domain.events.erasure import HoldEvent
from consent_registry.domain.events.event import Event
from consent_registry.domain.events.tables import TABLES
from consent_registry.domain.table_check import Difference, TableCheck, search_columns
from consent_registry.operations.oversight.event_views import EventViews
from consent_registry.storage.oversight.events import EventPlace, OwnEvent
from tests.domain.events.logged import instant, text

NONCE = bytes(range(32))
COURT = "Sozialgericht Detmold"


class HoldOfACourt(HoldEvent, frozen=True, kw_only=True, tag="hold"):
    """A hold as it is, with one member more: nothing else in this module names it but what must be found of it."""

    court: str


DECODERS = decoders_of(EVENTS | {"hold": HoldOfACourt})
HOLD = HoldOfACourt(id="h", client="c", norm="legal_claims", placed_by="DPO-1", court=COURT)


@pytest.fixture
def body() -> bytes:
    """The hold as it is appended."""
    return write_event(HOLD.recorded("small", text(1), "north"), NONCE)


@pytest.fixture
def _with_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has a column for it: what a table holds is a fact of its own, and is written down once as well."""
    key, columns = TABLES["holds"]
    monkeypatch.setitem(TABLES, "holds", (key, (*columns, "court")))


def test_it_is_written_and_read(body: bytes) -> None:
    """The bytes have it in its place, and an event that lacks it is none."""
    members: dict[str, Any] = json.loads(body)
    assert members["court"] == COURT
    assert list(members) == sorted(members)
    read = read_event(body, DECODERS)
    assert read == HOLD.recorded("small", text(1), "north")
    assert isinstance(read, Event)
    assert write_event(read, NONCE) == body
    del members["court"]
    with pytest.raises(NotAnEvent, match="missing required field `court`"):
        read_event(json.dumps(members).encode(), DECODERS)


@pytest.mark.usefixtures("_with_column")
def test_it_is_compared_with_its_column(body: bytes) -> None:
    """The table check finds the row as it is, and names the column where it is not."""
    held = {"hold_id": "h", "client_id": "c", "norm": "legal_claims", "placed_by": "DPO-1", "recorded_at": instant(1)}
    for court, found in ((COURT, []), ("another", [Difference("court", COURT, "another")])):
        table_check = TableCheck()
        assert table_check.add(read_event(body, DECODERS))
        assert table_check.compare("holds", held | {"court": court}) == found


def test_it_is_shown_and_exported(body: bytes) -> None:
    """A data-protection officer's view of the event has it; what the event is searched by does not change."""
    columns = search_columns(read_event(body, DECODERS))
    row = OwnEvent(
        EventPlace(0, instant(1)), "h", "c", None, None, columns["kind"], None, columns["person"], NONCE, body
    )
    network = Network(1, "small", "Small", "", "registry.test/small")
    views = EventViews(Catalogue(network, 1, {}, {}, {}, (), {}, {}, {}), {0: bytes(33)}, {})
    shown = views.own("north", row, None)
    assert isinstance(shown.event, dict)
    assert (shown.kind, shown.person, shown.event["court"]) == ("hold", "DPO-1", COURT)


@pytest.mark.usefixtures("_with_column")
def test_control_a_struct_without_it_is_found(body: bytes) -> None:
    """Control: a program whose struct has no such member loses it on the way, and cannot compare the column."""
    read = read_event(body)
    assert isinstance(read, HoldEvent)
    assert write_event(read, NONCE) != body
    with pytest.raises(AttributeError, match="court"):
        TableCheck().add(read)
