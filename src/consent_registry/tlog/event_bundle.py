"""The verifiable bundle of events: JSON Lines, each a leaf's index with what opens it, by ascending index.

The first line says of which log and what is in it: `{"bundle": 1, "origin": …, "size": …, "slice": "all"}`, where
`size` is that of the checkpoint it was made for. With the slice `all` every event below `size` is there, but those that
an erasure or retention event lists; any other slice (a controller's) holds only some, and nothing is said of the rest.
A controller's has the member `actor` besides, whatever the controller is called: with it, no bundle is a whole one.
Each further line is `{"index": 4711, "event": base64 of the event's exact bytes, "nonce": base64 of its 32 bytes}`.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.tlog.refusal import AuditRefusal

WHOLE = "all"
FORMAT = 1


class BundleRefused(AuditRefusal):
    """A bundle's line cannot be read; the message has its number."""


class BundleHead(msgspec.Struct, frozen=True):
    """The first line."""

    bundle: int
    origin: str
    size: int
    slice: str = WHOLE
    actor: str | UnsetType = UNSET

    @property
    def is_whole(self) -> bool:
        """Whether nothing may be missing but what was removed on record."""
        return self.slice == WHOLE and self.actor is UNSET


class OpenedEvent(msgspec.Struct, frozen=True):
    """A leaf's index, the event's exact bytes, and its nonce. In JSON bytes are base64."""

    index: int
    event: bytes
    nonce: bytes


_LINE = msgspec.json.Decoder(OpenedEvent)
_HEAD = msgspec.json.Decoder(BundleHead)


def format_bundle(head: BundleHead, events: Iterable[OpenedEvent]) -> Iterator[bytes]:
    """The lines of a bundle, each with its newline."""
    yield msgspec.json.encode(head) + b"\n"
    for event in events:
        yield format_event(event)


def format_event(event: OpenedEvent) -> bytes:
    """One event's line, with its newline."""
    return msgspec.json.encode(event) + b"\n"


def read_head(line: bytes) -> BundleHead:
    """The first line; raises BundleRefused."""
    try:
        head = _HEAD.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleRefused(f"line 1 of the events is not the head of a bundle: {error}") from error
    if head.bundle != FORMAT:
        raise BundleRefused(f"the bundle of events is of format {head.bundle}, not {FORMAT}")
    return head


def read_events(lines: Iterable[bytes]) -> Iterator[OpenedEvent]:
    """The further lines in order; raises BundleRefused with the number of a line that is none."""
    for number, line in enumerate(lines, 2):
        try:
            yield _LINE.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BundleRefused(f"line {number} of the events cannot be read: {error}") from error
