"""The eraser as tests use it, and a search of the whole database for what must not be in it any more."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from consent_registry.domain.catalogue import Network
from consent_registry.operations.erasure.erasures import ByConsent, ByReference, Eraser, find_network
from consent_registry.operations.erasure.holds import lift_hold, place_hold
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.files.erasure_ledger import ErasureLedger
from consent_registry.storage.keys.keyring import load_keys
from tests.support.installation import ISSUER, Registry


@asynccontextmanager
async def erasing(registry: Registry, ledger: Path) -> AsyncIterator[Eraser]:
    """Open the eraser's door to a running registry for the length of a block."""
    pool = await open_pool(registry.installation.dsn(registry.database, "eraser"), 2, statement_seconds=60)
    try:
        yield Eraser(pool, load_keys(registry.installation.keys), ErasureLedger(ledger))
    finally:
        await pool.close()


async def small(eraser: Eraser) -> Network:
    """Return the small network as the eraser sees it."""
    return await find_network(eraser, "small")


def north(reference: str) -> ByReference:
    """Name a person by north's reference."""
    return ByReference("north", reference)


@asynccontextmanager
async def administering(registry: Registry) -> AsyncIterator[tuple[Runtime, Network]]:
    """Open the operator's door, with the application's login, and give the small network."""
    pool = await open_pool(registry.installation.dsn(registry.database), 1)
    try:
        runtime = Runtime(pool, load_keys(registry.installation.keys), ISSUER)
        network = await runtime.network("small")
        assert network is not None
        yield runtime, network
    finally:
        await pool.close()


async def hold(registry: Registry, target: ByReference | ByConsent, norm: str = "legal_claims") -> str:
    """Place a legal hold on a person of the small network."""
    async with administering(registry) as (runtime, network):
        return await place_hold(runtime, network, target, norm=norm, placed_by="DPO-1")


async def lift(registry: Registry, hold_id: str) -> None:
    """Lift a legal hold."""
    async with administering(registry) as (runtime, network):
        await lift_hold(runtime, network, hold_id, lifted_by="DPO-1")


async def traces(connection: asyncpg.Connection, clients: Iterable[str]) -> set[bytes]:
    """Return whatever shows these clients: every id and every random value of a row that names them, every event's
    bytes, nonce and id. What the catalogue or another client's rows hold as well is no trace.
    """
    found: set[bytes] = set()
    numbers = [str(client) for client in clients]
    for table, column in await _client_columns(connection):
        rule = f"{column} && $1::uuid[]" if column.endswith("s") else f"{column} = any ($1::uuid[])"
        rows = await connection.fetch(f"select * from registry.{table} where {rule}", numbers)  # noqa: S608 - our names
        for row in rows:
            for name, value in row.items():
                if isinstance(value, bytes) and len(value) >= 8:
                    found.add(value)
                elif name.endswith("_id") and len(str(value)) == 36 and name != "text_id":
                    found.add(str(value).encode())
    return found | {number.encode() for number in numbers}


async def _client_columns(connection: asyncpg.Connection) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        """
        select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'registry'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and a.attname in ('client_id', 'client_ids') and a.atttypid in ('uuid'::regtype, 'uuid[]'::regtype)
        """
    )
    return [(row[0], row[1]) for row in rows]


async def search_everywhere(connection: asyncpg.Connection, canaries: Iterable[bytes]) -> list[tuple[str, str, str]]:
    """Look for texts and bytes in every column of every table of the schema, and in what ANALYZE keeps; return table,
    column and what was found.
    """
    wanted = {_seen(canary) for canary in canaries}
    found = []
    columns = await connection.fetch(
        """
        select c.oid::regclass::text as relation, quote_ident(a.attname) as name from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'registry'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and a.attnum > 0 and not a.attisdropped
        """
    )
    for column in columns:
        name, relation = column["name"], column["relation"]
        every = f"select distinct {name}::text as seen from {relation} where {name} is not null"  # noqa: S608 - our names
        for row in await connection.fetch(every):
            text = _as_text(row["seen"])
            found += [(relation, name, canary) for canary in wanted if canary in text]
    return found


def _seen(canary: bytes) -> str:
    """Bytes as PostgreSQL writes them, texts as they are."""
    try:
        text = canary.decode("ascii")
    except UnicodeDecodeError:
        return canary.hex()
    return text if text.isprintable() else canary.hex()


def _as_text(value: str) -> str:
    """A value and, where it is the bytes of an event, what they say."""
    if not value.startswith("\\x"):
        return value
    try:
        return value + bytes.fromhex(value[2:]).decode()
    except UnicodeDecodeError:
        return value


async def commitments_to(connection: asyncpg.Connection, reference: str) -> list[int]:
    """Return the places of events that say something about this reference: its commitment under their nonce."""
    rows = await connection.fetch("select log_index, nonce, event from registry.events")
    return [row["log_index"] for row in rows if _commits(row["nonce"], row["event"], reference)]


def _commits(nonce: bytes, event: bytes, reference: str) -> bool:
    commitment = base64.urlsafe_b64encode(hmac.digest(nonce, reference.encode(), "sha256")).rstrip(b"=").decode()
    return bool(json.loads(event).get("reference_commitment") == commitment)
