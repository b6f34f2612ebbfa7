"""The register that is tampered with: everything was done in it, and its logs are sealed and witnessed. The auditor who
relies on them kept checkpoints and receipts. Beside it an older copy: what a backup would bring back.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from consent_registry.operations.log.witness_service import Witness
from consent_registry.operations.log.witnesses import Prove
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.files.witness_state import WitnessState
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.tlog.checkpoint import Checkpoint
from consent_registry.tlog.note import COSIGNATURE, SignedNote, SignerKey
from consent_registry.tlog.policy import Policy
from consent_registry.tlog.witness import AddCheckpoint
from tests.operations.erasure.test_retention import in_years, retain
from tests.support.erasing import erasing, north
from tests.support.flag_network import with_flags
from tests.support.full_register import consents, fill, links, releases
from tests.support.installation import ISSUER, Installation, Registry, serving
from tests.support.office import Office, office
from tests.support.persons_with_history import a_life, erase
from tests.support.rewritten_setup import let_evidence_follow
from tests.support.sealing import Office as Desk
from tests.support.sealing import office as sealing
from tests.support.small_network import consent_body, question

LOGS = ("small", "paderborn", "flags")
# The log whose files are tampered with has one full tile and one that grows; the tall one has leaves and no events.
FILES, TALL = "paderborn", "widunetz"
TALL_SIZE = 65_800
OLDER, INTACT = "older", "intact"


@dataclass(slots=True)
class Attending:
    """A witness that attends every sealing."""

    witness: Witness

    async def cosign(self, note: bytes, size: int, prove: Prove) -> bytes:
        """Return the note with the witness's line."""
        latest = self.witness.state.latest(Checkpoint.parse(SignedNote.parse(note).text).origin)
        old = 0 if latest is None else Checkpoint.parse(latest.text).size
        path = await prove(old) if 0 < old < size else ()
        return note + self.witness.add_checkpoint(AddCheckpoint(old, tuple(path), note).format())


@dataclass(slots=True)
class Estate:
    """The register, a superuser's connections, a sealer at its desk, an exporter, and what a DPO has of it."""

    installation: Installation
    database: str
    folder: Path
    sql: asyncpg.Connection
    second: asyncpg.Connection
    desk: Desk
    runtime: Runtime
    policy_of: dict[str, Policy]
    witness: SignerKey
    kept: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    receipts: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def hands(self) -> tuple[asyncpg.Connection, asyncpg.Connection]:
        """Return two superusers' connections."""
        return self.sql, self.second

    async def number(self, slug: str) -> int:
        """Return a network's number."""
        return int(await self.sql.fetchval("select network_id from registry.networks where slug = $1", slug))

    async def keep(self, name: str) -> None:
        """Keep each log's checkpoint, as a DPO does every month."""
        for slug in LOGS:
            note = (await self.desk.checkpoint(slug)).note.format()
            self.kept.setdefault(slug, []).append((name, note))


@asynccontextmanager
async def estate(plain: Installation, folder: Path) -> AsyncIterator[Estate]:
    """Make the register for the length of a block; when it is given nobody serves it, and no rule guards its tables."""
    witness = Witness(
        WitnessState(folder / "witness"),
        SignerKey.of_seed("witness.example/w1", secrets.token_bytes(32), COSIGNATURE),
        time.time,
    )
    witness.state.make(witness.key)
    async with plain.copy() as database:
        await let_evidence_follow(plain.dsn(database, "postgres"))
        installation = await with_flags(plain, database)
        async with serving(installation, database) as registry:
            await fill(registry, folder / "ledger")
            await _retain(registry, folder)
        async with _opened(installation, database, folder, witness) as first:
            await _seal(first)
            await first.keep("august")
            kept = first.kept
        admin = await asyncpg.connect(installation.cluster.dsn())
        await admin.execute(f"create database {database}_{OLDER} template {database}")
        await admin.execute(f"revoke temporary on database {database}_{OLDER} from public")
        try:
            async with serving(installation, database) as registry:
                receipts = await _later(registry, folder)
            async with _opened(installation, database, folder, witness) as estate_:
                estate_.kept, estate_.receipts = kept, receipts
                await _seal(estate_)
                await estate_.keep("september")
                await _copy_older(estate_, f"{database}_{OLDER}")
                await _strip(estate_.sql)
                yield estate_
        finally:
            await admin.execute(f"drop database {database}_{OLDER} with (force)")
            await admin.close()


@asynccontextmanager
async def _opened(installation: Installation, database: str, folder: Path, witness: Witness) -> AsyncIterator[Estate]:
    policies = {}
    pool = await open_pool(installation.dsn(database), 2)
    second = await asyncpg.connect(installation.dsn(database, "postgres"))
    try:
        async with sealing(installation, database, folder / "heads", Attending(witness)) as desk:
            for slug in (*LOGS, TALL):
                origin = (await desk.log(slug)).origin
                vkey = SignerKey(origin, desk.tools.keys.all(origin)[0]).verifier
                witness.state.trust(vkey)
                text = f"log {vkey}\nwitness w1 {witness.key.verifier}\nquorum w1\n"
                policies[slug] = Policy.parse(text.encode())
            runtime = Runtime(pool, load_keys(installation.keys), ISSUER)
            yield Estate(installation, database, folder, desk.sql, second, desk, runtime, policies, witness.key)
    finally:
        await second.close()
        await pool.close()


async def _seal(made: Estate) -> None:
    for slug in LOGS:
        await made.desk.seal(slug)


async def _retain(registry: Registry, folder: Path) -> None:
    """Uses of years ago go, and what they leave is on record."""
    await in_years(registry, 4)
    async with erasing(registry, folder / "ledger") as eraser:
        assert await retain(eraser)
    await in_years(registry, 0)


async def _later(registry: Registry, folder: Path) -> list[tuple[str, bytes]]:
    """What happened after the backup; returns the receipts that somebody holds."""
    first, second = await office(registry, "north"), await office(registry, "south")
    await consents(first, second)
    await links(first, second)
    gone, _ = await a_life(first, second)
    async with erasing(registry, folder / "ledger") as eraser:
        await erase(eraser, north(gone))
    await a_life(first, second)
    await first.consent(await first.client())
    for _ in range(2):
        decision = await _permit(first)
        await first.post(f"/decisions/{decision['decision_id']}/transfers", {"outcome": "not_sent", "categories": []})
    await releases(registry)
    return await _many_decisions(registry)


async def _permit(first: Office) -> dict[str, object]:
    client = await first.client()
    await first.post("/consents", consent_body(client, first.text))
    return await first.post("/decisions", question(client), 200)


async def _many_decisions(registry: Registry) -> list[tuple[str, bytes]]:
    """Enough of them that the log's first tile is full."""
    awo = await office(registry, "awo-paderborn", FILES)
    flow = next(
        flow
        for agreement in (await awo.get("/agreements"))["items"]
        for flow in agreement["flows"]
        if flow["sender"] == "awo-paderborn" and flow["basis"] == "consent"
    )
    asked = {name: flow[name] for name in ("recipient", "purpose", "categories")}
    questions = [asked | {"client": f"N-{number}"} for number in range(150)]
    await awo.post("/decisions/batch", {"decisions": questions}, 200)
    receipts = []
    for _ in range(3):
        client = await awo.client()
        grant = {"sender": "awo-paderborn", **asked}
        await awo.post("/consents", consent_body(client, awo.text, **grant))
        answer = await awo.post("/decisions", asked | {"client": client, "receipt": True}, 200)
        receipts.append((answer["decision_id"], answer["receipt"].encode()))
    return receipts


async def _copy_older(made: Estate, older: str) -> None:
    """Put the older copy's tables beside today's, and today's log once more, each in a schema of its own."""
    for schema in (OLDER, INTACT):
        await made.sql.execute(f"create schema {schema}")
    source = await asyncpg.connect(made.installation.dsn(older, "postgres"))
    try:
        for table in await tables(made.sql):
            await made.sql.execute(f"create table {OLDER}.{table} (like registry.{table})")
            await made.sql.execute(f"create table {INTACT}.{table} as table registry.{table}")
            rows = await source.fetch(f"select * from registry.{table}")
            if rows:
                await made.sql.copy_records_to_table(table, schema_name=OLDER, records=[tuple(row) for row in rows])
    finally:
        await source.close()


async def tables(sql: asyncpg.Connection) -> list[str]:
    """Return every table of the schema."""
    rows = await sql.fetch(
        "select relname from pg_class where relnamespace = 'registry'::regnamespace and relkind in ('r', 'p')"
        " and not relispartition order by relname"
    )
    return [row[0] for row in rows]


async def _strip(sql: asyncpg.Connection) -> None:
    """Take away every rule that a table's owner can take away."""
    for kinds in ("f", "cpu"):
        for table, name in await sql.fetch(
            "select conrelid::regclass::text, conname from pg_constraint where connamespace = 'registry'::regnamespace"
            " and strpos($1, contype::text) > 0 and coninhcount = 0 and conrelid <> 0",
            kinds,
        ):
            await sql.execute(f"alter table {table} drop constraint {name} cascade")
    for table, column in await sql.fetch(
        "select attrelid::regclass::text, quote_ident(attname) from pg_attribute where attnotnull and attnum > 0"
        " and attinhcount = 0 and attrelid in (select oid from pg_class where relnamespace = 'registry'::regnamespace"
        " and relkind in ('r', 'p'))"
    ):
        await sql.execute(f"alter table {table} alter column {column} drop not null")
