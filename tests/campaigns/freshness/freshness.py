"""What a history of consents, withdrawals and decisions must never show; pure, it sends nothing.

Times are the loader's own clock: `started` before the first byte is sent, `answered` after the last one arrived.
An operation whose outcome is unknown (connection lost, 503) has `answered=None`: it may have counted or not, and
the checker believes whichever excuses the registry. What remains is a proof of a fault, never a suspicion.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

Flow: TypeAlias = str
Permission: TypeAlias = tuple[Flow, str]  # flow and category


@dataclass(frozen=True, slots=True)
class Given:
    """A consent of one client; `grants` has what each grant permits."""

    client: str
    consent: str
    grants: Mapping[str, frozenset[Permission]]
    started: float
    answered: float | None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A withdrawal of one consent, or of everything (`consent=None`), wholly or of some categories. `flows` is what it
    takes back on other papers that were given before it.
    """

    client: str
    consent: str | None
    listed: frozenset[str]
    started: float
    answered: float | None
    categories: frozenset[str] | None = None
    flows: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision's question and what it permitted."""

    client: str
    flow: Flow
    asked: frozenset[str]
    permitted: frozenset[str]
    started: float
    answered: float


Operation: TypeAlias = Given | Withdrawn | Decided


@dataclass(frozen=True, slots=True)
class Fault:
    """`stale`: permitted what was surely withdrawn; `lost`: denied what was surely given."""

    kind: str
    category: str
    decision: Decided

    def __str__(self) -> str:
        """Name the client, flow and moment so that the log can be searched."""
        at = self.decision
        return f"{self.kind}: {at.client} {at.flow} {self.category}, asked {at.started:.6f} to {at.answered:.6f}"


@dataclass(slots=True)
class _Life:
    """When one permission of one grant may have begun and ended, at the earliest and at the latest."""

    begins: float
    begun: float
    ending: float = inf
    ended: float = inf


def faults(history: Iterable[Operation]) -> list[Fault]:
    """Return every decision that no order of the operations can explain."""
    by_client: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        by_client[operation.client].append(operation)
    return [fault for operations in by_client.values() for fault in _client_faults(operations)]


def _client_faults(operations: Sequence[Operation]) -> Iterator[Fault]:
    lives = _lives(operations)
    for decision in (o for o in operations if isinstance(o, Decided)):
        for category in sorted(decision.asked):
            known = lives.get((decision.flow, category), ())
            if category in decision.permitted:
                if not any(life.begins < decision.answered and decision.started < life.ended for life in known):
                    yield Fault("stale", category, decision)
            elif any(life.begun <= decision.started and decision.answered < life.ending for life in known):
                yield Fault("lost", category, decision)


def _lives(operations: Sequence[Operation]) -> dict[Permission, list[_Life]]:
    withdrawals = [o for o in operations if isinstance(o, Withdrawn)]
    lives: defaultdict[Permission, list[_Life]] = defaultdict(list)
    for given in (o for o in operations if isinstance(o, Given)):
        for grant, permissions in given.grants.items():
            for permission in permissions:
                lives[permission].append(_life(given, grant, permission, withdrawals))
    return lives


def _life(given: Given, grant: str, permission: Permission, withdrawals: Sequence[Withdrawn]) -> _Life:
    life = _Life(given.started, inf if given.answered is None else given.answered)
    for withdrawal in withdrawals:
        if withdrawal.categories is not None and permission[1] not in withdrawal.categories:
            continue
        named = grant in withdrawal.listed
        covered = withdrawal.consent in (None, given.consent) or permission in withdrawal.flows
        if named or covered:
            life.ending = min(life.ending, withdrawal.started)
        # A consent acknowledged before the withdrawal was sent is ended even where the answer forgot to list it.
        before = given.answered is not None and given.answered <= withdrawal.started
        if withdrawal.answered is not None and (named or (covered and before)):
            life.ended = min(life.ended, withdrawal.answered)
    return life


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the log, as far as freshness goes: `kind` consent, withdrawal, decision or anything else.

    `grants` is what a consent gave; `taken` names the grants a withdrawal took, with the categories, or None for all.
    """

    index: int
    kind: str
    client: str | None = None
    grants: Mapping[str, frozenset[Permission]] = field(default_factory=dict)
    taken: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    permitted: frozenset[Permission] = frozenset()


def log_faults(entries: Sequence[Entry]) -> list[str]:
    """Return where the log has a gap, or reads "withdrawal, permit" without a consent between."""
    found: list[str] = []
    live: dict[str, tuple[str | None, set[Permission]]] = {}
    for expected, entry in enumerate(entries, entries[0].index if entries else 0):
        if entry.index != expected:
            return [*found, f"index {entry.index} stands where {expected} was due"]
        if entry.kind == "consent":
            live |= {grant: (entry.client, set(permissions)) for grant, permissions in entry.grants.items()}
        elif entry.kind == "withdrawal":
            _take(live, entry)
        elif entry.kind == "decision" and entry.permitted:
            held: set[Permission] = set()
            for client, permissions in live.values():
                if client == entry.client:
                    held |= permissions
            found += [f"index {entry.index} permits {p} after its withdrawal" for p in sorted(entry.permitted - held)]
    return found


def _take(live: dict[str, tuple[str | None, set[Permission]]], entry: Entry) -> None:
    for grant, categories in entry.taken.items():
        if grant in live:
            client, permissions = live[grant]
            left = set() if categories is None else {p for p in permissions if p[1] not in categories}
            live[grant] = client, left
