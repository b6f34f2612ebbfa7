"""Replay: what the tables must hold if the log is true, recomputed from events alone (docs/design/log.md).

A row is told by its table, a key and the columns that events tell; a column's name is the database's, its value a slug,
a text, a number, a time or a sorted list of slugs. What events do not tell is not here: the feed of changes, stored
answers, secrets, sealed texts, digests.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from consent_registry.domain.commitments import Commitment
from consent_registry.domain.events import KINDS, OUTCOMES, person_of
from consent_registry.domain.table_check.consent_rows import CONSENT_ACTS
from consent_registry.domain.table_check.expected_rows import TABLES, UNTOLD, Facts, Key, ToldRows, at, listed
from consent_registry.domain.table_check.other_rows import FRAME_ACTS
from consent_registry.domain.table_check.row_mapping import Act

ACTS: Mapping[str, Sequence[Act]] = {**CONSENT_ACTS, **FRAME_ACTS}
# These leave the state as it is; transfers, of which there are as many as permits, are compared one by one.
WITHOUT_STATE = frozenset({"decision", "read", "transfer", "key_rotation", "padding"})


class NotComplete(ValueError):
    """An event lacks what its kind must tell, or tells what was told before."""


class Difference(msgspec.Struct, frozen=True):
    """A column that is not what the log says."""

    column: str
    told: Any
    held: Any


class Replay:
    """One network's state as its events tell it, in the order of the log; then its tables are held against it."""

    def __init__(self) -> None:
        self._told = ToldRows()

    @property
    def unattached(self) -> int:
        """How many changes concern grants and releases whose own events are no longer there."""
        return self._told.unattached

    def tell(self, event: Facts, nonce: bytes = b"") -> bool:
        """Take in an event; its commitments are opened with `nonce`. False for a kind that is not known here. Raises
        NotComplete.
        """
        kind = event.get("kind")
        self._told.nonce = nonce
        if kind in WITHOUT_STATE:
            return True
        if kind not in KINDS or kind not in ACTS:
            return False
        try:
            for act in ACTS[kind]:
                act(self._told, event)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotComplete(f"{type(error).__name__}: {error}") from error
        return True

    def compare(self, table: str, row: Mapping[str, Any]) -> list[Difference] | None:
        """The columns of this row that are not as told; None for a row that no event tells of. Each row once."""
        keys, columns = TABLES[table]
        told = self._told.take(table, tuple(row[name] for name in keys))
        if told is None:
            return [] if self._told.says_nothing_of(table, row) else None
        pairs = [(name, *_opened(value, row[name])) for name, value in zip(columns, told, strict=True)]
        return [Difference(*one) for one in pairs if one[1] is not UNTOLD and one[1] != one[2]]

    def missing(self, table: str) -> Iterator[Key]:
        """The keys of rows that events tell of and that were not compared."""
        return iter(self._told.rows[table])


def _opened(told: Any, held: Any) -> tuple[Any, Any]:  # noqa: ANN401 - of whatever type a column has
    """What is told and what is held: of a commitment what was said, and what would be said of what is there."""
    if isinstance(told, Commitment):
        return told.said, told.of(held) if isinstance(held, bytes) else held
    return told, held


def search_columns(event: Facts) -> dict[str, Any]:
    """What the columns beside an event's bytes must hold, which a data-protection officer searches by."""
    kind = event["kind"]
    asked = kind == "decision"
    return {
        "event_id": event["id"],
        "at": at(event["at"]),
        "client_id": event["client"],
        "actor_id": event["actor"],
        "kind": KINDS.get(kind),
        "sender_id": event["actor"] if asked or kind == "transfer" else None,
        "recipient_id": event["recipient"] if asked else None,
        "purpose_id": event["purpose"] if asked else None,
        "outcome": OUTCOMES[event["outcome"]] if asked else None,
        "person": person_of(kind, event),
    }


def told_transfer(event: Facts) -> dict[str, Any]:
    """The row of a reported transfer as its event tells it."""
    return {
        "transfer_id": event["id"],
        "decision_id": event["decision"],
        "partner_id": event["actor"],
        "client_id": event["client"],
        "outcome": event["outcome"],
        "category_ids": listed(event["categories"]),
        "transferred_at": at(event["transferred_at"]),
        "recorded_at": at(event["at"]),
    }


def differences(told: Mapping[str, Any], held: Mapping[str, Any]) -> list[Difference]:
    """The columns that are not as told."""
    return [Difference(name, value, held[name]) for name, value in told.items() if held[name] != value]
