"""Stored values are re-encrypted while the registry serves; a key that a stored value needs is not dropped."""

import asyncio
import inspect
import json
import re
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.domain.errors import Unusable
from consent_registry.operations.keys.key_uses import count_key_uses, still_needed
from consent_registry.operations.keys.reencryption import Reencrypted, reencrypt
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.files.key_files import drop_key, read_key_files, rotate_key
from consent_registry.storage.keys import key_uses
from consent_registry.storage.keys import reencryption as storage
from consent_registry.storage.keys.associated_data import associated_data_of_text
from consent_registry.storage.keys.keyring import Keys, load_keys
from tests.support.installation import ISSUER, Installation, Registry, fresh
from tests.support.office import Office, office
from tests.support.small_network import NUMBER, consent_body

AFTER = timedelta(hours=1)
# The only columns of a row that may be changed, and only by the migrator.
SEALED_COLUMNS = {"client_references": "sealed", "consents": "evidence_kept_at", "releases": "function_sealed"}
SEALED = {f"{table}.{column}" for table, column in SEALED_COLUMNS.items()}
SEALED |= {"consent_evidence.kept_at", "idempotency_keys.answer"}
NOT_SEALED = {
    "texts.form_sha256",
    "text_languages.content",
    "text_languages.sha256",
    "text_languages.translation_of",
    "credentials.secret_mac",
    "client_references.digest",
    "consents.evidence_sha256",
    "consent_evidence.sha256",
    "receipt_codes.digest",
    "link_codes.digest",
    "idempotency_keys.scope",
    "idempotency_keys.body_sha256",
    "events.nonce",
    "events.event",
    "leaves.leaf",
    "tiles.data",
    "checkpoints.root",
    "checkpoints.note",
}


class Rotated:
    """A registry whose digest and sealing keys a test rotates, and the migrator's runtime."""

    def __init__(self, registry: Registry, folder: Path, migrator: Runtime) -> None:
        self.registry = registry
        self.folder = folder
        self.migrator = migrator
        self.now = datetime.now(UTC)

    @property
    def app(self) -> Runtime:
        """The runtime of the serving process."""
        runtime = self.registry.app.state.shared.runtime
        assert isinstance(runtime, Runtime)
        return runtime

    def rotate(self) -> None:
        """Rotate digest and sealing keys; the process uses the new ones."""
        for name in ("digest", "sealing"):
            rotate_key(self.folder, name, self.now, AFTER, AFTER)
        self.now += AFTER
        self.app.keys = self.migrator.keys = load_keys(self.folder, self.now)

    async def needs(self, name: str, key_id: str) -> str | None:
        """Why this key cannot be dropped, five minutes later."""
        later = self.now + timedelta(minutes=5)
        return still_needed(self.app.keys, name, key_id, await count_key_uses(self.app), later)


@pytest_asyncio.fixture(loop_scope="session")
async def rotated(installation: Installation, tmp_path: Path) -> AsyncIterator[Rotated]:
    """A registry before the rotation; the test rotates its keys."""
    folder = shutil.copytree(installation.keys, tmp_path / "keys")
    folder.chmod(0o700)
    # The process is served from the installation's own folder, whose keys do not change; the test sets its keys.
    async with fresh(installation) as registry:
        pool = await open_pool(installation.dsn(registry.database, "migrator"), 2)
        yield Rotated(registry, folder, Runtime(pool, load_keys(folder), ISSUER))
        await pool.close()


async def _consents(north: Office, number: int) -> list[tuple[str, str]]:
    """Record consents of new clients; returns reference and consent id."""
    made = []
    for _ in range(number):
        client = await north.client()
        made.append((client, (await north.consent(client))["consent_id"]))
    return made


async def test_everything_that_can_move_moves(rotated: Rotated) -> None:
    """After re-encryption references are found and shown as before, consents permit, and no value needs the old keys; a
    second run changes nothing.
    """
    north = await office(rotated.registry, "north")
    made = await _consents(north, 7)
    before = await sealed_values(rotated)
    rotated.rotate()
    first = await reencrypt(rotated.migrator, 3)
    assert first.left == 0
    assert first.moved >= 2 * len(made)
    assert await reencrypt(rotated.migrator) == Reencrypted(0, 0)
    uses = {(use.key_file, use.key_id, use.what) for use in await count_key_uses(rotated.app)}
    assert not {what for _, key_id, what in uses if key_id == "sealing-1"} - {"answers kept for repetition"}
    assert ("digest", "digest-1", "references") not in uses
    after = await sealed_values(rotated)
    assert before.keys() == after.keys()
    for place in before:
        assert not before[place] & after[place], place
        assert len(before[place]) == len(after[place]), place
    assert {table for table, _ in before} == set(SEALED_COLUMNS)
    for client, consent_id in made:
        assert await north.outcome(client) == "permit"
        found = await north.post("/consents/search", {"client": client}, 200)
        assert [(consent["consent_id"], consent["client"]) for consent in found["items"]] == [(consent_id, client)]
        assert (await north.partner.post("/clients", {"reference": client})).status_code == 200


async def sealed_values(rotated: Rotated) -> dict[tuple[str, str], set[bytes]]:
    """The encrypted values of all networks by table and client, as stored."""
    found: defaultdict[tuple[str, str], set[bytes]] = defaultdict(set)
    async with rotated.registry.sql() as sql:
        for table, column in SEALED_COLUMNS.items():
            statement = f"select client_id, {column} from registry.{table} where {column} is not null"  # noqa: S608
            for client_id, value in await sql.fetch(statement):
                found[table, str(client_id)].add(value)
    return found


async def test_evidence_that_followed_moves(rotated: Rotated) -> None:
    """The place where later evidence is kept is re-encrypted, with the same text."""
    north = await office(rotated.registry, "north")
    ((_, consent_id),) = await _consents(north, 1)
    context = associated_data_of_text("consent_evidence.kept_at", NUMBER, 1, consent_id)
    before = rotated.app.keys.encrypt(b"File 2", context)
    async with rotated.registry.sql() as sql:
        await sql.execute(
            "insert into registry.consent_evidence (network_id, consent_id, evidence_id, client_id, partner_ids,"
            " sha256, media_type, kept_at, recorded_at) select network_id, consent_id, consent_id, client_id, '{1}',"
            " evidence_sha256, 'application/pdf', $2, now() from registry.consents where consent_id = $1",
            consent_id,
            before,
        )
        rotated.rotate()
        assert (await reencrypt(rotated.migrator)).left == 0
        after = await sql.fetchval("select kept_at from registry.consent_evidence where consent_id = $1", consent_id)
    assert after.startswith(rotated.app.keys.ciphertext_prefix)
    assert after != before
    assert rotated.app.keys.decrypt(after, context) == b"File 2"


async def test_what_is_asked_meanwhile_is_answered_as_before(rotated: Rotated) -> None:
    """While references are re-encrypted, those under the new key and those under the old key are found."""
    north = await office(rotated.registry, "north")
    made = await _consents(north, 6)
    rotated.rotate()
    reencrypting = asyncio.create_task(reencrypt(rotated.migrator, 1))
    asked = []
    while not reencrypting.done():
        asked += [await north.outcome(client) for client, _ in made]
    await reencrypting
    assert set(asked) == {"permit"}
    assert len(asked) > len(made)


async def test_resealing_is_in_the_log(rotated: Rotated) -> None:
    """Each batch is an event of its network without a client: the table, the number, and the new keys."""
    north = await office(rotated.registry, "north")
    await _consents(north, 2)
    rotated.rotate()
    await reencrypt(rotated.migrator)
    async with rotated.registry.sql() as sql:
        rows = await sql.fetch(
            "select event, client_id from registry.events where network_id = $1 and kind = 26 order by log_index",
            NUMBER,
        )
    events = [event for event in (json.loads(row["event"]) for row in rows) if event["step"] == "resealed"]
    assert {row["client_id"] for row in rows} == {None}
    assert [
        tuple(event.get(name) for name in ("step", "table", "count", "sealing_key", "digest_key")) for event in events
    ] == [
        ("resealed", "client_references", 2, "sealing-2", "digest-2"),
        ("resealed", "consents", 2, "sealing-2", None),
    ]


async def test_a_lost_key_is_counted_and_the_rest_moves(rotated: Rotated) -> None:
    """A value that no key decrypts stays unchanged and is counted; all others are re-encrypted."""
    north = await office(rotated.registry, "north")
    made = await _consents(north, 3)
    async with rotated.registry.sql() as sql:
        await sql.execute(
            "update registry.client_references set sealed = sealed || 'x' where ctid ="
            " (select ctid from registry.client_references where network_id = $1 limit 1)",
            NUMBER,
        )
    rotated.rotate()
    done = await reencrypt(rotated.migrator)
    assert done.left == 1
    assert done.moved >= 2 * len(made) - 1
    assert "1 references" in str(await rotated.needs("sealing", "sealing-1"))


async def test_a_reference_stored_twice_is_left(rotated: Rotated) -> None:
    """When a server without the old key stored a reference again, the old row stays and still needs the old key."""
    north = await office(rotated.registry, "north")
    ((client, _),) = await _consents(north, 1)
    rotated.rotate()
    files = read_key_files(rotated.folder)
    whole, rotated.app.keys = rotated.app.keys, Keys(files | {"digest": files["digest"][:1]}, rotated.now)
    assert (await north.partner.post("/clients", {"reference": client})).status_code == 201
    rotated.app.keys = whole
    assert (await reencrypt(rotated.migrator)).left == 1
    assert "1 references" in str(await rotated.needs("digest", "digest-1"))


async def test_a_key_in_use_is_not_dropped(rotated: Rotated) -> None:
    """References, codes, secrets and kept answers keep a key from being dropped; without them it may be dropped."""
    north = await office(rotated.registry, "north")
    await _consents(north, 1)
    rotated.rotate()
    assert "references" in str(await rotated.needs("digest", "digest-1"))
    assert "references" in str(await rotated.needs("sealing", "sealing-1"))
    await reencrypt(rotated.migrator)
    needed = str(await rotated.needs("digest", "digest-1"))
    assert "receipt codes" in needed
    assert "client secrets" in needed
    assert "references" not in needed
    assert "answers kept for repetition" in str(await rotated.needs("sealing", "sealing-1"))
    async with rotated.registry.sql() as sql:
        await sql.execute("delete from registry.idempotency_keys; delete from registry.receipt_codes")
        await sql.execute(
            "insert into registry.credential_revocations select network_id, client_id, now() from registry.credentials"
        )
    assert await rotated.needs("sealing", "sealing-1") is None
    assert await rotated.needs("digest", "digest-1") is None
    for name in ("sealing", "digest"):
        drop_key(rotated.folder, name, f"{name}-1", rotated.now)
    rotated.app.keys = load_keys(rotated.folder, rotated.now)
    assert rotated.app.keys.ids("digest") == ["digest-2"]


async def test_tokens_and_the_log_hold_their_keys(rotated: Rotated) -> None:
    """A token key is needed until its last token has expired, unless it leaked; a log key for ever; any key until its
    successor has been current for a minute.
    """
    for name in ("token", "log", "sealing"):
        rotate_key(rotated.folder, name, rotated.now, AFTER, AFTER)
    active = rotated.now + AFTER
    loaded = load_keys(rotated.folder, active)

    def why(name: str, seconds: int, *, leaked: bool = False) -> str | None:
        return still_needed(loaded, name, f"{name}-1", [], active + timedelta(seconds=seconds), leaked=leaked)

    assert "for a minute" in str(why("sealing", 59))
    assert why("sealing", 60) is None
    assert "for a minute" in str(why("token", 59, leaked=True))
    assert why("token", 60, leaked=True) is None
    assert "tokens signed with it" in str(why("token", 659))
    assert why("token", 660) is None
    assert "receipts and checkpoints" in str(why("log", 10**8, leaked=True))
    assert still_needed(loaded, "token", "token-2", [], active + AFTER) == "it has no successor"


async def test_the_application_cannot_reseal(rotated: Rotated) -> None:
    """The application's login cannot re-encrypt: it may read and add, never change."""
    north = await office(rotated.registry, "north")
    await _consents(north, 1)
    rotated.rotate()
    with pytest.raises(Unusable, match="use the migrator's"):
        await reencrypt(rotated.app)


@pytest.mark.parametrize(
    "change",
    [
        "evidence_kept_at = sealed_before(evidence_kept_at), method = 'oral'",
        "evidence_kept_at = null",
        "valid_until = valid_until + interval '1 day'",
    ],
)
async def test_nothing_else_of_a_consent_changes(rotated: Rotated, change: str) -> None:
    """Even the owner of the table can only replace an encrypted text, not change or remove anything else."""
    north = await office(rotated.registry, "north")
    await _consents(north, 1)
    statement = f"update registry.consents set {change} where network_id = {NUMBER}"  # noqa: S608 - from the list above
    async with rotated.registry.sql() as sql:
        with pytest.raises(asyncpg.RestrictViolationError, match="consents is append-only"):
            await sql.execute(statement.replace("sealed_before(evidence_kept_at)", "evidence_kept_at || 'x'"))
        with pytest.raises(asyncpg.RestrictViolationError, match="consents is append-only"):
            await sql.execute("delete from registry.consents")
        await sql.execute("update registry.consents set evidence_kept_at = evidence_kept_at || 'x'")


async def test_no_seal_appears_where_there_was_none(rotated: Rotated) -> None:
    """An encrypted text cannot be added where a consent has none."""
    north = await office(rotated.registry, "north")
    client = await north.client()
    body = consent_body(client, north.text)
    body["act"] |= {"method": "oral", "special_circumstances": "urgency", "evidence": None}
    del body["act"]["evidence"]
    await north.post("/consents", body)
    async with rotated.registry.sql() as sql:
        with pytest.raises(asyncpg.RestrictViolationError, match="consents is append-only"):
            await sql.execute(
                "update registry.consents set evidence_kept_at = 'x'"
                " where network_id = $1 and evidence_kept_at is null",
                NUMBER,
            )


async def test_every_sealed_column_is_known_here(registry: Registry) -> None:
    """Control for new tables: each column of bytes is re-encrypted and counted, or listed here as not encrypted."""
    async with registry.sql() as sql:
        rows = await sql.fetch(
            """
            select c.relname || '.' || a.attname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
            where c.relnamespace = 'registry'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
              and a.atttypid = 'bytea'::regtype
            """
        )
    assert {row["name"] for row in rows} == SEALED | NOT_SEALED
    counted = inspect.getsource(key_uses.count_key_uses)
    for table, column in (name.split(".") for name in SEALED):
        assert re.search(rf"\b{column} from registry\.{table}\b", counted), (table, column)
        assert table in (*storage.TABLES, "client_references", "idempotency_keys")


async def test_every_digest_key_is_counted(registry: Registry) -> None:
    """Control for new tables: each column that names a digest key is counted before a key is dropped."""
    async with registry.sql() as sql:
        rows = await sql.fetch(
            """
            select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
            where c.relnamespace = 'registry'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
              and a.attname in ('digest_key', 'secret_key')
            """
        )
    counted = inspect.getsource(key_uses.count_key_uses)
    for table, column in rows:
        assert re.search(rf"'digest', (\w\.)?{column}\b|{column} as key_id", counted), (table, column)
        assert re.search(rf"from registry\.{table}\b", counted), table
    assert len(rows) == len(re.findall(r"(?:digest_key|secret_key)(?: as key_id)?,", counted))
