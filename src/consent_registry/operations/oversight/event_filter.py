"""The filter of a data-protection officer's search, and its translation into the catalogue's numbers."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.decisions import Outcome
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.events.all_kinds import EVENTS, NUMBERS
from consent_registry.domain.events.decisions import OUTCOMES, DecisionEvent
from consent_registry.domain.instants import EARLIEST, LATEST
from consent_registry.operations.clients.clients import require_reference
from consent_registry.operations.runtime.actors import ADMINISTRATION, Actor
from consent_registry.operations.runtime.wire_members import Instant, Reference, Slug, StaffReference, instant_at
from consent_registry.storage.oversight.events import FlowFilter

# The kinds of event that a partner or the administration can search for as its own.
_OWN_KINDS = tuple(kind for kind, event in EVENTS.items() if event.is_searchable)
if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[_OWN_KINDS]
DECISION = DecisionEvent.number
# A recipient sees other partners' decisions only with these outcomes: they permit data to be sent to it.
_LETTING = (OUTCOMES["permit"], OUTCOMES["partial"])


class EventFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events; a member left out restricts nothing. `partner` is who acted; `recipient`, `purpose` and `outcome`
    are those of decisions; `person` is the own member of staff who explained, approved or placed a hold. The time is
    half-open: from <= at < until.
    """

    client: Reference | None = None
    partner: Slug | None = None
    recipient: Slug | None = None
    purpose: Slug | None = None
    outcome: Outcome | None = None
    kind: Kind | Annotated[list[Kind], Meta(min_length=1, max_length=len(_OWN_KINDS))] | None = None
    person: StaffReference | None = None
    from_: Instant | None = msgspec.field(default=None, name="from")
    until: Instant | None = None


class Criteria(msgspec.Struct, frozen=True):
    """A filter in the catalogue's numbers. `own`: the caller's own events can match. `others`: decisions that permitted
    others to send to the caller can match, only those of `sender_id` unless that is None.
    """

    kinds: tuple[int, ...]
    recipient_id: int | None
    purpose_id: int | None
    outcome: int | None
    person: str | None
    since: datetime
    until: datetime
    own: bool
    others: bool
    sender_id: int | None

    @property
    def flow(self) -> FlowFilter:
        """Recipients, purposes and outcomes; None for any."""
        return _only(self.recipient_id), _only(self.purpose_id), _only(self.outcome)

    @property
    def is_limited_in_time(self) -> bool:
        """Whether the filter has a limit in time."""
        return (self.since, self.until) != (EARLIEST, LATEST)

    @property
    def is_about_decisions(self) -> bool:
        """Whether the filter names a member that only decisions have."""
        return any(number is not None for number in (self.recipient_id, self.purpose_id, self.outcome))


def read_criteria(catalogue: Catalogue, actor: Actor, asked: EventFilter) -> Criteria:
    """Translate a filter into numbers; raises Malformed with every fault."""
    if asked.client is not None:
        require_reference(asked.client, "/client")
    faults = list(_unknown(catalogue, asked))
    since = instant_at(asked.from_, "/from", faults) or EARLIEST
    until = instant_at(asked.until, "/until", faults) or LATEST
    if since >= until:
        faults.append(Fault("/until", "must be after from"))
    names = _listed(asked.kind)
    if len(set(names)) != len(names):
        faults.append(Fault("/kind", "must not name a kind twice"))
    if faults:
        raise Malformed(faults=tuple(faults))
    if actor.partner_id == ADMINISTRATION:
        # When it voids a text it is shown the number of consents, not whose they are or when each was given.
        names = [name for name in names or _OWN_KINDS if name != "invalidation"]
    else:
        names = names or list(_OWN_KINDS)
    found = Criteria(
        kinds=tuple(NUMBERS[name] for name in names),
        recipient_id=None if asked.recipient is None else catalogue.partners[asked.recipient].partner_id,
        purpose_id=None if asked.purpose is None else catalogue.purposes[asked.purpose].purpose_id,
        outcome=None if asked.outcome is None else OUTCOMES[asked.outcome],
        person=asked.person,
        since=since,
        until=until,
        own=asked.partner in {None, actor.slug},
        others=False,
        sender_id=None if asked.partner is None else catalogue.partners[asked.partner].partner_id,
    )
    if found.is_about_decisions:
        found = msgspec.structs.replace(found, kinds=tuple(kind for kind in found.kinds if kind == DECISION))
    return msgspec.structs.replace(found, others=_may_be_others(actor, asked, found))


def _listed(kinds: str | list[str] | None) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds or []


def _unknown(catalogue: Catalogue, asked: EventFilter) -> list[Fault]:
    named = {"partner": asked.partner, "recipient": asked.recipient}
    faults = [
        Fault(f"/{member}", f"{slug!r} is no partner of this network")
        for member, slug in named.items()
        if slug is not None and slug not in catalogue.partners
    ]
    if asked.purpose is not None and asked.purpose not in catalogue.purposes:
        faults.append(Fault("/purpose", f"{asked.purpose!r} is no purpose of this network"))
    return faults


def _may_be_others(actor: Actor, asked: EventFilter, found: Criteria) -> bool:
    """Whether another partner's decision can match the filter. Its client and its member of staff are not shown, so a
    filter that names one matches none.
    """
    return (
        actor.partner_id != ADMINISTRATION
        and asked.client is None
        and asked.person is None
        and DECISION in found.kinds
        and found.outcome in {None, *_LETTING}
        and found.recipient_id in {None, actor.partner_id}
        and found.sender_id != actor.partner_id
    )


def _only(number: int | None) -> Sequence[int] | None:
    return None if number is None else [number]
