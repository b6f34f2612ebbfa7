"""The verifiable bundle of events: a JSON Lines file with which an auditor can open the log's leaves.

The first line names the log and the contents: `{"bundle": 1, "origin": …, "size": …, "slice": "all"}`. `size` is that
of the checkpoint for which the bundle was made. The slice `all` holds every event below `size`, except those that an
erasure or retention event lists. Any other slice, such as a controller's, holds a part, and a missing event is no
finding. A controller's bundle also has the member `actor`; a bundle with `actor` is never whole, whatever name its
slice has. Each further line is `{"index": 4711, "event": base64 of the event's exact bytes, "nonce": base64 of its 32
bytes}`, by ascending index.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.tlog.refusal import TlogRefused

WHOLE = "all"
FORMAT = 1


class BundleRefused(TlogRefused):
    """A line of a bundle cannot be read; the message has its number."""


class BundleHead(msgspec.Struct, frozen=True):
    """The first line of a bundle: its log, size and contents."""

    bundle: int
    origin: str
    size: int
    slice: str = WHOLE
    actor: str | UnsetType = UNSET

    @property
    def is_whole(self) -> bool:
        """Whether every missing event must be listed by a removal (`erasure` or `retention`)."""
        return self.slice == WHOLE and self.actor is UNSET


class OpenedEvent(msgspec.Struct, frozen=True):
    """A leaf's index with the event's exact bytes and the nonce that open it. In JSON bytes are base64."""

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
    """Read a bundle's first line; raises BundleRefused."""
    try:
        head = _HEAD.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleRefused(f"line 1 of the events is not the head of a bundle: {error}") from error
    if head.bundle != FORMAT:
        raise BundleRefused(f"the bundle of events is of format {head.bundle}, not {FORMAT}")
    return head


def read_bundle_events(lines: Iterable[bytes]) -> Iterator[OpenedEvent]:
    """Read a bundle's events from its second line on; raises BundleRefused with the number of a malformed line."""
    for number, line in enumerate(lines, 2):
        try:
            yield _LINE.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BundleRefused(f"line {number} of the events cannot be read: {error}") from error
