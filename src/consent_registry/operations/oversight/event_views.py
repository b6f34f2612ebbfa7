"""Views of events for a data-protection officer: her own partner's events whole, others' permits by columns only."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.decisions import Outcome
from consent_registry.domain.events.all_kinds import KINDS
from consent_registry.domain.events.decisions import OUTCOMES
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.operations.runtime.actors import ADMINISTRATION
from consent_registry.operations.runtime.wire_members import LogEntry
from consent_registry.storage.oversight.event_search import ReceivedPermit
from consent_registry.storage.oversight.events import OwnEvent

_OUTCOME_NAMES: dict[int, Outcome] = {number: outcome for outcome, number in OUTCOMES.items()}


class EventView(msgspec.Struct, frozen=True):
    """An event. `client` is the caller's reference, if the event is about one of its clients. `event` has all facts of
    the log; it is absent for another partner's decision, of which only the permit to send to the caller is shown.
    """

    id: str
    kind: str
    at: AnsweredInstant
    actor: str
    client: str | None
    recipient: str | None
    purpose: str | None
    outcome: Outcome | None
    person: str | None
    log: LogEntry
    event: dict[str, Any] | UnsetType = UNSET


class EventViews:
    """Makes views of a page's events with the catalogue's slugs, the leaves and the caller's references."""

    def __init__(self, catalogue: Catalogue, leaves: Mapping[int, bytes], references: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self._leaves = leaves
        self._references = references

    def own(self, actor: str, row: OwnEvent, reference: str | None) -> EventView:
        """The view of an event whose actor is the caller. `reference` is given for a question from before the reference
        was registered.
        """
        known = None if row.client_id is None else self._references.get(row.client_id)
        return EventView(
            id=row.event_id,
            kind=KINDS.get(row.kind, f"kind {row.kind}"),
            at=format_instant(row.place.at),
            actor=actor,
            client=reference or known,
            recipient=self._partner(row.recipient_id),
            purpose=self._purpose(row.purpose_id),
            outcome=None if row.outcome is None else _OUTCOME_NAMES[row.outcome],
            person=row.person,
            log=self._entry(row.place.index),
            event=msgspec.json.decode(row.event),
        )

    def received(self, row: ReceivedPermit) -> EventView:
        """The view of a decision that permitted another partner to send to the caller."""
        return EventView(
            id=row.event_id,
            kind="decision",
            at=format_instant(row.place.at),
            actor=self._partner(row.actor_id) or "",
            client=None,
            recipient=self._partner(row.recipient_id),
            purpose=self._purpose(row.purpose_id),
            outcome=_OUTCOME_NAMES[row.outcome],
            person=None,
            log=self._entry(row.place.index),
        )

    def _partner(self, number: int | None) -> str | None:
        return None if number in {None, ADMINISTRATION} else self._catalogue.partner_by_id[number or 0].slug

    def _purpose(self, number: int | None) -> str | None:
        return None if number is None else self._catalogue.purpose_by_id[number].slug

    def _entry(self, index: int) -> LogEntry:
        leaf = base64.b64encode(self._leaves[index]).decode()
        return LogEntry(self._catalogue.network.log_origin, index, leaf)
