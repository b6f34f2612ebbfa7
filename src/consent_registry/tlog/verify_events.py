"""Compares a bundle of events with a log: each event must open its leaf, and a removal must list each missing event."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from consent_registry.tlog.event_bundle import BundleHead, BundleRefused, OpenedEvent, read_bundle_events, read_head
from consent_registry.tlog.leaf import NONCE_LENGTH, opens
from consent_registry.tlog.policy import TrustedCheckpoint
from consent_registry.tlog.removals import MalformedRemoval, RemovalCheck
from consent_registry.tlog.report import Check, Verdict
from consent_registry.tlog.tile import TILE_WIDTH


class _KindAndIndices(msgspec.Struct, frozen=True):
    """The two members of an event that this check reads."""

    kind: str = ""
    indices: object = None


_KIND = msgspec.json.Decoder(_KindAndIndices)


class EventCheck:
    """Merges a bundle's events with the log's leaves, tile by tile."""

    def __init__(self, check: Check, trusted: TrustedCheckpoint, lines: Iterable[bytes] | None) -> None:
        self.check = check
        self._head: BundleHead | None = None
        self._next: OpenedEvent | None = None
        self._removals = RemovalCheck()
        self._size = trusted.checkpoint.size
        self._opened = 0
        self._last = -1
        self._at = 0
        self._lines: Iterator[OpenedEvent] = iter(())
        if lines is None:
            check.verdict, check.says = Verdict.NOT_ASKED, "no events were given"
            return
        remaining = iter(lines)
        self._lines = read_bundle_events(remaining)
        try:
            self._head = read_head(next(remaining, b""))
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
        """Check the bundle's events against the leaves from `start` on; `leaves` is None if they cannot be read."""
        head = self._head
        if head is None:
            return
        end = min(self._size, start + TILE_WIDTH)
        while self._next is not None and self._next.index < end:
            event = self._next
            if event.index >= head.size:  # otherwise a bundle could hide missing events by naming a smaller size
                detail = f"event {event.index} is beyond the {head.size} entries for which its bundle was made"
                self.check.find("event_beyond", detail, index=event.index)
            if leaves is not None:
                self._open(event, leaves[event.index - start])
            self._gap(head, event.index)
            self._at = event.index + 1
            self._advance()
        self._gap(head, end)

    def conclude(self) -> None:
        """Add findings for events that are missing although no removal lists them, and the reverse."""
        if self._head is None:
            return
        if self._next is not None:
            self.check.find("event_beyond", f"event {self._next.index} is beyond the log's end", index=self._next.index)
        if self._head.is_whole:
            for index in self._removals.unaccounted():
                detail = f"event {index} is missing, and no erasure or retention event lists it"
                self.check.find("event_missing", detail, index=index)
        for index in self._removals.returned():
            self.check.find("event_returned", f"event {index} is present although a removal lists it", index=index)
        self.check.says = self._summary(self._head)

    def _summary(self, head: BundleHead) -> str:
        sentences = [f"{self._opened} events open their leaves"]
        if head.is_whole:
            sentences.append(f"{len(self._removals.removed)} were removed on record")
        else:
            sentences.append(f"only the slice {head.slice} was given, so missing events were not checked")
        if head.size < self._size:
            sentences.append(f"entries from {head.size} on are younger than the bundle")
        return "; ".join(sentences)

    def _gap(self, head: BundleHead, end: int) -> None:
        """Note that the events from the current position up to `end` are missing."""
        if head.is_whole:
            for index in range(self._at, min(end, head.size)):
                self._removals.missing(index)
        self._at = end

    def _open(self, opened: OpenedEvent, leaf: bytes) -> None:
        index = opened.index
        if len(opened.nonce) != NONCE_LENGTH or not opens(leaf, opened.event, opened.nonce):
            self.check.find("event_not_opened", f"event {index} does not open its leaf", index=index)
            return
        self._opened += 1
        try:
            event = _KIND.decode(opened.event)
            self._removals.present(index, {"kind": event.kind, "indices": event.indices})
        except (msgspec.MsgspecError, UnicodeDecodeError, MalformedRemoval) as error:
            self.check.find("event_malformed", f"event {index}: {error}", index=index)

    def _advance(self) -> None:
        """Read the next event. A malformed or misplaced line ends the check; later events are not checked."""
        try:
            self._next = next(self._lines, None)
        except BundleRefused as error:
            self._give_up("events_malformed", str(error), None)
        if self._next is None:
            return
        if self._next.index <= self._last:
            self._give_up("events_order", f"event {self._next.index} comes after event {self._last}", self._next.index)
        else:
            self._last = self._next.index

    def _give_up(self, code: str, detail: str, index: int | None) -> None:
        self.check.find(code, detail, index=index)
        self._head = self._next = None
