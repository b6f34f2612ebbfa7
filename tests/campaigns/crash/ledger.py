"""What partners were answered, compared with what the registry's log and tables contain.

`check` is pure: acts (what a partner sent and how it ended), entries (the log, read as the database's
superuser) and rows (ids found in the tables) go in, findings come out. An honest run has none.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import asyncpg

LEAF_VERSION = b"\x01"


class Outcome(Enum):
    """How an act ended, as the partner saw it after all its attempts."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused: nothing recorded"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Act:
    """One operation of a partner.

    Its event commits to `reference`, or names `about`: the decision that was transferred, the consent withdrawn.
    """

    number: int
    kind: str
    partner: str
    reference: str
    key: str | None = None
    about: str | None = None
    outcome: Outcome = Outcome.UNKNOWN
    event_id: str | None = None
    index: int | None = None
    leaf: bytes | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One index of the log: the leaf, and the event with its nonce if they are there."""

    index: int
    leaf: bytes | None
    event: bytes | None
    nonce: bytes | None

    def opens(self) -> bool:
        """Say whether the event and its nonce give the leaf."""
        if self.leaf is None or self.event is None or self.nonce is None:
            return False
        return self.leaf == LEAF_VERSION + hmac.digest(self.nonce, self.event, hashlib.sha256)

    def facts(self) -> dict[str, Any]:
        """Return the event's members; empty when the event is not there."""
        return {} if self.event is None else dict(json.loads(self.event))

    def names(self, reference: str) -> bool:
        """Say whether the event commits to this reference."""
        commitment = self.facts().get("reference_commitment")
        if not isinstance(commitment, str) or self.nonce is None:
            return False
        made = hmac.digest(self.nonce, reference.encode(), hashlib.sha256)
        return urlsafe_b64decode(commitment + "=" * (-len(commitment) % 4)) == made


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken promise: `promise` is one of the words of the campaign's report."""

    promise: str
    detail: str


@dataclass(slots=True)
class _Books:
    """The log by index and by event id, and which entries an act has accounted for."""

    entries: Mapping[int, Entry]
    baseline: int
    by_id: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    by_kind: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    used: dict[int, Act] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def note(self, promise: str, detail: str) -> None:
        self.findings.append(Finding(promise, detail))

    def use(self, entry: Entry, act: Act) -> None:
        if entry.index in self.used:
            self.note("duplicate", f"{act} and {self.used[entry.index]} share log index {entry.index}")
        self.used[entry.index] = act


def check(
    acts: Sequence[Act], log: Iterable[Entry], rows: Mapping[str, Sequence[str]], baseline: int = 0
) -> list[Finding]:
    """Return every broken promise.

    `rows` maps a kind of act to the ids in its table; `baseline` is the size the log had before the first act.
    """
    books = _Books({entry.index: entry for entry in log}, baseline)
    _check_log(books)
    for act in acts:
        if act.outcome is Outcome.ACKNOWLEDGED:
            _check_acknowledged(books, act, rows)
    _check_keys(books, acts)
    _check_rest(books, acts)
    _check_rows(books, rows)
    return books.findings


def _check_log(books: _Books) -> None:
    """The log is gap-free from 0 and every event opens its leaf."""
    indices = sorted(books.entries)
    if indices != list(range(len(indices))):
        missing = sorted(set(range(indices[-1] + 1)) - set(indices))[:5]
        books.note("gap", f"no entry at {missing} below {indices[-1]}")
    for entry in books.entries.values():
        if not entry.opens():
            books.note("unlogged", f"the event at {entry.index} does not open its leaf")
        facts = entry.facts()
        books.by_id[str(facts.get("id"))].append(entry)
        if entry.index >= books.baseline:
            books.by_kind[str(facts.get("kind"))].append(entry)
    for event_id, entries in books.by_id.items():
        if len(entries) > 1:
            books.note("duplicate", f"event {event_id} stands at {[entry.index for entry in entries]}")


def _check_acknowledged(books: _Books, act: Act, rows: Mapping[str, Sequence[str]]) -> None:
    """What was acknowledged is in the log where the answer said, and in its table."""
    entry = books.entries.get(act.index) if act.index is not None else _find(books, act)
    if entry is None:
        books.note("missing", f"{act}: no entry in the log")
        return
    if act.leaf is not None and entry.leaf != act.leaf:
        books.note("missing", f"{act}: another leaf at {entry.index}")
        return
    facts = entry.facts()
    if act.event_id is not None and facts.get("id") != act.event_id:
        books.note("unlogged", f"{act}: the event at {entry.index} is {facts.get('id')}")
    if not _fits(entry, act):
        books.note("unlogged", f"{act}: the event at {entry.index} tells something else: {facts}")
    if act.kind in rows and act.event_id is not None and rows[act.kind].count(act.event_id) != 1:
        books.note("missing", f"{act}: {rows[act.kind].count(act.event_id)} rows")
    books.use(entry, act)


def _find(books: _Books, act: Act) -> Entry | None:
    """Find the first entry not yet accounted for that fits an act whose answer named none."""
    if act.event_id is not None:
        return next(iter(books.by_id.get(act.event_id, [])), None)
    unused = (entry for entry in books.by_kind[act.kind] if entry.index not in books.used)
    return next((entry for entry in unused if _fits(entry, act)), None)


def _fits(entry: Entry, act: Act) -> bool:
    """Say whether an entry can be the record of an act."""
    facts = entry.facts()
    if facts.get("kind") != act.kind or facts.get("actor") != act.partner:
        return False
    if act.about is not None:
        consents = [grant.get("consent") for grant in facts.get("grants", [])]
        return act.about in [facts.get("decision"), *consents]
    return entry.names(act.reference)


def _check_keys(books: _Books, acts: Sequence[Act]) -> None:
    """One Idempotency-Key, one effect: whatever was sent under a key ended known, and in one place."""
    places: dict[str, set[int | str | None]] = defaultdict(set)
    for act in acts:
        if act.key is not None and act.outcome is Outcome.UNKNOWN:
            books.note("unresolved", f"{act}: its key did not settle it")
        if act.key is not None and act.outcome is Outcome.ACKNOWLEDGED:
            places[act.key].add(act.index if act.index is not None else act.event_id)
    for key, found in places.items():
        if len(found) > 1:
            books.note("duplicate", f"key {key} gave {sorted(map(str, found))}")


def _check_rest(books: _Books, acts: Sequence[Act]) -> None:
    """Whatever else the log holds is explained by an act with an unknown outcome, each explaining one entry. Entries
    that an act writes for other client numbers and as padding are explained by its own; the table check counts them.
    """
    unknown = [act for act in acts if act.outcome is Outcome.UNKNOWN and act.key is None]
    for index in sorted(set(books.entries) - set(books.used)):
        entry = books.entries[index]
        if index < books.baseline or entry.event is None or entry.facts().get("act") in books.by_id:
            continue
        known = next((act for act in unknown if _fits(entry, act)), None)
        if known is not None:
            unknown.remove(known)
            books.used[index] = known
            continue
        fitting = [act for act in acts if _fits(entry, act)]
        if any(act.outcome is Outcome.REFUSED for act in fitting):
            books.note("false failure", f"index {index} fits an act that was refused: {entry.facts()}")
        else:
            books.note("duplicate", f"nobody was told of index {index}: {entry.facts()}")


def _check_rows(books: _Books, rows: Mapping[str, Sequence[str]]) -> None:
    """Every row has its event, and every event of such a kind its row."""
    for kind, ids in rows.items():
        logged = {event_id for event_id, found in books.by_id.items() if found[0].facts().get("kind") == kind}
        for row in set(ids) - logged:
            books.note("unlogged", f"{kind} {row} stands in its table and not in the log")
        for event_id in logged - set(ids):
            books.note("missing", f"{kind} {event_id} stands in the log and not in its table")


async def read_log(connection: asyncpg.Connection, network: str, since: int = 0) -> list[Entry]:
    """Read a network's log from index `since` on as the database's superuser."""
    records = await connection.fetch(
        "select coalesce(e.log_index, l.log_index) as log_index, leaf, event, nonce"
        " from (select * from leaves where log_index >= $2"
        " and network_id = (select network_id from networks where slug = $1)) l"
        " full join (select * from events where log_index >= $2"
        " and network_id = (select network_id from networks where slug = $1)) e"
        " on e.log_index = l.log_index order by 1",
        network,
        since,
    )
    return [Entry(record["log_index"], record["leaf"], record["event"], record["nonce"]) for record in records]


async def read_rows(connection: asyncpg.Connection, network: str) -> dict[str, list[str]]:
    """Read the ids of every consent, withdrawal and transfer of a network."""
    rows: dict[str, list[str]] = {}
    for kind in ("consent", "withdrawal", "transfer"):
        statement = (
            f"select {kind}_id::text as id from {kind}s"  # noqa: S608 - three constants
            " where network_id = (select network_id from networks where slug = $1)"
        )
        rows[kind] = [record["id"] for record in await connection.fetch(statement, network)]
    return rows
