"""Writes millions of consents directly into the tables, and makes questions about them.

Half of the clients have one grant, the others two or three. All grants of a client have the same sender, and their
flows are in the network's agreement. Of ten questions eight are about a flow to which the client agreed, one is about
another flow of the client, and one is about an unknown client.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.servers import Registry
from consent_registry.domain.identifiers import uuid7
from consent_registry.storage.keys.keyring import Keys, load_keys

CHUNK = 50_000
GRANTS_OF_CLIENTS = (1, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow that is based on consent, with numbers for the tables and slugs for questions."""

    sender_id: int
    recipient_id: int
    purpose_id: int
    category_ids: list[int]
    recipient: str
    purpose: str
    sender_is_bound: bool
    categories: list[str]


@dataclass(slots=True)
class Filler:
    """Makes clients with grants in one network, and keeps those of the asking partner in `known`."""

    keys: Keys
    network_id: int
    text_id: str
    asker_id: int
    flows: dict[int, list[Flow]]
    chance: random.Random
    known: list[tuple[str, list[Flow]]]

    def rows(self, clients: int, start: int) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of this number of clients, by table."""
        rows: dict[str, list[tuple[Any, ...]]] = {
            "clients": [],
            "client_references": [],
            "consents": [],
            "grants": [],
            "releases": [],
        }
        senders = sorted(self.flows)
        for number in range(start, start + clients):
            sender = self.chance.choice(senders)
            wanted = min(self.chance.choice(GRANTS_OF_CLIENTS), len(self.flows[sender]))
            flows = self.chance.sample(self.flows[sender], wanted)
            reference = f"B-{number:08d}"
            self._add(rows, reference, sender, flows)
            if sender == self.asker_id:
                self.known.append((reference, flows))
        return rows

    def _add(self, rows: dict[str, list[tuple[Any, ...]]], reference: str, sender: int, flows: Sequence[Flow]) -> None:
        given = datetime.now(UTC) - timedelta(days=self.chance.randrange(1, 300))
        until = given + timedelta(days=365)
        client, consent = self._id(given), self._id(given)
        digest = self.keys.digest("reference", self.network_id, sender, reference)
        partners = sorted({sender, *(flow.recipient_id for flow in flows)})
        rows["clients"].append((self.network_id, client, given))
        rows["client_references"].append(
            (self.network_id, sender, digest, self.keys.digest_key_id, client, b"\0" * 60, given)
        )
        head = (self.network_id, consent, client, sender, partners, self.text_id, "de", "self", "written", b"\0" * 32)
        rows["consents"].append((*head, "application/pdf", "B-1", "none", [], given, given, until, given))
        # Where secrecy binds the sender each recipient needs a release (§ 203 StGB); elsewhere nobody has one.
        bound = {flow.recipient_id for flow in flows if flow.sender_is_bound}
        releases = {recipient_id: self._id(given) for recipient_id in sorted(bound)}
        for recipient_id, release in releases.items():
            sides = (sorted((sender, recipient_id)), sender, recipient_id)
            rows["releases"].append((self.network_id, release, consent, client, *sides, "B-1"))
        for flow in flows:
            ids = (self.network_id, self._id(given), consent, client, sender, sender)
            what = (flow.recipient_id, flow.purpose_id, flow.category_ids)
            released = [releases[flow.recipient_id]] if flow.sender_is_bound else None
            rows["grants"].append((*ids, *what, True, "given", given, until, released))

    def _id(self, at: datetime) -> str:
        return uuid7(at, self.chance.randbytes(10))

    def questions(self, count: int) -> list[dict[str, Any]]:
        """Make this number of questions of the asking partner."""
        return [self._question(self.chance.randrange(10)) for _ in range(count)]

    def _question(self, kind: int) -> dict[str, Any]:
        reference, agreed = self.chance.choice(self.known)
        flow = self.chance.choice(agreed)
        if kind == 0:
            reference = f"N-{self.chance.randrange(10**8):08d}"
        elif kind == 1:
            flow = self.chance.choice(
                [other_flow for other_flow in self.flows[self.asker_id] if other_flow not in agreed] or agreed
            )
        categories = flow.categories[: self.chance.randrange(2, 4)]
        return {"client": reference, "recipient": flow.recipient, "purpose": flow.purpose, "categories": categories}


_COLUMNS = {
    "clients": "network_id client_id recorded_at",
    "client_references": "network_id partner_id digest digest_key client_id sealed recorded_at",
    "consents": """
        network_id consent_id client_id recorder_id partner_ids text_id language giver_role method evidence_sha256
        evidence_media_type explained_by interpreter_kind told given_at valid_from valid_until recorded_at
    """,
    "grants": """
        network_id grant_id consent_id client_id recorder_id sender_id recipient_id purpose_id category_ids explicit
        answer valid_from valid_until release_ids
    """,
    "releases": "network_id release_id consent_id client_id partner_ids holder_id towards_id person",
}


async def fill(registry: Registry, grants: int) -> Filler:
    """Add consents until the registry has this number of grants, and return the filler, which makes questions."""
    connection = await asyncpg.connect(registry.admin_dsn())
    try:
        filler = await _filler(connection, registry)
        # The rows are consistent, and checking each foreign key would take most of the time.
        await connection.execute("set session_replication_role = replica")
        await connection.execute("set search_path = registry")
        made = await connection.fetchval("select count(*) from grants")
        start = 0
        while made < grants:
            clients = min(CHUNK, (grants - made) * 4 // 7 + 1)
            rows = filler.rows(clients, start)
            for table, records in rows.items():
                await connection.copy_records_to_table(
                    table, records=records, columns=_COLUMNS[table].split(), schema_name="registry"
                )
            start += clients
            made += len(rows["grants"])
        await connection.execute("vacuum (analyze)")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
    return filler


async def _filler(connection: asyncpg.Connection, registry: Registry) -> Filler:
    network_id = await connection.fetchval(
        "select network_id from registry.networks where slug = $1", registry.network["slug"]
    )
    flows: dict[int, list[Flow]] = {}
    for row in await connection.fetch(
        """
        select f.sender_id, f.recipient_id, f.purpose_id, f.category_ids, r.slug as recipient, u.slug as purpose,
            jsonb_path_exists(s.functions, '$[*].secrecy_norm ? (@ != null)') as sender_is_bound,
            (select array_agg(c.slug order by c.category_id) from registry.data_categories c
             where c.network_id = $1 and c.category_id = any (f.category_ids)) as categories
        from registry.flows f
        join registry.partners r on r.network_id = $1 and r.partner_id = f.recipient_id
        join registry.partners s on s.network_id = $1 and s.partner_id = f.sender_id
        join registry.purposes u on u.network_id = $1 and u.purpose_id = f.purpose_id
        where f.network_id = $1 and f.basis = 'consent'
          and r.selectable and s.selectable and not r.isolated and not s.isolated
        order by f.sender_id, f.recipient_id, f.purpose_id
        """,
        network_id,
    ):
        flows.setdefault(row["sender_id"], []).append(Flow(*row.values()))
    return Filler(
        keys=load_keys(registry.data / "keys"),
        network_id=network_id,
        text_id=await connection.fetchval("select text_id from registry.texts where network_id = $1", network_id),
        asker_id=await connection.fetchval(
            "select partner_id from registry.partners where network_id = $1 and slug = $2", network_id, registry.partner
        ),
        flows=flows,
        chance=random.Random(7),
        known=[],
    )


def write_bodies(folder: Path, filler: Filler) -> None:
    """Write a file of request bodies for each kind of request."""
    folder.mkdir(parents=True, exist_ok=True)
    singles = filler.questions(20_000)
    _write(folder / "single", singles)
    _write(folder / "receipt", [{**question, "receipt": True} for question in singles])
    for size, count in ((50, 400), (1000, 40)):
        _write(folder / f"batch-{size}", [{"decisions": filler.questions(size)} for _ in range(count)])


def _write(path: Path, bodies: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(body, separators=(",", ":")) + "\n" for body in bodies))
