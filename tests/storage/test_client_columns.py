"""An erasure covers every column with client data: each column is listed as erased or as not a client's."""

from collections import defaultdict

import asyncpg
import pytest

from tests.support.client_columns import CLIENT_DATA_ERASED, NOT_CLIENT_DATA
from tests.support.installation import Registry


async def columns(connection: asyncpg.Connection) -> dict[str, set[str]]:
    """Return the columns of every table of the schema, by table, without partitions."""
    rows = await connection.fetch(
        """
        select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'registry'::regnamespace and c.relkind in ('r', 'p', 'm') and not c.relispartition
          and a.attnum > 0 and not a.attisdropped
        """
    )
    found: defaultdict[str, set[str]] = defaultdict(set)
    for table, column in rows:
        found[table].add(column)
    return dict(found)


def listed() -> dict[str, set[str]]:
    """Return both lists as one; no column is on both."""
    assert not set(CLIENT_DATA_ERASED) & set(NOT_CLIENT_DATA)
    return {table: set(names.split()) for table, names in (CLIENT_DATA_ERASED | NOT_CLIENT_DATA).items()}


async def test_every_column_is_listed(registry: Registry) -> None:
    """Every column of every table is on one list, and every listed column exists."""
    async with registry.sql() as connection:
        assert await columns(connection) == listed()


async def test_a_forgotten_column_is_found(fresh_registry: Registry) -> None:
    """Control: an additional column or table does not match the lists."""
    async with fresh_registry.sql() as connection:
        await connection.execute("alter table registry.partners add column nickname text")
        assert await columns(connection) != listed()
        await connection.execute("alter table registry.partners drop column nickname")
        assert await columns(connection) == listed()
        await connection.execute("create table registry.notes (network_id integer, note text)")
        assert await columns(connection) != listed()


async def test_what_is_listed_as_erased_is_erased(registry: Registry) -> None:
    """The tables listed as client data are those that the erasing function empties, and events. Each is keyed by the
    client number, and no other table has one.
    """
    async with registry.sql() as connection:
        rows = await connection.fetch("select name from registry.removable_tables()")
        assert {row["name"] for row in rows} | {"events"} == set(CLIENT_DATA_ERASED)
        for table, names in (await columns(connection)).items():
            keyed = await connection.fetchval(
                """
                select exists (select from pg_attribute where attrelid = $1::regclass
                    and attname in ('client_id', 'client_ids') and atttypid in ('uuid'::regtype, 'uuid[]'::regtype))
                """,
                f"registry.{table}",
            )
            assert keyed is (table in CLIENT_DATA_ERASED), (table, names)


async def test_rows_that_others_refer_to_go_last(registry: Registry) -> None:
    """The erasure deletes a table's rows before those that its foreign keys refer to."""
    async with registry.sql() as connection:
        rows = await connection.fetch("select name from registry.removable_tables() order by depth desc")
        order = [row["name"] for row in rows]
        keys = await connection.fetch(
            """
            select f.conrelid::regclass::text, f.confrelid::regclass::text from pg_constraint f
            where f.contype = 'f' and f.connamespace = 'registry'::regnamespace
            """
        )
    pairs = [tuple(name.removeprefix("registry.") for name in row) for row in keys]
    both = [(former, latter) for former, latter in pairs if former in order and latter in order]
    assert len(both) > 7
    assert all(order.index(former) < order.index(latter) for former, latter in both)


@pytest.mark.parametrize("table", sorted(CLIENT_DATA_ERASED))
async def test_only_the_functions_remove(registry: Registry, table: str) -> None:
    """The eraser's login can neither read nor delete rows of these tables directly."""
    async with registry.sql("eraser") as connection:
        await connection.execute("set registry.network = '99'")
        await connection.execute("set registry.removal = 'on'")
        for statement in (f"select from registry.{table}", f"delete from registry.{table}"):  # noqa: S608 - our names
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
