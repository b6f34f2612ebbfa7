"""The table check: recomputes from events alone what the tables must hold, and compares (docs/design/log.md).

What the events do not say is not compared: the feed of changes, stored answers, secrets, sealed texts, digests.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from consent_registry.domain.commitments import Commitment
from consent_registry.domain.events.decisions import OUTCOMES
from consent_registry.domain.events.event import Event, EventHead
from consent_registry.domain.events.expected_rows import NOT_SAID, ExpectedRows, RowKey, at
from consent_registry.domain.events.tables import TABLES


class NotComplete(ValueError):
    """An event lacks a member that its kind requires, or repeats a fact that an earlier event recorded."""


class Difference(msgspec.Struct, frozen=True):
    """A column whose value is not the one that the log's events require."""

    column: str
    expected: Any
    held: Any


class TableCheck:
    """Collects the rows that a network's events require, in the order of the log, and then compares its tables with
    them. `expected` has the rows that were not compared yet.
    """

    def __init__(self) -> None:
        self.expected = ExpectedRows()

    @property
    def unattached(self) -> int:
        """How many changes concern grants and releases whose own events are no longer there."""
        return self.expected.unattached

    def add(self, event: EventHead, nonce: bytes = b"") -> bool:
        """Add the rows of an event; `nonce` opens its commitments. False for an unknown kind. Raises NotComplete."""
        if not isinstance(event, Event):
            return False
        self.expected.nonce = nonce
        try:
            for row in event.rows(self.expected):
                self.expected.add(row)
        except (KeyError, TypeError, ValueError) as error:
            raise NotComplete(f"{type(error).__name__}: {error}") from error
        return True

    def compare(self, table: str, row: Mapping[str, Any]) -> list[Difference] | None:
        """The columns of this row whose values are not the expected ones; None if no event requires the row. Each row
        once.
        """
        keys, columns = TABLES[table]
        expected = self.expected.take(table, tuple(row[name] for name in keys))
        if expected is None:
            return [] if self.expected.says_nothing_of(table, row) else None
        pairs = [(name, *_opened(value, row[name])) for name, value in zip(columns, expected, strict=True)]
        return [Difference(*pair) for pair in pairs if pair[1] is not NOT_SAID and pair[1] != pair[2]]

    def missing(self, table: str) -> Iterator[RowKey]:
        """The keys of the expected rows that the tables do not have."""
        return iter(self.expected.rows[table])


def _opened(expected: Any, held: Any) -> tuple[Any, Any]:  # noqa: ANN401 - of whatever type a column has
    """What is expected and what is held: of a commitment what the event says, and what it would say of what is held."""
    if isinstance(expected, Commitment):
        return expected.said, expected.of(held) if isinstance(held, bytes) else held
    return expected, held


def search_columns(event: EventHead) -> dict[str, Any]:
    """The search columns that an event must have, computed from the event."""
    searched = event.searched()
    return {
        "event_id": event.id,
        "at": at(event.at),
        "client_id": event.client,
        "actor_id": event.actor,
        "kind": event.number if isinstance(event, Event) else None,
        "sender_id": searched.sender,
        "recipient_id": searched.recipient,
        "purpose_id": searched.purpose,
        "outcome": None if searched.outcome is None else OUTCOMES[searched.outcome],
        "person": searched.person,
    }


def differences(expected: Mapping[str, Any], held: Mapping[str, Any]) -> list[Difference]:
    """The columns whose values are not the expected ones."""
    return [Difference(name, value, held[name]) for name, value in expected.items() if held[name] != value]
