"""Made-up years of a network, put straight into the tables: consents and what became of them, as acts leave them."""

import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from consent_registry.domain.events.all_kinds import NUMBERS

NETWORK = 4711
SLUG = "past"
YEAR = timedelta(days=365)
# Columns of a consent that no rule looks at.
_CONSENT: tuple[Any, ...] = (1, [1, 2], uuid.UUID(int=1), "de", "self", "written", "B-1", "none", [])


@dataclass(slots=True)
class Grant:
    """A grant of a consent that was made up."""

    grant_id: uuid.UUID
    consent_id: uuid.UUID
    valid_until: datetime


@dataclass(slots=True)
class History:
    """Rows by table, made from a seed. `wild`: acts come late, and a client's later consents renew earlier ones."""

    rng: random.Random
    wild: bool
    clients: list[tuple[Any, ...]] = field(default_factory=list)
    memberships: list[tuple[Any, ...]] = field(default_factory=list)
    holds: list[tuple[Any, ...]] = field(default_factory=list)
    liftings: list[tuple[Any, ...]] = field(default_factory=list)
    consents: list[tuple[Any, ...]] = field(default_factory=list)
    grants: list[tuple[Any, ...]] = field(default_factory=list)
    changes: list[tuple[Any, ...]] = field(default_factory=list)
    releases: list[tuple[Any, ...]] = field(default_factory=list)
    release_changes: list[tuple[Any, ...]] = field(default_factory=list)
    transfers: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[datetime, uuid.UUID, uuid.UUID | None, int, bytes]] = field(default_factory=list)

    def new_id(self) -> uuid.UUID:
        """Return a number that the seed decides."""
        return uuid.UUID(int=self.rng.getrandbits(128), version=4)

    def event(
        self, kind: str, at: datetime, client: uuid.UUID | None, event_id: uuid.UUID | None = None, **said: object
    ) -> uuid.UUID:
        """Write an event; returns its number."""
        event_id = event_id or self.new_id()
        body = {name: str(value) if isinstance(value, uuid.UUID) else value for name, value in said.items()}
        self.events.append((at, event_id, client, NUMBERS[kind], json.dumps({"kind": kind, **body}).encode()))
        return event_id

    def later(self, moment: datetime, most: timedelta) -> datetime:
        """Return a moment up to so much later, before today."""
        return min(moment + most * self.rng.random(), NOW - timedelta(days=1))


NOW = datetime.now(UTC)


def make_history(seed: int, persons: int, *, wild: bool) -> History:
    """Make up what happened in twelve years."""
    made = History(random.Random(seed), wild)
    for _ in range(persons):
        numbers = [_client(made) for _ in range(made.rng.choice((1, 1, 1, 2)))]
        if len(numbers) > 1:
            group = made.new_id()
            made.memberships += [(NETWORK, client, 1, group, at) for client, at in numbers]
        for client, at in numbers:
            _life(made, client, at)
    return made


def _client(made: History) -> tuple[uuid.UUID, datetime]:
    client, at = made.new_id(), NOW - 12 * YEAR * made.rng.random()
    made.clients.append((NETWORK, client, at))
    made.event("client", at, client)
    if made.rng.random() < 0.2:
        made.event("hold_lifting", made.later(at, YEAR), client)
    if made.rng.random() < 0.1:
        hold = (NETWORK, made.new_id(), client, "legal_claims", "B-1", at)
        made.holds.append(hold)
        if made.rng.random() < 0.5:
            made.liftings.append((NETWORK, hold[1], client, "B-1", made.later(at, YEAR)))
    return client, at


def _life(made: History, client: uuid.UUID, at: datetime) -> None:
    given: list[Grant] = []
    releases: list[tuple[uuid.UUID, uuid.UUID]] = []
    for _ in range(made.rng.choice((0, 1, 1, 2, 3))):
        grants, release = _consent(made, client, made.later(at, 8 * YEAR), given)
        given += grants
        releases += release
    open_yet = list(given)
    for _ in range(made.rng.choice((0, 0, 1, 2))):
        touched = _act(made, client, open_yet, releases) if open_yet else []
        if not made.wild:
            open_yet = [grant for grant in open_yet if grant not in touched]
    for _ in range(made.rng.choice((0, 1, 2))):
        _use(made, client, given, at)


def _consent(
    made: History, client: uuid.UUID, at: datetime, earlier: Sequence[Grant]
) -> tuple[list[Grant], list[tuple[uuid.UUID, uuid.UUID]]]:
    consent, rng = made.new_id(), made.rng
    made.consents.append((NETWORK, consent, client, *_CONSENT, at, at, at + YEAR, at))
    made.event("consent", at, client, consent)
    grants = []
    for _ in range(rng.choice((1, 1, 2))):
        grant = Grant(made.new_id(), consent, at + YEAR * rng.choice((0.5, 1, 2, 4)))
        answer = rng.choice(("given", "given", "given", "refused", "requested"))
        made.grants.append((NETWORK, grant.grant_id, consent, client, answer, at, grant.valid_until))
        if made.wild or answer != "refused":
            grants.append(grant)
    releases = [(made.new_id(), consent)] if rng.random() < 0.3 else []
    made.releases += [(NETWORK, release, consent, client) for release, _ in releases]
    if rng.random() < 0.4:
        then = made.later(at, 8 * YEAR) if made.wild else at
        made.event(rng.choice(("receipt_code", "evidence")), then, client, consent=consent)
    if made.wild and earlier and grants and rng.random() < 0.5:
        renewed = rng.choice(earlier)
        made.changes.append(_change(made, renewed, consent, client, "renewed", at, grants[0].valid_until))
        if rng.random() < 0.5:
            made.event("renewal", at, client, act=consent, consent=renewed.consent_id)
    return grants, releases


def _act(
    made: History, client: uuid.UUID, given: list[Grant], releases: list[tuple[uuid.UUID, uuid.UUID]]
) -> list[Grant]:
    """A withdrawal, an ending or the like of some grants, which are returned; with its entry and padding."""
    rng = made.rng
    touched = rng.sample(given, rng.randint(1, len(given)))
    soonest, latest = min(grant.valid_until for grant in touched), max(grant.valid_until for grant in touched)
    at = made.later(latest, 4 * YEAR) if made.wild else min(soonest, NOW - timedelta(days=1))
    act, kind = made.new_id(), rng.choice(("withdrawn", "withdrawn", "partly", "ended", "invalidated", "restricted"))
    made.changes += [_change(made, grant, act, client, kind, at, None) for grant in touched]
    consents = {grant.consent_id for grant in touched}
    if kind in {"withdrawn", "ended"}:
        made.release_changes += [
            (NETWORK, release, made.new_id(), act, client, [1], kind, at, at)
            for release, consent in releases
            if consent in consents
        ]
    made.event("withdrawal" if kind in {"withdrawn", "partly"} else "ending", at, client, act)
    for _ in range(rng.choice((0, 1, 2))):
        made.event("padding", at, client, act=act)
    return touched


def _change(
    made: History, grant: Grant, act: uuid.UUID, client: uuid.UUID, kind: str, at: datetime, until: datetime | None
) -> tuple[Any, ...]:
    categories = [1] if kind == "partly" else None
    by = uuid.uuid4() if kind == "renewed" else None
    kind = "withdrawn" if kind == "partly" else kind
    return (NETWORK, grant.grant_id, made.new_id(), act, client, [1], kind, categories, until, at, at, by)


def _use(made: History, client: uuid.UUID, given: list[Grant], begin: datetime) -> None:
    rng, at = made.rng, made.later(begin, 12 * YEAR)
    grants = [str(grant.grant_id) for grant in rng.sample(given, min(len(given), rng.randint(0, 2)))]
    decision = made.new_id()
    if rng.random() < 0.7:
        made.event("decision", at, client, decision, grants=grants)
    if rng.random() < 0.3:
        made.event("decision", at, None, grants=[])
    if rng.random() < 0.5:
        transfer, sent = made.new_id(), made.later(at, YEAR / 10)
        made.transfers.append((NETWORK, transfer, decision, 1, client, "sent", [1], sent, sent))
        made.event("transfer", sent, client, transfer)


_COLUMNS = {
    "clients": "network_id client_id recorded_at",
    "client_memberships": "network_id client_id position group_id recorded_at",
    "holds": "network_id hold_id client_id norm placed_by recorded_at",
    "hold_liftings": "network_id hold_id client_id lifted_by recorded_at",
    "consents": "network_id consent_id client_id recorder_id partner_ids text_id language giver_role method"
    " explained_by interpreter_kind told given_at valid_from valid_until recorded_at",
    "grants": "network_id grant_id consent_id client_id answer valid_from valid_until recorder_id sender_id"
    " recipient_id purpose_id category_ids explicit",
    "grant_changes": "network_id grant_id change_id act_id client_id partner_ids kind category_ids valid_until"
    " effective_at recorded_at by_grant_id",
    "releases": "network_id release_id consent_id client_id partner_ids holder_id towards_id",
    "release_changes": "network_id release_id change_id act_id client_id partner_ids kind effective_at recorded_at",
    "transfers": "network_id transfer_id decision_id partner_id client_id outcome category_ids transferred_at"
    " recorded_at",
    "events": "network_id log_index at event_id client_id kind event nonce",
    "leaves": "network_id log_index leaf",
}


async def fill(sql: asyncpg.Connection, made: History) -> None:
    """Put a history into the tables of a network of its own, as an administrator."""
    events = sorted(made.events, key=lambda event: event[0])
    rows = {
        "clients": made.clients,
        "client_memberships": made.memberships,
        "holds": made.holds,
        "hold_liftings": made.liftings,
        "consents": made.consents,
        "grants": [(*grant, 1, 1, 2, 1, [1], False) for grant in made.grants],
        "grant_changes": made.changes,
        "releases": [(*release, [1], 1, 2) for release in made.releases],
        "release_changes": made.release_changes,
        "transfers": made.transfers,
        "events": [(NETWORK, place, *event, bytes(32)) for place, event in enumerate(events)],
        "leaves": [(NETWORK, place, bytes(33)) for place in range(len(events))],
    }
    async with sql.transaction():
        await sql.execute("set local session_replication_role = replica")
        await sql.execute(
            "insert into registry.networks values ($1, $2, 'Past', '', $2, true, now()) on conflict do nothing",
            NETWORK,
            SLUG,
        )
        for table in (*_COLUMNS, "retentions", "retention_periods"):
            await sql.execute(f"delete from registry.{table} where network_id = $1", NETWORK)  # noqa: S608 - our names
        for table, content in rows.items():
            if content:
                names = _COLUMNS[table].split()
                await sql.copy_records_to_table(table, records=content, columns=names, schema_name="registry")
