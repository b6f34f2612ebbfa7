"""The parts that all events share: the head, and what a kind defines for all its events.

The facts are complete: every consent's state can be recomputed from events alone. A kind is one struct below `Event`.
It says its number, how long its events are kept, which search columns they fill, how many entries an act of the kind
writes, its members, and the rows of the tables that they stand for. `all_kinds.py` writes and reads all of them.

A member may be absent from some events of its kind (`UNSET`); null is a value, and other bytes than absence.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal, Self

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.domain.commitments import Committed, commit, commit_to
from consent_registry.domain.decisions import Outcome
from consent_registry.domain.events.expected_rows import ExpectedRows, Row, make_row

EVENT_FORMAT = 1
# At most so many references mean one client, so an act changes at most so many client numbers.
LARGEST_GROUP = 16
# An act's own entry, and one about the consent that is renewed, which is under one client number.
ACT_AND_RENEWAL = 2
# An instant as events write it: UTC, six decimals and Z (`instants.format_instant`).
LoggedInstant = str
# `use` goes by age, because what it proves, reliance on a consent, lasts as long as its evidence. `state` goes with its
# consent or its client, and a catalogue's state never. `permanent` is what accounts for the log itself.
RetentionClass = Literal["use", "state", "permanent"]


class SearchColumns(msgspec.Struct, frozen=True):
    """The values of an event's search columns beside those of its head: slugs of the catalogue, a staff reference."""

    sender: str | None = None
    recipient: str | None = None
    purpose: str | None = None
    outcome: Outcome | None = None
    person: str | None = None


class EventPart(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object inside an event."""


class EventHead(msgspec.Struct, frozen=True, kw_only=True):
    """The members that events of every kind have. An event of a kind that this program does not know is read as its
    head alone.

    `client` is the client number the event is about. Where the caller may not know that number, the log holds null and
    `client_commitment`. `reference_commitment` is to the reference the actor used. `act` is the act whose entry this
    is: an entry about another client number than the act's own, or padding; it has no actor.

    `at`, `network` and an UNSET `actor` are filled in when the event is appended; an event that was read has all three.
    """

    v: int = EVENT_FORMAT
    id: str
    at: LoggedInstant = ""
    network: str = ""
    actor: str | UnsetType | None = UNSET
    client: str | None = None
    client_commitment: Committed | UnsetType = UNSET
    reference_commitment: Committed | UnsetType = UNSET
    act: str | UnsetType = UNSET

    @property
    def acting(self) -> str:
        """The slug of the partner that acted; raises ValueError for an event without an actor."""
        if not isinstance(self.actor, str):
            raise ValueError("this event names nobody who acted")  # noqa: TRY004 - a fault of the event
        return self.actor

    def is_about(self, nonce: bytes, reference: str) -> bool:
        """Whether the actor used this reference; the log holds a commitment to it, made with the event's nonce."""
        said = self.reference_commitment
        return said is not UNSET and said.of(nonce) == commit(nonce, "", reference.encode())

    def entries(self) -> int:
        """The number of log entries that the act writes, this one included (act_entries.py)."""
        return 1

    def searched(self) -> SearchColumns:
        """The values of the event's search columns beside those of its head."""
        return SearchColumns()

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The rows that the tables must hold because of this event, given the rows that earlier events require."""
        return ()


class Event(EventHead, frozen=True, kw_only=True, tag_field="kind"):
    """An event of a kind that this program knows."""

    # The kind's code in the search columns. Never changed, never used again: 36 was a kind that nothing writes now.
    number: ClassVar[int]
    retention_class: ClassVar[RetentionClass]
    # Whether the event search takes this kind in its filter. Entries that no act's caller may see are not searched for.
    is_searchable: ClassVar[bool] = True

    def recorded(self, network: str, at: LoggedInstant, actor: str | None) -> Self:
        """The event with its network, time and actor, as it is appended; a kind that has no actor stays without."""
        named = actor if self.actor is UNSET else self.actor
        return msgspec.structs.replace(self, network=network, at=at, actor=named)

    def hiding_client(self) -> Self:
        """The event with a commitment for the client's number, which the actor may not know."""
        if self.client is None:
            return self
        return msgspec.structs.replace(self, client=None, client_commitment=commit_to(self.client))

    def row(self, table: str, part: EventPart | None = None, **columns: Any) -> Row:  # noqa: ANN401 - of any type
        """A row of `table` with these columns. Every other column is the member of its name, of `part` if there is one;
        `recorded_at` is the event's time. Raises ValueError for a member that the event lacks.
        """
        return make_row(table, self if part is None else part, {"recorded_at": self.at, **columns})
