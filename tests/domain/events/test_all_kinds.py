"""Every kind of event is one struct, which writes and reads the bytes that are in the log."""

import base64
import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.all_kinds import EVENTS, KINDS, NUMBERS, NotAnEvent, read_event, write_event
from consent_registry.domain.events.clients import LinkEvent
from consent_registry.domain.events.event import EventHead, EventPart
from consent_registry.domain.table_check import TableCheck

SAMPLES = Path(__file__).parents[2] / "samples"
NONCE = bytes(range(32))
# By number; a new kind is added at the end, with a number nobody has had. 36 was a kind that nothing writes any more.
NUMBERED = {
    1: "decision",
    2: "client",
    3: "consent",
    4: "withdrawal",
    5: "transfer",
    6: "read",
    7: "suspension",
    8: "reinstatement",
    9: "credential_revocation",
    10: "catalogue",
    11: "credential",
    12: "confirmation",
    13: "ending",
    14: "invalidation",
    15: "restriction",
    16: "restriction_lifting",
    17: "approval",
    18: "approval_revocation",
    19: "text",
    20: "stale_translation",
    21: "text_invalidation",
    22: "link_code",
    23: "link",
    24: "unlinking",
    25: "receipt_code",
    26: "key_rotation",
    27: "erasure",
    28: "retention",
    29: "hold",
    30: "hold_lifting",
    35: "evidence",
    37: "padding",
    38: "renewal",
    40: "policy",
    45: "late_withdrawal",
}


def logged() -> Iterator[bytes]:
    """Every event of the samples: one of each kind, and those of a day."""
    kinds = json.loads((SAMPLES / "events.json").read_text(encoding="utf-8"))
    yield from (sample["event"].encode() for sample in kinds.values())
    yield from day()


def day() -> Iterator[bytes]:
    """The events of a day's log that were not erased, in their order."""
    for line in (SAMPLES / "day" / "events.jsonl").read_text(encoding="utf-8").splitlines():
        opened = json.loads(line)
        if "event" in opened:
            yield base64.b64decode(opened["event"])


def test_a_kind_keeps_its_number() -> None:
    """Every database contains the numbers: none changes, and none stands for two kinds."""
    assert {number: kind for number, kind in KINDS.items() if number in NUMBERED} == NUMBERED
    assert {kind: number for number, kind in KINDS.items()} == NUMBERS
    assert 36 not in KINDS
    assert all(0 < number < 2**15 for number in KINDS)
    assert list(KINDS) == sorted(KINDS)


@pytest.mark.parametrize("body", [*logged()], ids=lambda body: json.loads(body)["kind"])
def test_what_was_logged_is_read_and_written_again_byte_for_byte(body: bytes) -> None:
    """With every absent member absent and every null null; its commitments are kept as they are."""
    event = read_event(body)
    kind = json.loads(body)["kind"]
    assert type(event) is EVENTS[kind]
    assert write_event(event, NONCE) == body


def test_what_was_logged_on_a_day_stands_for_rows() -> None:
    """Every event of a log, in its order, is taken in by the table check, and rows of many tables are expected."""
    table_check = TableCheck()
    assert all(table_check.add(read_event(body)) for body in day())
    assert {"networks", "partners", "flows", "clients", "consents", "grants", "grant_changes", "withdrawals"} <= {
        table for table, rows in table_check.expected.rows.items() if rows
    }


def test_an_event_of_an_unknown_kind_is_read_as_its_head() -> None:
    """A newer release may write kinds that this program does not know."""
    head = {"v": 1, "id": "e", "at": "2026-03-01T09:00:00.000000Z", "network": "small", "actor": "north"}
    event = read_event(json.dumps(head | {"kind": "novelty", "client": None, "act": "a", "other": 1}).encode())
    assert type(event) is EventHead
    assert (event.id, event.actor, event.act) == ("e", "north", "a")


@pytest.mark.parametrize("member", ["v", "kind", "id", "at", "network", "actor", "client", "norm"])
def test_an_event_that_lacks_a_member_is_none(member: str) -> None:
    """Of its head or of its kind."""
    hold = {"v": 1, "kind": "hold", "id": "e", "at": "", "network": "n", "actor": "a", "client": "c", "norm": "x"}
    lacking = {name: value for name, value in hold.items() if name != member}
    with pytest.raises(NotAnEvent, match=f"missing required field `{member}`"):
        read_event(json.dumps(lacking | {"placed_by": "D-1"}).encode())


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"1", b'{"kind":7}', b"[" * 100_000])
def test_bytes_that_are_no_event(body: bytes) -> None:
    """Are refused with one kind of error."""
    with pytest.raises(NotAnEvent):
        read_event(body)


def test_a_commitment_is_a_text() -> None:
    """Anything else in its place is refused."""
    link = {"v": 1, "kind": "link", "id": "e", "at": "", "network": "n", "actor": "a", "client": "c", "group": "g"}
    said = read_event(json.dumps(link | {"link_code_commitment": "x"}).encode())
    assert isinstance(said, LinkEvent)
    assert said.link_code_commitment == Committed.read("x")
    with pytest.raises(NotAnEvent, match="a commitment is a text, not int"):
        read_event(json.dumps(link | {"link_code_commitment": 1}).encode())


def structs(above: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """Every struct of events: heads, kinds and parts."""
    yield above
    for below in above.__subclasses__():
        yield from structs(below)


@pytest.mark.parametrize("struct", [*structs(EventHead), *structs(EventPart)])
def test_what_an_event_says_is_named_and_never_changes(struct: type[msgspec.Struct]) -> None:
    """Every struct is frozen, and takes its members by their names alone: two of one type cannot change places."""
    assert struct.__struct_config__.frozen
    members = inspect.signature(struct).parameters.values()
    assert {member.kind for member in members} <= {inspect.Parameter.KEYWORD_ONLY}
