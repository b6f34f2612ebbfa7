"""A tamper campaign: what a superuser does to a register, and which of the project's own verbs says so.

A mutation counts as found when its judge names one of the findings that its kind admits, at the place where it was
made. Each is counted once: what leaves everything as it was, or was made before, is none.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import asyncpg

from consent_registry.domain.errors import NotFound
from consent_registry.operations.oversight.table_check import check_tables
from consent_registry.storage.keys.keyring import Keys
from consent_registry.tlog.report import Report
from tests.support.installation import ROLES

# What of a report is compared with what was expected: the finding's code, and its check with whatever names the place.
Finding = tuple[str, str]
Judge = Callable[[asyncpg.Connection, str, Keys | None], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One thing done to a database. `statement` returns whether anything is another than before; `place` begins what a
    finding must name, and `codes` are those of which one must be named there.
    """

    kind: str
    network: str
    statement: str
    place: str
    codes: frozenset[str]

    def is_named(self, findings: Iterable[Finding]) -> bool:
        """Whether one of these findings is what this must be found by."""
        return any(code in self.codes and where.startswith(self.place) for code, where in findings)


@dataclass(slots=True)
class Tally:
    """What was made and what was missed. Reproduced by the seed and the number of the mutation."""

    seed: int
    made: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _under_way: int = 0

    def begun(self) -> int:
        """How many were made or are under way."""
        return self.made.total() + self._under_way

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Have one under way for the length of a block."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def is_new(self, what: str) -> bool:
        """Whether this was not made before; from now on it was."""
        known = what in self._seen
        self._seen.add(what)
        return not known

    def count(self, kind: str, what: str, findings: Iterable[Finding], *, named: bool) -> None:
        """Count one, and keep it with what was said of it when it was missed."""
        self.made[kind] += 1
        if not named:
            self.missed.append(f"seed {self.seed}, number {self.made.total()}, {kind}: {what}: {list(findings)[:5]}")

    def require_all_found(self) -> None:
        """Assert that none was missed, or say which, with what makes it again."""
        assert not self.missed, "\n".join(self.missed)

    def figures(self) -> str:
        """Say how many there were of each kind."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.made.items()))
        return f"{self.made.total()} made, {len(self.missed)} missed ({kinds})"


def findings_of(report: Report) -> list[Finding]:
    """Return what a report found: a code, and where: the check, then the path where the finding has one."""
    return [(finding.code, f"{finding.path or check.name}") for check in report.checks for finding in check.findings]


@asynccontextmanager
async def undone(sql: asyncpg.Connection) -> AsyncIterator[None]:
    """Let a superuser past every trigger; what is done in the block never was."""
    transaction = sql.transaction()
    await transaction.start()
    try:
        await sql.execute("set local session_replication_role = replica")
        yield
    finally:
        await transaction.rollback()


async def replayed(sql: asyncpg.Connection, network: str, keys: Keys | None = None) -> list[Finding]:
    """Replay, as the auditor, what this transaction sees; with keys, what is sealed as well."""
    await sql.execute(f"set local role {ROLES['auditor']}")
    try:
        (audited,) = [report async for report in check_tables(sql, network, keys)]
    except NotFound:
        return [("no_such_network", "networks")]
    except (TypeError, ValueError, LookupError, AttributeError, asyncpg.PostgresError) as error:
        return [(f"crashed: {type(error).__name__} {error}", "")]  # which names nothing
    return findings_of(audited.report)


async def try_all(
    hands: Sequence[asyncpg.Connection],
    mutations: Iterable[Mutation],
    number: int,
    tally: Tally,
    keys: Keys | None = None,
    judge: Judge = replayed,
) -> None:
    """Make so many of these mutations, each alone in a transaction of its own, and let the judge see
    every one.

    Several hands work at once: what one does the others do not see.
    """
    left = iter(mutations)

    async def work(sql: asyncpg.Connection) -> None:
        while tally.begun() < number and (mutation := next(left, None)) is not None:
            if tally.is_new(mutation.statement):
                with tally.trying():
                    await _try(sql, mutation, tally, keys, judge)

    await asyncio.gather(*(work(sql) for sql in hands))


async def _try(sql: asyncpg.Connection, mutation: Mutation, tally: Tally, keys: Keys | None, judge: Judge) -> None:
    async with undone(sql):
        changed = await sql.fetchval(mutation.statement)
        if changed or mutation.statement.startswith("do "):  # a block that changes whole tables answers nothing
            seen = await judge(sql, mutation.network, keys)
            tally.count(mutation.kind, mutation.statement, seen, named=mutation.is_named(seen))


def in_turns(groups: Sequence[Iterator[Mutation]]) -> Iterator[Mutation]:
    """Take one of each group after the other, as long as there are any: none is left out for another's sake."""
    left = list(groups)
    while left:
        for group in list(left):
            mutation = next(group, None)
            if mutation is None:
                left.remove(group)
            else:
                yield mutation


def shuffled(rng: random.Random, mutations: Iterable[Mutation]) -> Iterator[Mutation]:
    """Give a group's mutations in an order of the seed's."""
    every = list(mutations)
    rng.shuffle(every)
    return iter(every)
