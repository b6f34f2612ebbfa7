"""All kinds of events, in the order of their numbers; how an event is written for the log, and read from it."""

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import msgspec

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events import (
    catalogue,
    clients,
    consents,
    decisions,
    erasure,
    grant_changes,
    keys,
    partners,
    receipt_codes,
    texts,
    withdrawals,
)
from consent_registry.domain.events.event import Event, EventHead

_TOPICS = (
    *(catalogue, clients, consents, decisions, erasure, grant_changes, keys),
    *(partners, receipt_codes, texts, withdrawals),
)


def _kinds_of(topic: ModuleType) -> Iterator[type[Event]]:
    """The kinds that a module defines: what has a number."""
    for found in vars(topic).values():
        if isinstance(found, type) and issubclass(found, Event) and "number" in vars(found):
            yield found


def kind_of(event: type[Event]) -> str:
    """The name of an event's kind, as in the event's member `kind`."""
    return str(event.__struct_config__.tag)


# By name and by number.
EVENTS: dict[str, type[Event]] = {
    kind_of(event): event
    for event in sorted((event for topic in _TOPICS for event in _kinds_of(topic)), key=lambda event: event.number)
}
NUMBERS: dict[str, int] = {kind: event.number for kind, event in EVENTS.items()}
KINDS: dict[int, str] = {number: kind for kind, number in NUMBERS.items()}


Decoder = msgspec.json.Decoder[EventHead]


class NotAnEvent(ValueError):
    """The bytes are not an event of the kind that they name: no JSON, or a member is missing or has a wrong type."""


class _RequiredHead(msgspec.Struct, frozen=True):
    """What no event lacks, whatever its kind."""

    v: int
    kind: str
    id: str
    at: str
    network: str
    actor: str | None
    client: str | None


def write_event(event: Event, nonce: bytes) -> bytes:
    """Encode an event as canonical JSON (RFC 8785): members in the order of their names, absent members left out. A
    value of which the log holds a commitment alone is hidden with this nonce.
    """

    def said(member: object) -> str:
        if not isinstance(member, Committed):
            raise TypeError(f"no event has a member of type {type(member).__name__}")
        return member.of(nonce)

    return msgspec.json.Encoder(order="sorted", enc_hook=said).encode(event)


def read_event(body: bytes, decoders: Mapping[str, Decoder] | None = None) -> EventHead:
    """Decode the bytes of an event; of a kind without a decoder only the head is decoded. Raises NotAnEvent."""
    try:
        kind = _REQUIRED.decode(body).kind
        return (_DECODERS if decoders is None else decoders).get(kind, _UNKNOWN).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnEvent(str(error)) from error


def decoders_of(events: Mapping[str, type[Event]]) -> Mapping[str, Decoder]:
    """Make a decoder for each of these kinds of events, by the kind's name."""
    return {kind: msgspec.json.Decoder(event, dec_hook=_read) for kind, event in events.items()}


def _read(kind: type, said: Any) -> Committed:  # noqa: ANN401 - of whatever type the member was
    if kind is not Committed or not isinstance(said, str):
        raise ValueError(f"a commitment is a text, not {type(said).__name__}")
    return Committed.read(said)


_REQUIRED = msgspec.json.Decoder(_RequiredHead)
_UNKNOWN: Decoder = msgspec.json.Decoder(EventHead, dec_hook=_read)
_DECODERS = decoders_of(EVENTS)
