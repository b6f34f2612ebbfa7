"""Finds what retention must remove in a network: reads candidates page by page, and the rules decide
(retention_rules.py).
"""

from collections import Counter
from collections.abc import AsyncIterator

import msgspec

from consent_registry.domain.retention_rules import (
    ClientRecord,
    DueConsents,
    RetentionPeriods,
    due_consents,
    due_uses,
    is_unused,
)
from consent_registry.storage.database.database import Connection
from consent_registry.storage.erasure import retention as storage

# So many clients are read and judged at a time.
PAGE = 500


class DueStep(msgspec.Struct, frozen=True):
    """What one transaction of retention removes: `uses`, `consents` or `clients`, with their numbers and log indices.

    `locked` are the clients whose exclusive locks it takes.
    """

    step: str
    periods: RetentionPeriods
    places: tuple[int, ...]
    consents: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()


class DueCount(msgspec.Struct, frozen=True):
    """How much is due for removal now: uses for each kind (number), consents and their events, clients; and how many
    clients are held.
    """

    periods: RetentionPeriods
    uses: dict[int, int]
    consents: int
    events_of_consents: int
    clients: int
    held: int


class DueReader:
    """Reads what is due for removal in one network, by the periods and holds that are in force when it is made."""

    def __init__(
        self, connection: Connection, network_id: int, periods: RetentionPeriods, held: frozenset[str]
    ) -> None:
        self._connection = connection
        self._network_id = network_id
        self._periods = periods
        self._held = held

    @classmethod
    async def of(cls, connection: Connection, network_id: int) -> "DueReader":
        """Make a reader with the network's present periods and holds."""
        periods = await storage.read_periods(connection, network_id)
        return cls(connection, network_id, periods, await storage.held_clients(connection, network_id))

    async def next_step(self, limit: int) -> DueStep | None:
        """Find the next step: uses, then consents, then clients, about `limit` of them; None if nothing is due."""
        if places := await self._uses(limit):
            return DueStep("uses", self._periods, tuple(places))
        groups: list[DueConsents] = []
        consents = 0
        async for group in self._consents():
            groups.append(group)
            consents += len(group.consents)
            if consents >= limit:
                break
        if groups:
            return self._step_of_consents(groups)
        clients: list[str] = []
        async for client_id in self._clients():
            clients.append(client_id)
            if len(clients) >= limit:
                break
        return await self._step_of_clients(clients) if clients else None

    async def again(self, step: DueStep) -> DueStep | None:
        """Read a step again while its clients are locked, and return the part of it that is still due."""
        if step.step == "consents":
            wanted = set(step.consents)
            groups = await self._consents_of(list(step.locked))
            return self._step_of_consents([group for group in groups if wanted & set(group.consents)])
        if step.step == "clients":
            return await self._step_of_clients(await self._unused(list(step.locked)))
        return step

    async def count(self) -> DueCount:
        """Count everything that is due."""
        uses = await storage.count_old_uses(
            self._connection, self._network_id, self._periods.uses_before, sorted(self._held)
        )
        found: Counter[str] = Counter()
        async for group in self._consents():
            found.update(consents=len(group.consents), places=len(group.places))
        async for _ in self._clients():
            found.update(clients=1)
        return DueCount(self._periods, uses, found["consents"], found["places"], found["clients"], len(self._held))

    async def _uses(self, limit: int) -> list[int]:
        places: list[int] = []
        after = -1
        while len(places) < limit:
            page = await storage.old_uses(self._connection, self._network_id, self._periods.uses_before, after, limit)
            places += due_uses(page, self._periods, self._held)
            if len(page) < limit:
                break
            after = page[-1].log_index
        return places[:limit]

    async def _consents(self) -> AsyncIterator[DueConsents]:
        async for page in self._pages(storage.clients_with_consents):
            for group in await self._consents_of(page):
                yield group

    async def _clients(self) -> AsyncIterator[str]:
        async for page in self._pages(storage.clients_without_consents):
            for client_id in await self._unused(page):
                yield client_id

    async def _pages(self, read: storage.ClientPageReader) -> AsyncIterator[list[str]]:
        after = None
        while page := await read(self._connection, self._network_id, self._periods.consents_before, after, PAGE):
            yield page
            after = page[-1]

    async def _consents_of(self, client_ids: list[str]) -> list[DueConsents]:
        records = self._records(client_ids)
        return [group async for record in records for group in due_consents(record, self._periods, self._held)]

    async def _records(self, client_ids: list[str]) -> AsyncIterator[ClientRecord]:
        for start in range(0, len(client_ids), PAGE):
            page = client_ids[start : start + PAGE]
            for record in await storage.read_client_records(self._connection, self._network_id, page):
                yield record

    async def _unused(self, client_ids: list[str]) -> list[str]:
        persons = await storage.read_person_records(self._connection, self._network_id, client_ids)
        return sorted(person.client_id for person in persons if is_unused(person, self._periods, self._held))

    def _step_of_consents(self, groups: list[DueConsents]) -> DueStep:
        return DueStep(
            "consents",
            self._periods,
            places=tuple(sorted(place for group in groups for place in group.places)),
            consents=tuple(sorted(consent for group in groups for consent in group.consents)),
            locked=tuple(sorted({group.client_id for group in groups})),
        )

    async def _step_of_clients(self, client_ids: list[str]) -> DueStep:
        places = [entry.log_index async for record in self._records(client_ids) for entry in record.entries]
        return DueStep(
            "clients", self._periods, tuple(sorted(places)), clients=tuple(client_ids), locked=tuple(client_ids)
        )
