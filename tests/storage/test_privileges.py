"""Who may touch what: every relation and partition of the schema, listed, for every role, on both PostgreSQL versions.

A new table without a line here fails, and so does a privilege nobody meant to grant.
"""

import itertools
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.process.postgres.cluster import Cluster
from consent_registry.storage.database.roles import (
    APP_SETTINGS,
    ERASER_SETTINGS,
    LOGIN_SUFFIXES,
    ROLE_SUFFIXES,
    SEALER_SETTINGS,
)
from tests.support.installation import ROLES, Installation, empty_database

# What the application may do. It reads and adds; nothing here is ever changed or removed by it.
APPLICATION = {
    "schema_migrations": "select",
    "schema_functions": "select",
    "networks": "select insert",
    "policies": "select insert",
    "catalogue_versions": "select insert",
    "partners": "select insert",
    "suspensions": "select insert",
    "reinstatements": "select insert",
    "data_categories": "select insert",
    "purposes": "select insert",
    "agreements": "select insert",
    "agreement_endings": "select insert",
    "approvals": "select insert",
    "approval_revocations": "select insert",
    "flows": "select insert",
    "texts": "select insert",
    "text_languages": "select insert",
    "text_invalidations": "select insert",
    "stale_translations": "select insert",
    "credentials": "select insert",
    "credential_revocations": "select insert",
    "clients": "select insert",
    "client_references": "select insert",
    "consents": "select insert",
    "consent_evidence": "select insert",
    "grants": "select insert",
    "grant_changes": "select insert",
    "releases": "select insert",
    "release_changes": "select insert",
    "receipt_codes": "select insert",
    "code_failures": "select insert",
    "client_memberships": "select insert",
    "current_memberships": "select",
    "link_codes": "select insert",
    "links": "select insert",
    "unlinkings": "select insert",
    "withdrawals": "select insert",
    "changes": "select insert",
    "transfers": "select insert",
    "idempotency_keys": "select insert",
    "key_rotations": "select insert",
    "holds": "select insert",
    "hold_liftings": "select insert",
    "erasures": "select",
    "retention_periods": "select insert",
    "retentions": "select",
    "events": "select insert",
    "leaves": "select insert",
    # Rows are reached through the parent, whose policies hold there; the partitions themselves are nobody's.
    "events_default": "",
    **{f"events_month_{number}": "" for number in range(1, 16)},
    "tiles": "select",
    "checkpoints": "select",
}
# The sealer sees hashes and commitments, and which logs there are.
SEALER = {"networks": "select", "leaves": "select", "tiles": "select insert", "checkpoints": "select insert"}
# The auditor reads what events tell of, whole networks, and changes nothing.
UNTOLD = {
    "schema_migrations",
    "schema_functions",
    "catalogue_versions",
    # Whose they are the auditor learns from a function, which returns no secret.
    "credentials",
}
UNTOLD |= {
    "code_failures",
    "current_memberships",
    "changes",
    "idempotency_keys",
    "key_rotations",
    "tiles",
}
AUDITOR = {
    name: "select"
    for name in APPLICATION
    if name not in UNTOLD and (name == "events" or not name.startswith("events_"))
}
LISTED = {"app": APPLICATION, "sealer": SEALER, "auditor": AUDITOR}
# What the migrator may encrypt again: references, and what consents and releases have sealed.
SEALED = {"client_references", "consents", "consent_evidence", "releases"}
NO_TENANT = {"schema_migrations", "schema_functions", "networks"}
# What shows rows of tables under the caller's policies.
VIEWS = {"current_memberships"}
# Tables whose rows are cut down to the partners on whose behalf a transaction runs, beside the network.
PARTNERS_OWN = {
    "client_references",
    "consents",
    "consent_evidence",
    "grants",
    "grant_changes",
    "releases",
    "release_changes",
    "code_failures",
    "withdrawals",
    "changes",
    "transfers",
    "idempotency_keys",
    "holds",
    "hold_liftings",
    "events",
}
# Tables whose rows are removed with their client, by the owner's functions.
REMOVABLE = PARTNERS_OWN - {"code_failures"} | {"clients", "receipt_codes"}
REMOVABLE |= {"client_memberships", "link_codes", "links", "unlinkings"}
# Whether it runs with its owner's rights, and who may call it; the owner and its member, the migrator, always may.
FUNCTIONS = {
    "append": (False, {"app"}),
    "event_places": (True, {"app"}),
    "count_references": (True, {"app"}),
    "withdrawals_of_clients": (True, {"app"}),
    "credential_holders": (True, {"auditor"}),
    "permits_received": (True, {"app"}),
    "places_between": (True, {"app"}),
    "last_weeks": (True, {"app"}),
    "forget_idempotency_keys": (True, {"app"}),
    "make_event_partitions": (True, {"app"}),
    "log_sizes": (False, {"sealer"}),
    "drop_narrower_tiles": (True, {"sealer"}),
    "thin_checkpoints": (True, {"sealer"}),
    # The eraser's, each of which reads or removes what belongs to one person.
    "removal_network": (True, {"eraser"}),
    "find_client": (True, {"eraser"}),
    "find_client_of_consent": (True, {"eraser"}),
    "partner_number": (True, {"eraser"}),
    "clients_of_person": (True, {"eraser"}),
    "known_clients": (True, {"app", "eraser"}),
    "survey_clients": (True, {"eraser"}),
    "references_of": (True, {"eraser"}),
    "questions_about_nobody": (True, {"eraser"}),
    "lock_clients": (True, {"eraser"}),
    "erase_clients": (True, {"eraser"}),
    "retention_clock": (True, {"app", "eraser"}),
    "held_clients": (True, {"eraser"}),
    "old_uses": (True, {"eraser"}),
    "count_old_uses": (True, {"eraser"}),
    "clients_with_consents": (True, {"eraser"}),
    "clients_without_consents": (True, {"eraser"}),
    "retention_records": (True, {"eraser"}),
    "person_records": (True, {"eraser"}),
    "retain": (True, {"eraser"}),
    "drop_empty_event_partitions": (True, {"eraser"}),
    # What those are made of; the owner's alone.
    "retention_now": (False, set()),
    "youngest_removable": (False, set()),
    "entries_of_consents": (False, set()),
    "reason_to_keep": (False, set()),
    # For migrations.
    "make_tenant_table": (False, set()),
    "set_callers": (False, set()),
    "make_removable": (False, set()),
    "removable_tables": (False, set()),
    "removal_rule": (False, set()),
    "remove_rows": (False, set()),
    "append_removal": (False, set()),
    "spans": (False, set()),
    "latest_event_at": (True, {"app"}),
    "kind": (False, {"app", "sealer", "eraser", "auditor", "backup", "public"}),
    "kinds_of": (False, {"app", "sealer", "eraser", "auditor", "backup", "public"}),
    "current_network": (False, {"app", "sealer", "eraser", "auditor", "backup", "public"}),
    "current_partners": (False, {"app", "sealer", "eraser", "auditor", "backup", "public"}),
    "refuse_change": (False, {"app", "sealer", "eraser", "auditor", "backup", "public"}),
}
PRIVILEGES = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
OTHERS = ("app", "sealer", "eraser", "auditor", "backup", "public")
OWNING = ("owner", "migrator")
REFUSED = (asyncpg.InsufficientPrivilegeError,)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="session",
    params=["cluster", pytest.param("debian_15", marks=pytest.mark.system)],
    ids=["embedded 18", "debian 15"],
)
async def sql(request: pytest.FixtureRequest) -> AsyncIterator[asyncpg.Connection]:
    """Give an administrator's connection to a migrated database."""
    cluster: Cluster = request.getfixturevalue(request.param)
    name = "privileges"
    await empty_database(cluster, name)
    connection = await asyncpg.connect(cluster.dsn(database=name))
    yield connection
    await connection.close()


async def relations(sql: asyncpg.Connection) -> dict[str, int]:
    """Return every table, partition, view and sequence of the schema with its oid; partitions by their order."""
    rows = await sql.fetch(
        "select oid, relname from pg_class where relnamespace = 'registry'::regnamespace and relkind not in ('i', 'I')"
        " order by relname"
    )
    months = itertools.count(1)
    return {
        f"events_month_{next(months)}" if re.fullmatch(r"events_\d{6}", row["relname"]) else row["relname"]: row["oid"]
        for row in rows
    }


def role_name(role: str) -> str:
    """Return the name of a role in the database."""
    return ROLES.get(role, role)


async def test_every_relation_is_listed(sql: asyncpg.Connection) -> None:
    """Every table, partition, view and sequence is listed in this file."""
    assert set(await relations(sql)) == set(APPLICATION)


async def test_every_privilege_on_every_relation(sql: asyncpg.Connection) -> None:
    """Each role has exactly the listed privileges; the owner and the migrator have all."""
    for name, oid in (await relations(sql)).items():
        for role, privilege in itertools.product((*OWNING, *OTHERS), PRIVILEGES):
            may = await sql.fetchval("select has_table_privilege($1, $2::oid, $3)", role_name(role), oid, privilege)
            meant = role in OWNING or privilege in LISTED.get(role, {}).get(name, "").split()
            assert may == meant, (name, role, privilege)


async def test_no_single_column_is_granted(sql: asyncpg.Connection) -> None:
    """A role without a privilege on a table has none on its columns."""
    granted = await sql.fetch(
        "select attrelid::regclass::text, attname from pg_attribute where attacl is not null"
        " and attrelid in (select oid from pg_class where relnamespace = 'registry'::regnamespace)"
    )
    assert granted == []


async def test_row_security_is_forced_everywhere(sql: asyncpg.Connection) -> None:
    """Row-level security is forced on all tenant tables and partitions, also for the owner, who owns them all."""
    for name, oid in (await relations(sql)).items():
        row = await sql.fetchrow(
            "select relrowsecurity and relforcerowsecurity as forced, relowner::regrole::text as owner, relacl,"
            " coalesce(reloptions::text[], '{}') as options from pg_class where oid = $1",
            oid,
        )
        assert row is not None
        assert row["forced"] is (name not in NO_TENANT | VIEWS), name
        assert (row["options"] == ["security_invoker=true"]) is (name in VIEWS), name
        assert row["owner"] == ROLES["owner"], name
        if name.startswith("events_"):
            assert row["relacl"] is None, name


async def test_policies_cut_down_to_network_and_partner(sql: asyncpg.Connection) -> None:
    """Each tenant table has one policy to read and one to insert, none to update, and the owner's to delete clients."""
    """Each tenant table has one policy to read and one to add; three may be encrypted again, one is swept."""
    rows = await sql.fetch(
        "select tablename, cmd, roles::text[], coalesce(qual, '') || coalesce(with_check, '') as rule from pg_policies"
        " where schemaname = 'registry'"
    )
    for row in rows:
        assert "network_id = ( SELECT registry.current_network()" in row["rule"], row
        if row["roles"] == ["public"]:
            partners = row["cmd"] == "SELECT" and row["tablename"] in PARTNERS_OWN
            assert ("current_partners()" in row["rule"]) is partners, row
    public = sorted((row["tablename"], row["cmd"]) for row in rows if row["roles"] == ["public"])
    tenants = {name for name in APPLICATION if name not in NO_TENANT | VIEWS and not name.startswith("events_")}
    assert public == sorted(itertools.product(tenants, ("SELECT", "INSERT")))
    owners = {(row["tablename"], row["cmd"]) for row in rows if row["roles"] == [ROLES["owner"]]}
    removable = set(itertools.product(REMOVABLE, ("SELECT", "DELETE")))
    thinned = {("tiles", "DELETE"), ("checkpoints", "DELETE")}
    resealed = {(table, "UPDATE") for table in SEALED}
    assert owners == removable | thinned | resealed
    audited = {(row["tablename"], row["cmd"]) for row in rows if row["roles"] == [ROLES["auditor"]]}
    assert audited == {(table, "SELECT") for table in PARTNERS_OWN & set(AUDITOR)}
    assert all(row["roles"] in (["public"], [ROLES["owner"]], [ROLES["auditor"]]) for row in rows)


async def test_every_function_is_listed(sql: asyncpg.Connection) -> None:
    """Each function has the listed callers, and each SECURITY DEFINER function fixes its search_path."""
    rows = await sql.fetch(
        "select oid, proname, prosecdef, proconfig from pg_proc where pronamespace = 'registry'::regnamespace"
    )
    assert sorted(row["proname"] for row in rows) == sorted(FUNCTIONS)
    for row in rows:
        by_owner, callers = FUNCTIONS[row["proname"]]
        assert row["prosecdef"] is by_owner, row["proname"]
        assert not by_owner or "search_path=pg_catalog, pg_temp" in row["proconfig"], row["proname"]
        for role in OTHERS:
            name = role_name(role)
            may = await sql.fetchval("select has_function_privilege($1, $2::oid, 'execute')", name, row["oid"])
            assert may is (role in callers), (row["proname"], role)


async def test_schema_and_roles(sql: asyncpg.Connection) -> None:
    """Only the registry's roles enter the schema, only the owner's members create in it, and no role is a superuser or
    bypasses row-level security.
    """
    for role in (*OWNING, *OTHERS):
        for privilege, those in (("usage", (*OWNING, "app", "sealer", "eraser", "auditor")), ("create", OWNING)):
            may = await sql.fetchval("select has_schema_privilege($1, 'registry', $2)", role_name(role), privilege)
            assert may is (role in those), (role, privilege)
        assert not await sql.fetchval("select has_schema_privilege($1, 'public', 'create')", role_name(role)), role
    for suffix in ROLE_SUFFIXES:
        row = await sql.fetchrow("select * from pg_roles where rolname = $1", ROLES[suffix])
        assert row is not None
        rights = ("rolsuper", "rolbypassrls", "rolcreatedb", "rolcreaterole", "rolreplication")
        assert not any(row[right] for right in rights), suffix
        assert row["rolcanlogin"] is (suffix in LOGIN_SUFFIXES), suffix
    for suffix, meant in (("app", APP_SETTINGS), ("sealer", SEALER_SETTINGS), ("eraser", ERASER_SETTINGS)):
        settings = await sql.fetchval("select rolconfig from pg_roles where rolname = $1", ROLES[suffix])
        assert {name.lower(): value for name, value in (setting.split("=", 1) for setting in settings)} == meant


async def test_the_application_cannot_change_or_remove(sql: asyncpg.Connection) -> None:
    """The application's UPDATE, DELETE and TRUNCATE are refused, and so is a partition by its own name."""
    names = await sql.fetch(
        "select relname, relispartition from pg_class where relnamespace = 'registry'::regnamespace"
        " and relkind in ('r', 'p')"
    )
    for name, is_partition in names:
        column = await sql.fetchval(
            "select attname from pg_attribute where attrelid = $1::regclass and attnum = 1", f"registry.{name}"
        )
        tried = [
            f"update registry.{name} set {column} = {column}",  # noqa: S608 - names of our own tables
            f"delete from registry.{name}",  # noqa: S608 - as above
            f"truncate registry.{name}",
            f"alter table registry.{name} disable row level security",
            f"drop table registry.{name}",
        ] + ([f"select from registry.{name}"] if is_partition else [])
        for statement in tried:
            async with sql.transaction():
                await sql.execute(f"set local role {ROLES['app']}")
                with pytest.raises(REFUSED):
                    async with sql.transaction():
                        await sql.execute(statement)


async def test_without_a_setting_there_are_no_rows_even_for_the_owner(installation: Installation) -> None:
    """A session that does not name its network sees no row of any tenant table."""
    tables = sorted(name for name in APPLICATION if name not in NO_TENANT and not name.startswith("events_"))
    async with installation.copy() as database:
        for role in ("app", "migrator", "auditor"):
            connection = await asyncpg.connect(installation.dsn(database, role))
            for name in tables if role != "auditor" else sorted(set(tables) & set(AUDITOR)):
                assert await connection.fetchval(f"select count(*) from registry.{name}") == 0, (role, name)  # noqa: S608
            await connection.close()
        connection = await asyncpg.connect(installation.dsn(database, "postgres"))
        assert await connection.fetchval("select count(*) from registry.consents") > 0
        await connection.close()
