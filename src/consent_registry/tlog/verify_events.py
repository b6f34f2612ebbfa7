"""A bundle of events against a log: every leaf must be opened by its event, and none may be missing without a word."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from consent_registry.tlog.event_bundle import BundleHead, BundleRefused, OpenedEvent, read_events, read_head
from consent_registry.tlog.leaf import NONCE_LENGTH, opens
from consent_registry.tlog.policy import TrustedCheckpoint
from consent_registry.tlog.removals import Account, MalformedRemoval
from consent_registry.tlog.report import Check, Verdict
from consent_registry.tlog.tile import TILE_WIDTH


class _Kind(msgspec.Struct, frozen=True):
    """What of an event matters here."""

    kind: str = ""
    indices: object = None


_KIND = msgspec.json.Decoder(_Kind)


class EventCheck:
    """A bundle's events, merged with the leaves as these come by."""

    def __init__(self, check: Check, trusted: TrustedCheckpoint, lines: Iterable[bytes] | None) -> None:
        self.check = check
        self._head: BundleHead | None = None
        self._next: OpenedEvent | None = None
        self._account = Account()
        self._size = trusted.checkpoint.size
        self._opened = 0
        self._last = -1
        self._at = 0
        self._lines: Iterator[OpenedEvent] = iter(())
        if lines is None:
            check.verdict, check.says = Verdict.NOT_ASKED, "no events were given"
            return
        every = iter(lines)
        self._lines = read_events(every)
        try:
            self._head = read_head(next(every, b""))
        except BundleRefused as error:
            check.find("events_malformed", str(error))
            return
        if self._head.origin != trusted.checkpoint.origin:
            check.find("events_other_log", f"the events are of the log {self._head.origin}")
            self._head = None
            return
        if self._head.size > trusted.checkpoint.size:
            check.find("events_larger", f"the events were exported at size {self._head.size}, the log is shorter")
        self._advance()

    def compare(self, start: int, leaves: Sequence[bytes] | None) -> None:
        """Open every leaf of these whose event is there."""
        head = self._head
        if head is None:
            return
        end = min(self._size, start + TILE_WIDTH)
        while self._next is not None and self._next.index < end:
            one = self._next
            if one.index >= head.size:  # else a bundle could say that it is older than what is missing from it
                detail = f"event {one.index} is beyond the {head.size} entries its bundle was made for"
                self.check.find("event_beyond", detail, index=one.index)
            if leaves is not None:
                self._open(one, leaves[one.index - start])
            self._gap(head, one.index)
            self._at = one.index + 1
            self._advance()
        self._gap(head, end)

    def conclude(self) -> None:
        """What is missing without a word, and what is there although it was removed."""
        if self._head is None:
            return
        if self._next is not None:
            self.check.find("event_beyond", f"event {self._next.index} is beyond the log's end", index=self._next.index)
        if self._head.is_whole:
            for index in self._account.unaccounted():
                detail = f"event {index} is missing, and no erasure or retention lists it"
                self.check.find("event_missing", detail, index=index)
        for index in self._account.returned():
            self.check.find("event_returned", f"event {index} was removed on record, and is there", index=index)
        self.check.says = self._summary(self._head)

    def _summary(self, head: BundleHead) -> str:
        said = [f"{self._opened} events open their leaves"]
        if head.is_whole:
            said.append(f"{len(self._account.removed)} were removed on record")
        else:
            said.append(f"only the slice {head.slice} was given, so nothing is said of missing ones")
        if head.size < self._size:
            said.append(f"entries from {head.size} on are younger than the bundle")
        return "; ".join(said)

    def _gap(self, head: BundleHead, end: int) -> None:
        """The events from where we are up to `end` are missing."""
        if head.is_whole:
            for index in range(self._at, min(end, head.size)):
                self._account.missing(index)
        self._at = end

    def _open(self, one: OpenedEvent, leaf: bytes) -> None:
        index = one.index
        if len(one.nonce) != NONCE_LENGTH or not opens(leaf, one.event, one.nonce):
            self.check.find("event_not_opened", f"event {index} does not open its leaf", index=index)
            return
        self._opened += 1
        try:
            event = _KIND.decode(one.event)
            self._account.present(index, {"kind": event.kind, "indices": event.indices})
        except (msgspec.MsgspecError, UnicodeDecodeError, MalformedRemoval) as error:
            self.check.find("event_malformed", f"event {index}: {error}", index=index)

    def _advance(self) -> None:
        """The next event; at a line that cannot be used the reading ends, and nothing is said of what would follow."""
        try:
            self._next = next(self._lines, None)
        except BundleRefused as error:
            self._give_up("events_malformed", str(error), None)
        if self._next is None:
            return
        if self._next.index <= self._last:
            self._give_up("events_order", f"event {self._next.index} stands after event {self._last}", self._next.index)
        else:
            self._last = self._next.index

    def _give_up(self, code: str, detail: str, index: int | None) -> None:
        self.check.find(code, detail, index=index)
        self._head = self._next = None
