"""Each command writes a constant number of entries, and the check of the log finds missing and surplus entries."""

from typing import Any

import pytest

from consent_registry.domain.act_entries import ActEntries, with_padding
from consent_registry.domain.events.all_kinds import EVENTS
from consent_registry.domain.events.clients import LinkEvent
from consent_registry.domain.events.event import LARGEST_GROUP, EventHead
from consent_registry.domain.events.grant_changes import PaddingEvent
from consent_registry.domain.retention_classes import STATE
from tests.domain.events.logged import event, read

Entry = dict[str, Any]
LINK: Entry = {"id": "g", "kind": "link"}


def logged(entry: Entry) -> EventHead:
    """An entry's event; its other members do not matter here."""
    return read(event(minute=1, **entry))


def entry(number: int, kind: str = "padding", act: str = "g") -> Entry:
    """An additional entry of a command."""
    return {"id": f"e{number}", "kind": kind, "act": act}


def whole(act: Entry) -> list[Entry]:
    """A command with all its entries."""
    return [act, *(entry(number, act=act["id"]) for number in range(1, logged(act).entries()))]


def faults(log: list[Entry | None], size: int | None = None) -> list[str]:
    """The faults of a log; None is a place whose event was removed."""
    reading = ActEntries()
    found = [reading.present(index, logged(entry)) for index, entry in enumerate(log) if entry is not None]
    found.append(reading.conclude(len(log) if size is None else size))
    return [fault for fault in found if fault is not None]


def test_the_number_of_entries_is_the_kinds() -> None:
    """A command that may reach all numbers of a client writes 16 entries, one that reaches one other number 2, any
    other 1.
    """
    entries = {kind: logged({"id": "a", "kind": kind}).entries() for kind in EVENTS}
    many = {kind for kind in EVENTS if entries[kind] == LARGEST_GROUP}
    assert many == {"link", "withdrawal", "ending", "restriction", "restriction_lifting"}
    assert {kind for kind in EVENTS if entries[kind] == 2} == {"confirmation", "invalidation"}
    assert [logged({"id": "a", "kind": "consent", "renews": renewed}).entries() for renewed in (None, "c")] == [1, 2]
    assert set(entries.values()) == {1, 2, LARGEST_GROUP}
    assert LARGEST_GROUP == 16


@pytest.mark.parametrize("others", [0, 1, 5, 15])
def test_padding_fills_up_what_others_leave(others: int) -> None:
    """Padding has no actor, names the command, and is recorded under the command's own client number."""
    acting = LinkEvent(id="g", client="mine", group="g")
    links = [
        LinkEvent(id=f"o{number}", actor=None, client=f"c{number}", act="g", group="g") for number in range(others)
    ]
    written = with_padding(acting, links, [f"p{number}" for number in range(16)])
    assert written[: 1 + others] == [acting, *links]
    padding = written[1 + others :]
    assert len(written) == 16
    assert {(type(event), event.client, event.actor, event.act) for event in padding} <= {
        (PaddingEvent, "mine", None, "g")
    }


def test_more_numbers_than_a_client_can_have_are_a_mistake() -> None:
    """A command for more client numbers than a client can have is refused, because padding could not hide it."""
    links = [LinkEvent(id=f"o{number}", actor=None, act="g", group="g") for number in range(16)]
    with pytest.raises(ValueError, match="more client numbers"):
        with_padding(LinkEvent(id="g", group="g"), links, [])


def test_padding_goes_with_its_act() -> None:
    """Padding has the retention class of state, so it is deleted together with its command's event."""
    assert {"padding", "renewal"} <= STATE


def test_a_whole_log_has_no_fault() -> None:
    """A log with commands of every size and with entries of any other kind has no fault."""
    link = whole(LINK)
    link[1] = entry(1, "link")
    ending = whole({"id": "x", "kind": "ending"})
    single: Entry = {"id": "d", "kind": "decision"}
    assert faults([single, *link, single, *ending, *whole({"id": "c", "kind": "consent", "renews": "b"}), single]) == []


@pytest.mark.parametrize("place", [1, 8, 15])
@pytest.mark.parametrize("follows", [{"id": "d", "kind": "decision"}, None])
def test_a_missing_entry_is_found(place: int, follows: Entry | None) -> None:
    """A missing entry is found anywhere in the log, also at its end, although later entries move up."""
    log = whole(LINK)
    del log[place]
    assert faults([*log, *([] if follows is None else [follows])]) != []


def test_an_entry_too_many_is_found() -> None:
    """A 17th entry is found, and so is an entry of a much earlier or of a nonexistent command."""
    decision: Entry = {"id": "d", "kind": "decision"}
    assert faults([*whole(LINK), entry(16)]) != []
    assert faults([*whole(LINK), decision, entry(16)]) != []
    assert faults([decision, entry(1, act="never")]) != []
    assert faults([*whole(LINK)[:5], entry(5, act="never"), *whole(LINK)[6:]]) != []


def test_what_was_removed_is_no_fault() -> None:
    """After an erasure padding goes with its command, while entries of other numbers may stay or go: no fault."""
    link: list[Entry | None] = [*whole(LINK)]
    link[1], link[2] = entry(1, "link"), entry(2, "link")
    without_one: list[Entry | None] = [*link]
    without_one[2] = None
    assert faults(without_one) == []
    act_removed: list[Entry | None] = [None, link[1], link[2], *[None] * 13]
    assert faults([*act_removed, {"id": "d", "kind": "decision"}]) == []
    assert faults([*act_removed, {"id": "d", "kind": "decision"}, entry(3, "link")]) != []


def test_padding_without_its_act_is_a_fault() -> None:
    """Padding without its command is a fault, because nothing removes only one of them."""
    assert faults([None, *whole(LINK)[1:]]) != []
