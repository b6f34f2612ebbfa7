"""How a data-protection officer sees an event: her own partner's whole, another's permit by its columns alone."""

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
from consent_registry.operations.running.actors import ADMINISTRATION
from consent_registry.operations.running.wire_members import LogEntry
from consent_registry.storage.oversight.event_search import ReceivedPermit
from consent_registry.storage.oversight.events import OwnEvent

_OUTCOME_NAMES: dict[int, Outcome] = {number: outcome for outcome, number in OUTCOMES.items()}


class EventView(msgspec.Struct, frozen=True):
    """An event. `client` is the own reference, where the event is about a client whom one's own partner knows. `event`
    are all facts the log holds; it is absent where another partner acted: then that something was permitted to come
    here is all there is to see.
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


class Views:
    """Makes views of what one page found: with the catalogue's names, the log's leaves and the own references."""

    def __init__(self, catalogue: Catalogue, leaves: Mapping[int, bytes], references: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self._leaves = leaves
        self._references = references

    def own(self, actor: str, row: OwnEvent, reference: str | None) -> EventView:
        """An event of the caller's; `reference` is whom it was about before that one was registered."""
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
        """What another was permitted to send to the caller."""
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
