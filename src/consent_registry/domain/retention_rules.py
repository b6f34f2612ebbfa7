"""The rules of retention (docs/erasure.md): which uses, consents and clients are removed, and when.

Facts and the time come in as values. The database removes what it is named, and refuses some of it by itself whatever
these rules say (registry.retain).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

import msgspec

from consent_registry.domain.berlin import midnight_in_berlin
from consent_registry.domain.retention_classes import STATE_KINDS, USE_KINDS

_STATE_KINDS = frozenset(STATE_KINDS)
_ENDS = frozenset({"ended", "invalidated"})


class RetentionPeriods(msgspec.Struct, frozen=True):
    """A network's retention periods in calendar years, and the moments that follow: what ended before them is due."""

    use_years: int
    consent_years: int
    uses_before: datetime
    consents_before: datetime

    @property
    def youngest_removable(self) -> datetime:
        """The moment from which on nothing is removed: what happened since then is younger than the shortest period."""
        return max(self.uses_before, self.consents_before)


class OldUse(msgspec.Struct, frozen=True):
    """A use in the log: its index, kind and time, and the client that it was about, if that was known."""

    log_index: int
    kind: int
    at: datetime
    client_id: str | None


class PastChange(msgspec.Struct, frozen=True):
    """A change of a grant: of the whole grant, or (`whole` is false) of some categories; a renewal has a new
    `valid_until`.
    """

    act_id: str
    kind: str
    whole: bool
    valid_until: datetime | None
    recorded_at: datetime


class PastGrant(msgspec.Struct, frozen=True):
    """A grant with its changes."""

    grant_id: str
    answer: str
    valid_until: datetime
    changes: tuple[PastChange, ...] = ()


class PastConsent(msgspec.Struct, frozen=True):
    """A consent with its grants, and the acts that changed its releases, but for withdrawals."""

    consent_id: str
    recorded_at: datetime
    grants: tuple[PastGrant, ...] = ()
    release_acts: tuple[str, ...] = ()


class PastTransfer(msgspec.Struct, frozen=True):
    """A transfer, with the grants of its decision; None if the decision's event was removed: then any grant may be
    meant.
    """

    at: datetime
    grants: tuple[str, ...] | None


class StateEntry(msgspec.Struct, frozen=True):
    """A log entry about a client that is not a use, with the act it belongs to and the consent it names."""

    log_index: int
    event_id: str
    kind: int
    at: datetime
    act: str | None = None
    consent: str | None = None


class ClientRecord(msgspec.Struct, frozen=True):
    """The consents, transfers and log entries under one client number."""

    client_id: str
    consents: tuple[PastConsent, ...] = ()
    transfers: tuple[PastTransfer, ...] = ()
    entries: tuple[StateEntry, ...] = ()


class PersonRecord(msgspec.Struct, frozen=True):
    """A client number with the time of its registration, and what is recorded under all numbers of the same person: how
    many consents, the kinds of events, and the time of the last event.
    """

    client_id: str
    recorded_at: datetime
    consents: int
    kinds: tuple[int, ...]
    last_event_at: datetime | None


class DueConsents(msgspec.Struct, frozen=True):
    """Consents of one client that are removed together, with the log indices of all entries about them."""

    client_id: str
    consents: tuple[str, ...]
    places: tuple[int, ...]


def periods_at(use_years: int, consent_years: int, now: datetime) -> RetentionPeriods:
    """A network's retention periods, with the moments that follow from them at `now`. Something is due when the n-th
    calendar year after the one in which it ended has passed, in Germany.
    """
    year = _year_in_germany(now)
    return RetentionPeriods(use_years, consent_years, _begin_of(year - use_years), _begin_of(year - consent_years))


def _year_in_germany(moment: datetime) -> int:
    year = moment.astimezone(UTC).year
    return year + 1 if moment >= _begin_of(year + 1) else year


def _begin_of(year: int) -> datetime:
    return midnight_in_berlin(date(year, 1, 1))


def due_uses(uses: Iterable[OldUse], periods: RetentionPeriods, held: Collection[str]) -> list[int]:
    """The log indices of the uses that are due: older than their period, and not about a client with an open hold."""
    return [
        use.log_index
        for use in uses
        if use.kind in USE_KINDS and use.at < periods.uses_before and use.client_id not in held
    ]


def last_reliance(consent: PastConsent, transfers: Iterable[PastTransfer]) -> datetime:
    """The last moment at which somebody relied on a consent or could rely on it: the end of its last grant, or the last
    transfer under it. What was withdrawn in parts ends with its own validity; nothing ends before it was recorded.
    """
    own = {grant.grant_id for grant in consent.grants}
    relied = [transfer.at for transfer in transfers if transfer.grants is None or own & set(transfer.grants)]
    ends = [_end(grant, consent.recorded_at) for grant in consent.grants]
    return max([consent.recorded_at, *ends, *relied])


def _end(grant: PastGrant, recorded_at: datetime) -> datetime:
    if grant.answer == "refused":
        return recorded_at
    changes = grant.changes
    ended = [
        change.recorded_at
        for change in changes
        if change.kind in _ENDS or (change.kind == "withdrawn" and change.whole)
    ]
    if ended:
        return min(ended)
    renewed = [change.valid_until for change in changes if change.valid_until is not None]
    return max([grant.valid_until, *renewed])


def due_consents(record: ClientRecord, periods: RetentionPeriods, held: Collection[str]) -> list[DueConsents]:
    """The client's consents on which nobody has relied since the period began, in groups that must be removed together.

    An entry about a consent goes together with the consent, neither before nor after it. So what one act changed goes
    together, and so does a consent with the one that renewed it. A group waits for the youngest of all that
    belongs to it. A withdrawal, and a link that withdrew, go with their client, because they count for papers to come.
    """
    if record.client_id in held:
        return []
    due = []
    for consents, entries in _groups(record):
        old = all(last_reliance(consent, record.transfers) < periods.consents_before for consent in consents)
        if consents and old and all(_may_go(entry, periods) for entry in entries):
            names = tuple(sorted(consent.consent_id for consent in consents))
            due.append(DueConsents(record.client_id, names, tuple(sorted(entry.log_index for entry in entries))))
    return sorted(due, key=lambda group: group.consents)


def _may_go(entry: StateEntry, periods: RetentionPeriods) -> bool:
    return entry.kind in _STATE_KINDS and entry.at < periods.youngest_removable


def _groups(record: ClientRecord) -> Iterator[tuple[list[PastConsent], list[StateEntry]]]:
    """Consents and entries that are tied to each other: by an act that changed both, by an entry that names both."""
    leaders: dict[str, str] = {}
    for consent in record.consents:
        changes = [change for grant in consent.grants for change in grant.changes]
        acts = [change.act_id for change in changes if change.kind != "withdrawn"]
        for act in (*acts, *consent.release_acts):
            _tie(leaders, consent.consent_id, act)
    for entry in record.entries:
        for name in (entry.act, entry.consent):
            if name is not None:
                _tie(leaders, entry.event_id, name)
    groups: dict[str, tuple[list[PastConsent], list[StateEntry]]] = {}
    for consent in record.consents:
        groups.setdefault(_leader(leaders, consent.consent_id), ([], []))[0].append(consent)
    for entry in record.entries:
        groups.setdefault(_leader(leaders, entry.event_id), ([], []))[1].append(entry)
    yield from groups.values()


def _leader(leaders: dict[str, str], name: str) -> str:
    """The name that stands for all that are tied to this one."""
    while leaders.setdefault(name, name) != name:
        name = leaders[name]
    return name


def _tie(leaders: dict[str, str], name: str, act: str) -> None:
    leaders[_leader(leaders, name)] = _leader(leaders, act)


def is_unused(person: PersonRecord, periods: RetentionPeriods, held: Collection[str]) -> bool:
    """Whether a client's references can be removed: under all numbers of the person there is no consent, use or hold,
    and every event is old.
    """
    return (
        person.client_id not in held
        and person.consents == 0
        and person.recorded_at < periods.consents_before
        and _STATE_KINDS.issuperset(person.kinds)
        and (person.last_event_at is None or person.last_event_at < periods.consents_before)
    )


def proof_periods(records: Sequence[ClientRecord], periods: RetentionPeriods) -> tuple[int, datetime | None]:
    """The number of these clients' consents that are still within their period as proof, and the last period's end."""
    ends = [last_reliance(consent, record.transfers) for record in records for consent in record.consents]
    running = [end for end in ends if end >= periods.consents_before]
    if not running:
        return 0, None
    return len(running), _begin_of(_year_in_germany(max(running)) + periods.consent_years + 1)
