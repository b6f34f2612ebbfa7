"""Every sealed value is bound to its row: in any other place it cannot be decrypted.

A column of bytes that is in neither list here fails.
"""

import itertools
import os
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent_registry.domain.errors import Unusable
from consent_registry.operations.keys.reencryption import reencrypt
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.associated_data import (
    EARLIER_WORDS,
    associated_data_of_answer,
    associated_data_of_reference,
    associated_data_of_text,
    earlier_associated_data,
)
from consent_registry.storage.keys.keyring import Keys, load_keys
from tests.operations.keys.test_reencryption import NOT_SEALED
from tests.support.full_register import consents, releases
from tests.support.installation import ISSUER, Installation, Registry, serving
from tests.support.office import office
from tests.support.rewritten_setup import let_evidence_follow

# By column: where a value of it stands, by table, row and the partner who may read it.
PLACES: dict[str, tuple[str, Callable[[asyncpg.Record], str]]] = {
    "client_references.sealed": (
        "select ctid, *, sealed as value from registry.client_references",
        lambda row: associated_data_of_reference(
            row["network_id"], row["partner_id"], str(row["client_id"]), row["digest"]
        ),
    ),
    "consents.evidence_kept_at": (
        "select ctid, *, evidence_kept_at as value, recorder_id as partner_id from registry.consents",
        lambda row: _text("consents.evidence_kept_at", row, "consent_id"),
    ),
    "consent_evidence.kept_at": (
        """select v.ctid, v.*, v.kept_at as value, c.recorder_id as partner_id from registry.consent_evidence v
        join registry.consents c using (network_id, consent_id)""",
        lambda row: _text("consent_evidence.kept_at", row, "consent_id"),
    ),
    "releases.function_sealed": (
        """select v.ctid, v.*, v.function_sealed as value, c.recorder_id as partner_id from registry.releases v
        join registry.consents c using (network_id, consent_id)""",
        lambda row: _text("releases.function_sealed", row, "release_id"),
    ),
    "idempotency_keys.answer": (
        "select ctid, *, answer as value from registry.idempotency_keys",
        lambda row: associated_data_of_answer(row["network_id"], row["partner_id"], row["scope"], row["body_sha256"]),
    ),
}


def _text(column: str, row: asyncpg.Record, key: str) -> str:
    return associated_data_of_text(column, row["network_id"], row["partner_id"], str(row[key]))


@dataclass(frozen=True, slots=True)
class Stored:
    """A sealed value, where it stands, and its network and partner."""

    column: str
    ctid: str
    place: str
    value: bytes
    network_id: int
    partner_id: int


@pytest_asyncio.fixture(loop_scope="session")
async def filled(installation: Installation) -> AsyncIterator[Registry]:
    """Run a registry in which something of every kind was sealed, at several partners."""
    async with installation.copy() as database:
        await let_evidence_follow(installation.dsn(database, "postgres"))
        async with serving(installation, database) as registry:
            for _ in range(2):
                await consents(await office(registry, "north"), await office(registry, "south"))
                await releases(registry)
            yield registry


async def stored(registry: Registry, at_most: int = 8) -> list[Stored]:
    """Return some sealed values of every column."""
    found = []
    async with registry.sql() as sql:
        for column, (statement, place) in PLACES.items():
            rows = [row for row in await sql.fetch(statement) if row["value"] is not None][:at_most]
            found += [
                Stored(column, str(row["ctid"]), place(row), row["value"], row["network_id"], row["partner_id"])
                for row in rows
            ]
    return found


async def put(registry: Registry, column: str, statement: str, *arguments: object) -> None:
    """Change rows as a superuser does, past every trigger."""
    async with registry.sql() as sql:
        await sql.execute("set session_replication_role = replica")
        assert not (await sql.execute(statement, *arguments)).endswith(" 0"), column


async def test_every_sealed_column_has_a_case(filled: Registry) -> None:
    """Columns of bytes are sealed, and then tried here, or listed as not sealed; each has values of several rows."""
    async with filled.sql() as sql:
        columns = await sql.fetch(
            "select table_name || '.' || column_name from information_schema.columns"
            " where table_schema = 'registry' and data_type = 'bytea' and table_name !~ '^events_'"
        )
    assert {row[0] for row in columns} - NOT_SEALED == set(PLACES)
    assert set(EARLIER_WORDS) == set(PLACES) - {"idempotency_keys.answer"}
    values = await stored(filled)
    assert {column: sum(value.column == column for value in values) > 1 for column in PLACES} == dict.fromkeys(
        PLACES, True
    )


async def test_a_value_opens_in_its_own_place_alone(filled: Registry) -> None:
    """Each value in the place of each other, of the same table or another: only its own opens. The control: under the
    place of before, those of one partner open in each other's.
    """
    keys, values = load_keys(filled.installation.keys), await stored(filled)
    opened = {
        (value.place, place.place) for value, place in itertools.product(values, repeat=2) if opens(keys, value, place)
    }
    assert opened == {(value.place, value.place) for value in values}
    before = [value for value in values if value.column in EARLIER_WORDS]
    words = [earlier_associated_data(value.column, value.network_id, value.partner_id) for value in before]
    assert len(set(words)) < len(words)
    assert len({value.place for value in values}) == len(values)


def opens(keys: Keys, value: Stored, at: Stored) -> bool:
    """Whether a value opens in that place."""
    try:
        keys.decrypt(value.value, at.place)
    except Unusable:
        return False
    return True


@pytest.mark.parametrize("change", ["sealed = o.sealed", "digest = o.digest", "digest = o.digest, sealed = o.sealed"])
async def test_exchanged_references_are_an_error_and_nobody_elses_name(filled: Registry, change: str) -> None:
    """Of two clients of one partner: whatever shows or looks for one of them fails, and names none of them."""
    north = await office(filled, "north")
    first, second = await north.client(), await north.client()
    for client in (first, second):
        await north.consent(client)
    keys = load_keys(filled.installation.keys)
    digests = [keys.digest("reference", 99, 1, reference) for reference in (first, second)]
    async with filled.sql() as sql:
        await sql.execute("alter table registry.client_references drop constraint if exists client_references_pkey")
    await put(
        filled,
        change,
        f"update registry.client_references x set {change} from registry.client_references o"  # noqa: S608
        " where x.digest <> o.digest and x.digest = any ($1) and o.digest = any ($1)",
        digests,
    )
    for mine, theirs in ((first, second), (second, first)):
        for path, body in (("/consents/search", {"client": mine}), ("/clients", {"reference": mine})):
            answer = await north.partner.post(path, body)
            assert answer.status_code >= 500, (path, answer.text)
            assert mine not in answer.text
            assert theirs not in answer.text
    shown = await north.partner.post("/consents/search", {"limit": 2})
    assert shown.status_code >= 500
    assert first not in shown.text


async def test_exchanged_answers_are_an_error(filled: Registry) -> None:
    """Two answers kept for repetition: a repeated request gets neither its own nor the other's."""
    north = await office(filled, "north")
    made = []
    for _ in range(2):
        key, body = uuid.uuid4().hex, {"reference": f"N-{uuid.uuid4()}"}
        answer = await north.partner.post("/clients", body, Idempotency_Key=key)
        made.append((key, body, answer))
        assert (await north.partner.post("/clients", body, Idempotency_Key=key)).content == answer.content
    await put(
        filled,
        "answer",
        "update registry.idempotency_keys x set answer = o.answer from registry.idempotency_keys o where"
        " x.scope <> o.scope and x.recorded_at >= (select min(recorded_at) from (select recorded_at from"
        " registry.idempotency_keys order by recorded_at desc limit 2) l) and o.recorded_at >= (select min(recorded_at)"
        " from (select recorded_at from registry.idempotency_keys order by recorded_at desc limit 2) l)",
    )
    for key, body, _ in made:
        answer = await north.partner.post("/clients", body, Idempotency_Key=key)
        assert answer.status_code >= 500
        assert not any(foreign["reference"] in answer.text for _, foreign, _ in made)


def sealed_earlier(keys: Keys, value: bytes, place: str) -> bytes:
    """Return a value as it was sealed before values were bound to their rows, under the current key."""
    key, nonce = keys.of("sealing")[0], os.urandom(12)
    return bytes([len(key.id)]) + key.id.encode() + nonce + AESGCM(key.secret).encrypt(nonce, value, place.encode())


async def as_before(registry: Registry, keys: Keys) -> list[Stored]:
    """Seal everything in the earlier form, as a superuser; returns what there is."""
    values = [value for value in await stored(registry, 10_000) if value.column in EARLIER_WORDS]
    for kept in values:
        table, _, column = kept.column.partition(".")
        value = sealed_earlier(
            keys,
            keys.decrypt(kept.value, kept.place),
            earlier_associated_data(kept.column, kept.network_id, kept.partner_id),
        )
        await put(
            registry,
            column,
            f"update registry.{table} set {column} = $1 where {column} = $2",  # noqa: S608 - our own names
            value,
            kept.value,
        )
    return values


@pytest_asyncio.fixture(loop_scope="session")
async def migrator(filled: Registry) -> AsyncIterator[Runtime]:
    """Give what reseals: the migrator's runtime."""
    pool = await open_pool(filled.installation.dsn(filled.database, "migrator"), 2)
    yield Runtime(pool, load_keys(filled.installation.keys), ISSUER)
    await pool.close()


async def test_resealing_binds_what_was_sealed_before(filled: Registry, migrator: Runtime) -> None:
    """Under the same key: the server refuses the earlier form; `keys reseal` binds every value, once, and afterwards
    each is shown as before.
    """
    north = await office(filled, "north")
    client = await north.client()
    await north.consent(client)
    values = await as_before(filled, migrator.keys)
    assert (await north.partner.post("/consents/search", {"client": client})).status_code >= 500
    done = await reencrypt(migrator)
    assert (done.moved, done.left) == (len(values), 0)
    assert (await reencrypt(migrator)).moved == 0
    for value in await stored(filled, 10_000):
        assert opens(migrator.keys, value, value), value
    found = await north.post("/consents/search", {"client": client}, 200)
    assert [item["client"] for item in found["items"]] == [client]


async def test_resealing_binds_no_reference_to_another_row(filled: Registry, migrator: Runtime) -> None:
    """Two references of the earlier form in each other's rows do not have their rows' digests: they are left."""
    await as_before(filled, migrator.keys)
    async with filled.sql() as sql:
        clients = [
            row[0]
            for row in await sql.fetch(
                "select client_id from registry.client_references where network_id = 99 and partner_id = 1 limit 2"
            )
        ]
    await put(
        filled,
        "sealed",
        "update registry.client_references x set sealed = o.sealed from registry.client_references o"
        " where x.client_id = any ($1) and o.client_id = any ($1) and x.client_id <> o.client_id",
        clients,
    )
    assert (await reencrypt(migrator)).left == 2
