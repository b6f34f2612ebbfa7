"""The steps of commands and decisions that promises rest on, and how far one answer reads.

A process has one of each, handed in with its Runtime. A test that must see a defect hands in a step that has it.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from consent_registry.domain import decisions
from consent_registry.domain.act_entries import with_padding
from consent_registry.domain.catalogue import FlowRules
from consent_registry.domain.decisions import Decision, Question
from consent_registry.domain.events.event import Event
from consent_registry.domain.grants import Grant
from consent_registry.domain.withdrawals import RecordedWithdrawal, Withdrawn, take_back_all
from consent_registry.operations.runtime.response_delay import ResponseValue, respond_after
from consent_registry.storage.clients.clients import ClientReference, find_own_clients, find_reference
from consent_registry.storage.clients.code_attempts import CodeKind, count_failures, lock_attempts
from consent_registry.storage.clients.links import lock_groups
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions.client_locks import FactsQuery, ResolvedClient, lock_clients
from consent_registry.storage.decisions.facts import Facts, load_facts


class LockGroups(Protocol):
    """Takes the exclusive locks of all client numbers that mean the same clients; see `lock_groups` in storage."""

    def __call__(
        self,
        connection: Connection,
        network_id: int,
        *,
        references: Sequence[tuple[int, bytes]] = (),
        client_ids: Sequence[str] = (),
    ) -> Awaitable[set[str]]:
        """The locked client numbers."""


class RespondAfter(Protocol):
    """Sends an answer after a constant time; see `respond_after` in response_delay.py."""

    def __call__(self, seconds: float, answering: Awaitable[ResponseValue], /) -> Awaitable[ResponseValue]:
        """What `answering` returns or raises, after so many seconds."""


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """The steps themselves, in the order of a decision and then of a command."""

    lock_clients: Callable[[Connection, int, Sequence[FactsQuery]], Awaitable[list[tuple[ResolvedClient, bool]]]] = (
        lock_clients
    )
    load_facts: Callable[[Connection, int, Sequence[FactsQuery]], Awaitable[Facts]] = load_facts
    decide: Callable[[Question, FlowRules, Sequence[Grant], datetime], Decision] = decisions.decide
    lock_groups: LockGroups = lock_groups
    find_reference: Callable[[Connection, int, int, Sequence[bytes]], Awaitable[ClientReference | None]] = (
        find_reference
    )
    lock_attempts: Callable[[Connection, int, int], Awaitable[None]] = lock_attempts
    count_failures: Callable[[Connection, int, int, CodeKind], Awaitable[int]] = count_failures
    find_own_clients: Callable[[Connection, int, int, Sequence[str]], Awaitable[set[str]]] = find_own_clients
    # Of a paper that is recorded, and of clients that are linked.
    take_back_all: Callable[[Iterable[Grant], Iterable[RecordedWithdrawal], datetime], list[Withdrawn]] = take_back_all
    with_padding: Callable[[Event, Sequence[Event], Sequence[str]], list[Event]] = with_padding
    respond_after: RespondAfter = respond_after


class ReadingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How far one answer reads, and how long a question waits."""

    # A search for a rare status returns a short page after this many queries; the cursor continues from there.
    search_rounds: int = 20
    # At most so many questions without a client are compared for one page; the cursor goes on from there.
    opened_questions: int = 1000
    # A page of an export ends with so many events, or after 20 stretches of so many places of the log each.
    export_events: int = 1000
    export_places: int = 5000
    # Seconds that a question waits for a client whose lock a command holds.
    lock_patience: float = 1.0
