"""The table check finds nothing in what the registry wrote, and names every edit made directly in the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.domain.events.tables import TABLES
from consent_registry.operations.oversight.table_check import auditing, check_tables
from consent_registry.storage.keys.associated_data import associated_data_of_reference, associated_data_of_text
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.storage.oversight.table_check_tables import STATEMENTS
from tests.journeys.clients.test_links import code_of, redeem
from tests.operations.erasure.test_retention import in_years, retain
from tests.support.erasing import erasing
from tests.support.flag_network import with_flags
from tests.support.full_register import fill
from tests.support.installation import ROLES, Installation, Registry, serving
from tests.support.office import office
from tests.support.rewritten_setup import Facts, let_evidence_follow, tell_setup
from tests.support.table_check_runs import found, replayed, require_equal

# The networks that have rows of these tables; of all other tables the small network has rows.
OF_OTHERS = {"releases": "paderborn", "release_changes": "paderborn"}
OF_OTHERS |= {"approvals": "flags", "approval_revocations": "flags", "credential_revocations": "flags"}
# A retention needs years to pass: tests/operations/erasure/test_retention.py has them, and replays each of its logs.
ELSEWHERE = {"retentions"}
# No command ends an agreement yet, and there is one network: rows added or removed here have tests of their own.
ALONE = {"agreement_endings", "networks"}
# The number column of the catalogue's tables, by which all other tables name their entries.
NUMBERS = {"partners": "partner_id", "data_categories": "category_id", "purposes": "purpose_id"}
# Columns that events do not hold; docs/verifying.md lists them for auditors.
NOT_TOLD = {"schema_migrations", "schema_functions", "catalogue_versions", "changes", "code_failures"}
NOT_TOLD |= {"idempotency_keys", "key_rotations", "tiles", "checkpoints"}
# Removing a catalogue row changes every row that names it.
SPREADS = {"partners", "data_categories", "purposes"}
# SQL for another value of a column, by its type; constraints that the table's owner can drop are dropped before.
ANOTHER = {
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 s'",
    "date": "coalesce({0}, current_date) + 1",
    "text": "coalesce({0}, '') || 'x'",
    "integer": "coalesce({0}, 0) % 4 + 1",
    "smallint": "3 - coalesce({0}, 1)",
    "bigint": "{0} + 1",
    "uuid": "gen_random_uuid()",
    "boolean": "not coalesce({0}, false)",
    "bytea": "sha256(coalesce({0}, ''))",
    "integer[]": "{0} || 4",
    "smallint[]": "coalesce({0}, '{{}}') || 4::smallint",
    "text[]": "coalesce({0}, '{{}}') || 'x'::text",
    "uuid[]": "coalesce({0}, '{{}}') || gen_random_uuid()",
    "jsonb": "{0} || '{{\"minors\": true}}'",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Registry]:
    """A registry on which every kind of command was run, and whose table check finds nothing."""
    async with installation.copy() as database:
        await let_evidence_follow(installation.dsn(database, "postgres"))
        async with serving(await with_flags(installation, database), database) as registry:
            await fill(registry, tmp_path_factory.mktemp("ledger") / "ledger")
            yield registry


@asynccontextmanager
async def tampering(full: Registry) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection without triggers; its changes are rolled back at the end of the block."""
    async with full.sql() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute("set local session_replication_role = replica")
            yield connection
        finally:
            await transaction.rollback()


async def findings(connection: asyncpg.Connection, network: str) -> list[str]:
    """The findings of the auditor's table check in this transaction."""
    await connection.execute(f"set local role {ROLES['auditor']}")
    (audited,) = [audited async for audited in check_tables(connection, network)]
    assert (audited.report.verdict == "fails") is bool(found(audited.report))
    return found(audited.report)


def network_of(table: str) -> str:
    """The network that has rows of this table."""
    return OF_OTHERS.get(table, "small")


async def choose(connection: asyncpg.Connection, table: str) -> tuple[str, str]:
    """Choose the newest row; returns the SQL condition that selects it, and its name in findings."""
    names = TABLES[table][0]
    row = await connection.fetchrow(
        f"select ctid::text as ctid, * from registry.{table}"  # noqa: S608 - our own names
        " where network_id = (select network_id from registry.networks where slug = $1) order by "
        + ", ".join(f"{name} desc" for name in names)
        + " limit 1",
        network_of(table),
    )
    assert row is not None, f"the full register has no row in {table}"
    return f"ctid = '{row['ctid']}'", named(table, row)


def named(table: str, row: asyncpg.Record) -> str:
    """The name of a row in findings."""
    return " ".join([table, *(f"{name}={row[name]}" for name in TABLES[table][0])])


async def type_of(connection: asyncpg.Connection, table: str, column: str) -> str:
    """The type of a column."""
    kind = await connection.fetchval(
        "select format_type(atttypid, null) from pg_attribute where attrelid = $1::regclass and attname = $2",
        f"registry.{table}",
        column,
    )
    return str(kind)


async def drop_checks(connection: asyncpg.Connection, table: str) -> None:
    """Drop the table's constraints, as its owner can."""
    for name in await connection.fetch(
        "select conname from pg_constraint where conrelid = $1::regclass and contype in ('c', 'u')", f"registry.{table}"
    ):
        await connection.execute(f"alter table registry.{table} drop constraint {name[0]}")


ROWS = [table for table in TABLES if table not in ELSEWHERE | ALONE]
COLUMNS = [(table, column) for table in [*ROWS, "networks"] for column in TABLES[table][1]]


async def test_nothing_is_found_in_what_the_registry_did(full: Registry) -> None:
    """After every kind of command the table check holds in each network, and lists the places of erased events."""
    for network in full.installation.networks:
        await require_equal(full, network)
    audited = await replayed(full)
    assert sum(high - low + 1 for low, high in audited.removed) > 10
    compared = {check.name: check.says for check in audited.report.checks}
    assert compared["grants"] != "0 rows agree with the log"
    assert compared["transfers"] == "2 rows agree with the log"
    assert set(STATEMENTS) == set(TABLES)


async def test_every_table_is_known(full: Registry) -> None:
    """Each table is compared with the rows that events stand for, or is listed here as not compared."""
    async with full.sql() as connection:
        rows = await connection.fetch(
            "select relname from pg_class where relnamespace = 'registry'::regnamespace and relkind in ('r', 'p')"
            " and not relispartition"
        )
    assert {row[0] for row in rows} == set(TABLES) | {"transfers", "events", "leaves"} | NOT_TOLD


# Of these encrypted columns events say only whether there is a text.
PRESENCE = {"has_function": "function_sealed", "has_kept_at": "evidence_kept_at"}


@pytest.mark.parametrize(("table", "column"), COLUMNS)
async def test_an_edited_column_is_named(full: Registry, table: str, column: str) -> None:
    """A change of any compared column of any table is found, with its row and column and nothing else."""
    async with tampering(full) as connection:
        rule, place = await choose(connection, table)
        await drop_checks(connection, table)
        name = NUMBERS[table] if column == "number" else PRESENCE.get(column, column)
        changed = "77" if column == "number" else ANOTHER[await type_of(connection, table, name)].format(name)
        if column in PRESENCE:
            changed = f"case when {name} is null then '\\x00'::bytea end"
        done = await connection.execute(f"update registry.{table} set {name} = {changed} where {rule}")  # noqa: S608 - our names
        assert done == "UPDATE 1"
        seen = await findings(connection, network_of(table))
    assert f"column_differs {place} {column}" in seen
    assert len(seen) == 1 or column == "number"


@pytest.mark.parametrize("table", ROWS)
async def test_a_removed_row_is_named(full: Registry, table: str) -> None:
    """A row removed from any table is found."""
    async with tampering(full) as connection:
        rule, place = await choose(connection, table)
        await connection.execute(f"delete from registry.{table} where {rule}")  # noqa: S608 - our own names
        seen = await findings(connection, network_of(table))
    assert f"row_missing {place}" in seen
    assert len(seen) == 1 or table in SPREADS


@pytest.mark.parametrize("table", ROWS)
async def test_an_added_row_is_named(full: Registry, table: str) -> None:
    """A row added to any table under a new key is found."""
    async with tampering(full) as connection:
        rule, _ = await choose(connection, table)
        await drop_checks(connection, table)
        key = TABLES[table][0][0]
        changed = ANOTHER[await type_of(connection, table, key)].format(f"t.{key}")
        more = f", 'recorded_at', '{AT_THE_END}'" if (table, "recorded_at") in COLUMNS else ""
        extra = OWN_KEYS.get(table, "")
        row = await connection.fetchrow(
            f"insert into registry.{table} select (jsonb_populate_record(t, jsonb_build_object('{key}', {changed}"  # noqa: S608 - our own names
            f"{more}{extra}))).* from registry.{table} t where {rule} returning *"
        )
        assert row is not None
        place = named(table, row)
        seen = await findings(connection, network_of(table))
    assert f"row_added {place}" in seen
    assert len(seen) == 1 or table in SPREADS


async def test_an_ended_agreement_and_a_network_by_another_name(full: Registry) -> None:
    """An ended agreement is found, because no event ends one, and so is a renamed network."""
    async with tampering(full) as connection:
        row = await connection.fetchrow(
            "insert into registry.agreement_endings select network_id, agreement_id, now() from registry.agreements"
            " where network_id = 99 returning *"
        )
        assert row is not None
        assert await findings(connection, "small") == [f"row_added {named('agreement_endings', row)}"]
    async with tampering(full) as connection:
        await connection.execute("update registry.networks set slug = 'other' where network_id = 99")
        seen = await findings(connection, "other")
    assert {"event_malformed", "row_added", "row_missing"} & {finding.partition(" ")[0] for finding in seen}


# A change recorded at the time of an erased client's changes may remain; one recorded at another time may not.
AT_THE_END = "2999-01-01T00:00:00Z"
# Columns with a unique constraint beside the compared key.
OWN_KEYS = {
    "partners": ", 'partner_id', 77",
    "data_categories": ", 'category_id', 77",
    "purposes": ", 'purpose_id', 77",
    "agreements": ", 'agreement_id', gen_random_uuid()",
    "texts": ", 'text_id', gen_random_uuid()",
    "stale_translations": ", 'language', 'xx'",
    "client_references": ", 'digest', '\\xabcd'",
    "link_codes": ", 'digest', '\\xabcd'",
    "receipt_codes": ", 'digest', '\\xabcd'",
    "grant_changes": ", 'change_id', gen_random_uuid()",
    "release_changes": ", 'change_id', gen_random_uuid()",
}

# The place of the last consent in the log, written as CHOSEN.
LAST_CONSENT = "(select max(log_index) from registry.events where network_id = 99 and kind = 3)"
LOG_TAMPERINGS = {
    "bytes": (
        """update registry.events set event = convert_to(replace(convert_from(event, 'UTF8'), '"south"', '"east"'),
        'UTF8') where network_id = 99 and log_index = CHOSEN""",
        "event_not_opened event {0} does not open its leaf",
    ),
    "nonce": (
        "update registry.events set nonce = sha256(nonce) where network_id = 99 and log_index = CHOSEN",
        "event_not_opened event {0} does not open its leaf",
    ),
    "deleted event": (
        "delete from registry.events where network_id = 99 and log_index = CHOSEN",
        "event_missing event {0} is missing, and no erasure or retention event lists it",
    ),
    "deleted leaf": (
        "delete from registry.leaves where network_id = 99 and log_index = CHOSEN",
        "leaf_missing place {0} has no leaf",
    ),
    "deleted both": (
        """with gone as (delete from registry.events where network_id = 99 and log_index = CHOSEN)
        delete from registry.leaves where network_id = 99 and log_index = CHOSEN""",
        "leaf_missing places {0} to {0} are not there",
    ),
    "swapped leaves": (
        """update registry.leaves l set leaf = o.leaf from registry.leaves o where l.network_id = 99
        and o.network_id = 99 and l.log_index in (CHOSEN, CHOSEN - 1) and o.log_index = CHOSEN * 2 - 1
        - l.log_index""",
        "event_not_opened event {0} does not open its leaf",
    ),
    "an event twice": (
        "insert into registry.events select * from registry.events where network_id = 99 and log_index = CHOSEN",
        "place_twice there are several events at place {0}",
    ),
    "an event of a removed place": (
        """update registry.events set log_index = (select l.log_index from registry.leaves l where network_id = 99
            and not exists (select from registry.events e where e.network_id = 99 and e.log_index = l.log_index)
            limit 1)
        where network_id = 99 and log_index = CHOSEN""",
        "event_not_opened",
    ),
}


@pytest.mark.parametrize("name", LOG_TAMPERINGS)
async def test_a_tampered_log_is_named(full: Registry, name: str) -> None:
    """Events and leaves that were changed, removed, exchanged, doubled or put at an erased place are found by place."""
    statement, expected = LOG_TAMPERINGS[name]
    async with tampering(full) as connection:
        index = await connection.fetchval(f"select {LAST_CONSENT}")
        await connection.execute(statement.replace("CHOSEN", str(index)))
        seen = await findings(connection, "small")
    assert any(finding.startswith(expected.format(index)) for finding in seen), seen


@pytest.mark.parametrize(
    "column",
    ["event_id", "client_id", "at", "actor_id", "sender_id", "recipient_id", "purpose_id", "kind", "outcome"],
)
async def test_an_edited_search_column_is_named(full: Registry, column: str) -> None:
    """A search column that differs from its event is found."""
    async with tampering(full) as connection:
        changed = ANOTHER[await type_of(connection, "events", column)].format(column)
        rule = "(select max(log_index) from registry.events where network_id = 99 and kind = 1)"
        await connection.execute(
            f"update registry.events set {column} = {changed} where network_id = 99 and log_index = {rule}"  # noqa: S608 - our names
        )
        assert await findings(connection, "small") == [f"column_differs events {column}"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("update registry.transfers set {} where transfer_id = $1", "column_differs transfers transfer_id={} outcome"),
        ("delete from registry.transfers where transfer_id = $1", "row_missing transfers transfer_id={}"),
    ],
)
async def test_a_tampered_transfer_is_named(full: Registry, statement: str, expected: str) -> None:
    """A changed and a removed transfer are found."""
    async with tampering(full) as connection:
        transfer_id = await connection.fetchval(
            "select transfer_id from registry.transfers where network_id = 99 limit 1"
        )
        await connection.execute(statement.format("outcome = 'failed'"), transfer_id)
        assert await findings(connection, "small") == [expected.format(transfer_id)]


EXCHANGED = """
    update registry.client_references x set {} from registry.client_references o
    where x.network_id = 99 and o.network_id = 99 and x.client_id = $1 and o.client_id = $2
       or x.network_id = 99 and o.network_id = 99 and x.client_id = $2 and o.client_id = $1
"""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("digest = o.digest", "reference_not_opened"),
        ("sealed = o.sealed", "reference_not_opened"),
        ("digest = o.digest, digest_key = o.digest_key, sealed = o.sealed", "reference_not_opened"),
        ("digest_key = 'another'", "reference_digest"),
        ("digest = null", "reference_not_opened"),
        ("sealed = set_byte(x.sealed, 40, get_byte(x.sealed, 40) # 1)", "reference_not_opened"),
        ("sealed = null", "reference_not_opened"),
    ],
)
async def test_a_reference_of_another_client_is_found_with_the_keys(full: Registry, change: str, code: str) -> None:
    """References of two clients that were exchanged are found with the keys, by digest and commitment. Without the keys
    the report says that references were not checked.
    """
    keys = load_keys(full.installation.keys)
    async with tampering(full) as connection:
        await drop_checks(connection, "client_references")
        await connection.execute("alter table registry.client_references drop constraint client_references_pkey")
        for name in ("digest", "sealed"):
            await connection.execute(f"alter table registry.client_references alter column {name} drop not null")
        north = await connection.fetch(
            "select client_id from registry.client_references where network_id = 99 and partner_id = 1 limit 2"
        )
        await connection.execute(EXCHANGED.format(change), *(row[0] for row in north))
        await connection.execute(f"set local role {ROLES['auditor']}")
        (without,) = [audited async for audited in check_tables(connection, "small")]
        (audited,) = [audited async for audited in check_tables(connection, "small", keys)]
    assert found(without.report) == []
    assert [check.verdict for check in without.report.checks[-2:]] == ["not_asked", "not_asked"]
    assert {f"{code} client_references client_id={row[0]}" for row in north} <= set(found(audited.report))


TEXTS = {
    "consents": ("evidence_kept_at", "consent_id", "recorder_id"),
    "consent_evidence": (
        "kept_at",
        "consent_id",
        "(select recorder_id from registry.consents c where c.consent_id = x.consent_id)",
    ),
    "releases": (
        "function_sealed",
        "release_id",
        "(select recorder_id from registry.consents c where c.consent_id = x.consent_id)",
    ),
}


@pytest.mark.parametrize("table", TEXTS)
async def test_another_sealed_text_is_found_with_the_keys(full: Registry, table: str) -> None:
    """An encrypted text that was altered, or encrypted again with another text, is found with the keys. Without them
    the report says that texts were not checked.
    """
    keys = load_keys(full.installation.keys)
    column, key, partner = TEXTS[table]
    network = "paderborn" if table == "releases" else "small"
    async with tampering(full) as connection:
        row = await connection.fetchrow(
            f"select network_id, {key}::text as id, {partner} as partner from registry.{table} x"  # noqa: S608
            f" where {column} is not null and network_id ="
            " (select network_id from registry.networks where slug = $1) limit 1",
            network,
        )
        assert row is not None
        place = associated_data_of_text(f"{table}.{column}", row["network_id"], row["partner"], row["id"])
        for sealed, code in (
            (keys.encrypt(b"another text", place), "text_other"),
            (keys.encrypt(b"another text", f"{place}x"), "text_not_opened"),
            (b"nothing", "text_not_opened"),
        ):
            await connection.execute(
                f"update registry.{table} set {column} = $2 where {key} = $1::uuid",  # noqa: S608
                row["id"],
                sealed,
            )
            async with as_auditor(connection):
                (without,) = [audited async for audited in check_tables(connection, network)]
                (audited,) = [audited async for audited in check_tables(connection, network, keys)]
            assert found(without.report) == []
            assert found(audited.report) == [f"{code} {table} {key}={row['id']} {column}"]


@asynccontextmanager
async def as_auditor(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Use the auditor's rights for the length of a block."""
    await connection.execute(f"set local role {ROLES['auditor']}")
    yield
    await connection.execute("reset role")


async def test_a_reference_sealed_anew_as_another_is_found(full: Registry) -> None:
    """A reference replaced with the help of the keys is found by its digest and by its event's commitment."""
    keys = load_keys(full.installation.keys)
    async with tampering(full) as connection:
        row = await connection.fetchrow("select * from registry.client_references where network_id = 99 limit 1")
        assert row is not None
        place = associated_data_of_reference(99, row["partner_id"], str(row["client_id"]), row["digest"])
        await connection.execute(
            "update registry.client_references set sealed = $2 where client_id = $1",
            row["client_id"],
            keys.encrypt(b"another", place),
        )
        async with as_auditor(connection):
            (audited,) = [audited async for audited in check_tables(connection, "small", keys)]
    said = {
        f"{code} client_references client_id={row['client_id']}" for code in ("reference_digest", "reference_other")
    }
    assert set(found(audited.report)) == said


OTHERS_SECRET = """credentials set secret_mac = (
    select o.secret_mac from registry.credentials o where o.network_id = 99 and o.client_id <> x.client_id limit 1)"""


@pytest.mark.parametrize(
    "change",
    [
        "credentials set secret_mac = sha256(secret_mac)",
        OTHERS_SECRET,
        "credentials set secret_key = 'digest-9'",
        "receipt_codes set digest = sha256(digest)",
        "receipt_codes set digest_key = 'digest-9'",
        "link_codes set digest = sha256(digest)",
        "link_codes set digest_key = 'digest-9'",
    ],
)
async def test_what_proves_or_finds_is_committed_to(full: Registry, change: str) -> None:
    """Changed hashes of secrets and digests of codes are found without keys, because events commit to them."""
    table, _, assignment = change.partition(" set ")
    column = assignment.partition(" ")[0]
    async with tampering(full) as connection:
        await connection.execute(
            f"update registry.{table} x set {assignment} where ctid ="  # noqa: S608
            f" (select ctid from registry.{table} where network_id = 99 limit 1)"
        )
        (finding,) = await findings(connection, "small")
    assert finding.startswith(f"column_differs {table} ")
    assert finding.endswith(f" {column}")


async def test_references_as_they_were_registered(full: Registry) -> None:
    """With the keys, the references of every network hold."""
    keys = load_keys(full.installation.keys)
    async with auditing(full.installation.dsn(full.database, "auditor")) as connection:
        for audited in [audited async for audited in check_tables(connection, None, keys)]:
            assert audited.report.verdict == "holds", audited
            assert "are found by their own digests" in audited.report.checks[-2].says
            assert "open in their places" in audited.report.checks[-1].says


async def test_a_restored_client_is_found(full: Registry) -> None:
    """Rows without an event, as after half a restore, are found in each table."""
    async with tampering(full) as connection:
        await connection.execute(
            "insert into registry.clients values (99, '00000000-0000-4000-8000-000000000001', '2026-01-01')"
        )
        seen = await findings(connection, "small")
    assert seen == ["row_added clients client_id=00000000-0000-4000-8000-000000000001"]


async def test_a_setup_that_told_names_alone(installation: Installation) -> None:
    """A setup event of an earlier release has only the names of the catalogue's entries: the names are compared, and
    the rest gives no finding.
    """

    def names(event: Facts) -> Facts:
        head = {name: event[name] for name in ("v", "kind", "id", "at", "network", "actor", "client")}
        listed = {"partners": "slug", "agreements": "version", "texts": "version"}
        return head | {nouns: [entry[name] for entry in event[nouns]] for nouns, name in listed.items()}

    async with installation.copy() as database:
        await tell_setup(installation.dsn(database, "postgres"), names)
        async with serving(installation, database) as registry:
            first = await office(registry, "north")
            await first.consent(await first.client())
            await require_equal(registry)
            async with tampering(registry) as connection:
                await connection.execute("update registry.partners set isolated = true where network_id = 99")
                assert await findings(connection, "small") == []
            async with tampering(registry) as connection:
                await connection.execute("update registry.partners set slug = 'west' where slug = 'closed'")
                assert await findings(connection, "small") == [
                    "row_added partners slug=west",
                    "row_missing partners slug=closed",
                ]


async def test_a_withdrawal_stays_with_its_event(fresh_registry: Registry, tmp_path: Path) -> None:
    """A withdrawal declared under one client id, about a consent under another id of the client, has a row and an event
    under each. Both stay when retention removes the consents of the first id, and are removed with their client ids.
    """
    first, second = await office(fresh_registry, "north"), await office(fresh_registry, "south")
    client = await first.client()
    ended = await first.consent(client)
    second_client = await redeem(second, await code_of(first, client))
    kept = await second.consent(second_client)
    await first.post(f"/consents/{kept['consent_id']}/confirmations", {})
    await first.post(f"/consents/{ended['consent_id']}/endings", {"reason": "case_closed"})
    chosen = {"grants": [kept["grants"][0]["grant_id"]], "categories": ["contact"]}
    await first.post("/withdrawals", {"client": client, "channel": "letter"} | chosen)
    await require_equal(fresh_registry)
    await in_years(fresh_registry, 4)
    async with erasing(fresh_registry, tmp_path / "ledger") as eraser:
        steps = [step.step for step in await retain(eraser)]
    assert "consents" in steps
    async with fresh_registry.sql() as connection:
        count = "select count(*) from registry.{} where network_id = 99"
        left = [await connection.fetchval(count.format(table)) for table in ("withdrawals", "consents")]
    assert left == [2, 1]
    await require_equal(fresh_registry)
    await in_years(fresh_registry, 20)
    async with erasing(fresh_registry, tmp_path / "ledger") as eraser:
        await retain(eraser)
    async with fresh_registry.sql() as connection:
        assert [await connection.fetchval(count.format(table)) for table in ("withdrawals", "consents", "clients")] == [
            0
        ] * 3
    await require_equal(fresh_registry)


async def test_a_link_without_its_code_is_named(full: Registry) -> None:
    """A link without its code is found, because its event commits to the code."""
    async with tampering(full) as connection:
        await connection.execute("alter table registry.links alter link_code_id drop not null")
        await connection.execute("update registry.links set link_code_id = null where network_id = 99")
        seen = await findings(connection, "small")
    assert seen
    assert all(finding.startswith("column_differs links link_id=") for finding in seen)


@pytest.mark.parametrize(
    "shape",
    ["{}", "7", "[]", "[1]", "[[1, 2, 3]]", "[[1, 2, 3, 4]]", "[[1, 2, 3, [4], 5]]", '[["x", 1.5, 1e30, [null, {}]]]'],
)
async def test_flows_edited_into_another_shape_are_found(full: Registry, shape: str) -> None:
    """What a withdrawal covers is compared whatever was written in its place: the check fails on no shape."""
    async with tampering(full) as connection:
        row = await connection.fetchrow(
            "update registry.withdrawals set covered_flows = $1::jsonb where withdrawal_id = ("
            " select withdrawal_id from registry.withdrawals where network_id = 99 and covers = 'flows' limit 1)"
            " returning *",
            shape,
        )
        assert row is not None
        seen = await findings(connection, "small")
    assert [finding.partition(" ")[0] for finding in seen] == ["column_differs"]
