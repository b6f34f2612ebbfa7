"""What the application's own role sees in the database: nothing without a setting, one slice with it, in every table.

The tables come from PostgreSQL's catalogue, so a new one without row-level security fails here by itself.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.campaigns.support.server import Server

NOT_TENANTS = {"networks", "schema_migrations", "schema_functions"}
"""Who the tenants are, and what was migrated: no table of a tenant."""
OF_THE_NETWORK = {
    *("catalogue_versions", "partners", "suspensions", "reinstatements", "data_categories", "purposes", "agreements"),
    *("agreement_endings", "flows", "texts", "text_languages", "credentials", "credential_revocations", "leaves"),
    *("text_invalidations", "stale_translations", "tiles", "checkpoints"),
    *("approvals", "approval_revocations", "policies"),
    "clients",  # a random number each
    "client_memberships",  # which of those numbers mean one client
    "link_codes",  # keyed digests: the code works at another partner
    "links",  # that a code was used, for the partner that tries it next
    "unlinkings",  # which of those numbers no longer do, for a partner that was permitted something meanwhile
    "receipt_codes",  # keyed digests: the code works at any partner of the network
}
"""Tables every partner's transaction reads whole. Anything else is cut down to the partners of the transaction."""
PARTNER_COLUMNS = ("partner_id", "partner_ids", "sender_id", "recipient_id", "recorder_id", "actor_id")
DEFINERS = {
    "count_references",
    "event_places",
    "forget_idempotency_keys",
    "known_clients",
    "last_weeks",
    "latest_event_at",
    "make_event_partitions",
    "permits_received",
    "places_between",
    "retention_clock",
    "withdrawals_of_clients",
}
"""Functions with their owner's rights. Each was looked at: a new one must be, too."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def superuser(server: Server) -> AsyncIterator[asyncpg.Connection]:
    """The database's superuser, whom no row-level security binds."""
    connection = await server.sql()
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(server: Server, superuser: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """The application's role."""
    role = await superuser.fetchval("select rolname from pg_roles where rolname like '%\\_app'")
    found = json.loads((server.data / "cluster.json").read_text())
    connection = await asyncpg.connect(host=found["socket"], user=role, database=found["database"])
    yield connection
    await connection.close()


async def tables(superuser: asyncpg.Connection) -> list[str]:
    """Return every table of the schema that is no partition."""
    rows = await superuser.fetch(
        "select relname from pg_class where relnamespace = 'registry'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition order by relname"
    )
    return [row["relname"] for row in rows]


async def rows_seen(app: asyncpg.Connection, table: str, **settings: str) -> list[dict[str, Any]] | None:
    """Return what the application sees of a table with these settings; `None` where it may not look at all."""
    async with app.transaction():
        for name, value in settings.items():
            await app.execute(f"set local registry.{name} = '{value}'")
        try:
            async with app.transaction():
                return [dict(row) for row in await app.fetch(f"select * from registry.{table}")]  # noqa: S608
        except asyncpg.InsufficientPrivilegeError:
            return None


async def test_every_table_forces_row_level_security(superuser: asyncpg.Connection) -> None:
    """On for everybody, the owner included, on every table and partition that belongs to a tenant."""
    assert await unguarded(superuser) <= NOT_TENANTS


async def unguarded(superuser: asyncpg.Connection) -> set[str]:
    """Return the tables and partitions without forced row-level security."""
    rows = await superuser.fetch(
        "select relname from pg_class where relnamespace = 'registry'::regnamespace and relkind in ('r', 'p')"
        " and not (relrowsecurity and relforcerowsecurity)"
    )
    return {row["relname"] for row in rows}


async def test_the_application_is_bound_by_it(superuser: asyncpg.Connection, app: asyncpg.Connection) -> None:
    """Neither superuser nor BYPASSRLS nor owner of anything."""
    who = await app.fetchval("select current_user")
    role = await superuser.fetchrow(
        "select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = $1", who
    )
    assert role is not None
    assert not any(role)
    owned = await superuser.fetchval("select count(*) from pg_class where relowner = $1::regrole", who)
    assert owned == 0
    members = await superuser.fetchval("select count(*) from pg_auth_members where member = $1::regrole", who)
    assert members == 0


@pytest.mark.parametrize(
    "settings", [{}, {"network": ""}, {"network": "", "partners": ""}, {"partners": "{1,2,3,4,5}"}]
)
async def test_without_a_network_there_are_no_rows(
    superuser: asyncpg.Connection, app: asyncpg.Connection, settings: dict[str, str]
) -> None:
    """In no tenant table, also where a transaction before had set one."""
    await rows_seen(app, "partners", network="1", partners="{1}")
    for table in await tables(superuser):
        if table not in NOT_TENANTS:
            assert not await rows_seen(app, table, **settings), table


async def test_a_table_somebody_forgot_to_guard_is_found(
    superuser: asyncpg.Connection, app: asyncpg.Connection
) -> None:
    """The control: a new table that the application may read and no policy guards breaks both rules."""
    await superuser.execute("create table registry.forgotten as select 1 as network_id, 7 as partner_id")
    try:
        await superuser.execute(f"grant select on registry.forgotten to {await app.fetchval('select current_user')}")
        assert "forgotten" in await unguarded(superuser)
        assert await rows_seen(app, "forgotten")
    finally:
        await superuser.execute("drop table registry.forgotten")


async def test_a_network_and_no_partner_show_the_catalogue_only(
    superuser: asyncpg.Connection, app: asyncpg.Connection
) -> None:
    """Without partners the tables of partners are empty."""
    for partners in ({}, {"partners": ""}, {"partners": "{}"}):
        for table in await tables(superuser):
            if table not in NOT_TENANTS | OF_THE_NETWORK:
                assert not await rows_seen(app, table, network="2", **partners), table


async def test_a_slice_is_one_networks_and_one_partners(superuser: asyncpg.Connection, app: asyncpg.Connection) -> None:
    """For every network and partner: rows of that network alone, and rows that name that partner."""
    seen: set[str] = set()
    pairs = await superuser.fetch("select network_id, partner_id from partners order by 1, 2")
    names = await tables(superuser)
    for network, partner in pairs:
        for table in names:
            if table in NOT_TENANTS:
                continue
            rows = await rows_seen(app, table, network=str(network), partners=f"{{{partner}}}") or []
            assert all(row["network_id"] == network for row in rows), table
            if table not in OF_THE_NETWORK:
                foreign = [row for row in rows if not _names(row, partner)]
                assert not foreign, (table, network, partner, foreign[0])
            seen |= {table} if rows else set()
    filled = {table for table in names if await superuser.fetchval(f"select exists (select from {table})")}  # noqa: S608
    never = filled - NOT_TENANTS - seen
    unreadable = {table for table in never if await rows_seen(app, table, network="1", partners="{1}") is None}
    assert never == unreadable, "the application should see its own rows, or the test proves nothing"


def _names(row: dict[str, Any], partner: int) -> bool:
    return any(
        partner == row[c] or (isinstance(row[c], list) and partner in row[c]) for c in PARTNER_COLUMNS if c in row
    )


# Who may be told of a grant: its recorder, of what was not refused its sender, of what was given its recipient.
TOLD = (
    "exists (select from grants g where g.network_id = $1 and {} and (g.recorder_id = $2"
    " or g.answer <> 'refused' and g.sender_id = $2 or g.answer = 'given' and g.recipient_id = $2))"
)
SERVED = "g.consent_id = r.consent_id and g.sender_id = r.holder_id and g.recipient_id = r.towards_id"
OF_RELEASE = (
    f"{TOLD.format(SERVED)} or exists (select from consents c"
    " where c.network_id = $1 and c.consent_id = r.consent_id and c.recorder_id = $2)"
)
SLICES = {
    "consents": TOLD.format("g.consent_id = t.consent_id"),
    "grants": TOLD.format("g.grant_id = t.grant_id"),
    "grant_changes": TOLD.format("g.grant_id = t.grant_id"),
    "releases": f"exists (select from releases r where r.release_id = t.release_id and ({OF_RELEASE}))",
    "release_changes": f"exists (select from releases r where r.release_id = t.release_id and ({OF_RELEASE}))",
    "consent_evidence": "exists (select from consents c where c.consent_id = t.consent_id and c.recorder_id = $2)",
    **dict.fromkeys(("client_references", "transfers", "changes"), "t.partner_id = $2"),
    # Of a withdrawal the row under the number by which it was recorded; the others would count who knows the person.
    "withdrawals": "t.partner_id = $2 and t.withdrawal_id = t.act_id",
}


async def test_a_slice_is_whole_and_no_more(superuser: asyncpg.Connection, app: asyncpg.Connection) -> None:
    """A partner's transaction reads every row it may be told of, and not one that nobody may tell it of."""
    for network, partner in await superuser.fetch("select network_id, partner_id from partners"):
        for table, condition in SLICES.items():
            query = f"select count(*) from {table} t where t.network_id = $1 and {condition}"  # noqa: S608
            expected = await superuser.fetchval(query, network, partner)
            rows = await rows_seen(app, table, network=str(network), partners=f"{{{partner}}}")
            assert rows is not None
            assert len(rows) == expected, (table, network, partner)


async def test_nothing_is_written_into_another_network(superuser: asyncpg.Connection, app: asyncpg.Connection) -> None:
    """With network 1 set a row of network 2 is refused; nothing is ever changed or deleted."""
    for table in await tables(superuser):
        if table in NOT_TENANTS:
            continue
        for statement in (f"update registry.{table} set network_id = network_id", f"delete from registry.{table}"):  # noqa: S608
            assert await _refused(app, statement), statement
        row = await superuser.fetchrow(f"select * from {table} where network_id = 2 limit 1")  # noqa: S608
        if row is not None:
            places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
            columns = ", ".join(row.keys())
            statement = f"insert into registry.{table} ({columns}) values ({places})"  # noqa: S608
            assert await _refused(app, statement, *row.values()), statement


async def _refused(app: asyncpg.Connection, statement: str, *values: object) -> bool:
    """Say whether the application may not do this with network 1 set; what it may do is undone."""
    transaction = app.transaction()
    await transaction.start()
    try:
        await app.execute("set local registry.network = '1'")
        await app.execute(statement, *values)
    except asyncpg.InsufficientPrivilegeError:
        return True
    else:
        return False
    finally:
        await transaction.rollback()


async def test_functions_with_their_owners_rights_are_known(
    superuser: asyncpg.Connection, app: asyncpg.Connection
) -> None:
    """A function that runs with its owner's rights passes every policy: each one the application may call was looked
    at, none is everybody's, and none takes its search path from the caller.
    """
    rows = await superuser.fetch(
        """
        select proname, proconfig, has_function_privilege($1, oid, 'execute') as of_app,
            has_function_privilege('public', oid, 'execute') as of_all
        from pg_proc where pronamespace = 'registry'::regnamespace and prosecdef
        """,
        await app.fetchval("select current_user"),
    )
    assert {row["proname"] for row in rows if row["of_app"]} <= DEFINERS
    assert not [row["proname"] for row in rows if row["of_all"]]
    assert all(any(setting.startswith("search_path=") for setting in row["proconfig"] or ()) for row in rows)
