"""The registry refuses an unsafe database at its start, with one line for each defect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from consent_registry.domain.errors import Unusable
from consent_registry.storage.start_checks import require_safe, require_server
from tests.support.installation import ROLES, Registry


async def refusal(dsn: str, *, demonstration: bool = True) -> str:
    """Return the one line of a refusal."""
    with pytest.raises(Unusable) as refused:
        await require_safe(dsn, demonstration=demonstration)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def app(registry: Registry, **settings: str) -> str:
    """The application's login, with settings of its session."""
    return registry.installation.dsn(registry.database) + "".join(f"&{name}={settings[name]}" for name in settings)


@asynccontextmanager
async def altered(registry: Registry, change: str, back: str) -> AsyncIterator[None]:
    """Alter the database for the length of a block."""
    async with registry.sql() as owner:
        await owner.execute(change)
        try:
            yield
        finally:
            await owner.execute(back)


async def test_a_sound_database_is_accepted(registry: Registry) -> None:
    """A safe database is accepted, as a demonstration and, without demonstration data, in production."""
    await require_safe(app(registry), demonstration=True)
    marked = "update registry.networks set demonstration = {} where slug in ('paderborn', 'widunetz')"
    async with altered(registry, marked.format("false"), marked.format("true")):
        await require_safe(app(registry), demonstration=False)


async def test_demonstration_data_are_refused_in_production(registry: Registry) -> None:
    """A database with the marker of a demonstration is refused."""
    assert "holds demonstration data" in await refusal(app(registry), demonstration=False)


async def test_settings_that_lose_commits_are_refused(registry: Registry) -> None:
    """A server without fsync, full_page_writes or synchronous_commit is refused, because it could lose acknowledged
    consents.
    """
    assert "synchronous_commit is off" in await refusal(app(registry, synchronous_commit="off"))
    assert "synchronous_commit is local" in await refusal(app(registry, synchronous_commit="local"))
    for name in ("fsync", "full_page_writes"):
        async with registry.sql() as owner:
            await owner.execute(f"alter system set {name} = off")
            try:
                await owner.execute("select pg_reload_conf()")
                await asyncio.sleep(0.2)
                assert f"{name} is off" in await refusal(app(registry))
            finally:
                await owner.execute(f"alter system reset {name}")
                await owner.execute("select pg_reload_conf()")
    await asyncio.sleep(0.2)
    await require_safe(app(registry), demonstration=True)


async def test_a_small_lock_table_is_refused(registry: Registry) -> None:
    """A server without room for the locks of several batches is refused, with the setting's name."""
    async with registry.sql("app") as connection:
        with pytest.raises(Unusable, match="max_locks_per_transaction is 1024"):
            await require_server(connection, 0, locks=10**9)


@pytest.mark.parametrize("role", ["postgres", "migrator"])
async def test_a_mighty_login_is_refused(registry: Registry, role: str) -> None:
    """A superuser and a member of the schema's owner are refused, because row-level security would not apply."""
    line = await refusal(registry.installation.dsn(registry.database, role))
    assert ROLES.get(role, role) in line
    assert "log in as the app role" in line


async def test_a_login_past_row_level_security_is_refused(registry: Registry) -> None:
    """A login with BYPASSRLS is refused."""
    role = ROLES["app"]
    async with altered(registry, f"alter role {role} bypassrls", f"alter role {role} nobypassrls"):
        assert "bypasses row-level security" in await refusal(app(registry))


async def test_an_unforced_table_is_refused_by_name(registry: Registry) -> None:
    """A database with one table without forced row-level security is refused, with the table's name."""
    table = "alter table registry.grants {} row level security"
    async with altered(registry, table.format("no force"), table.format("force")):
        assert "not forced on grants" in await refusal(app(registry))
    async with altered(registry, table.format("disable"), table.format("enable")):
        assert "not forced on grants" in await refusal(app(registry))


async def test_another_schema_is_refused(registry: Registry) -> None:
    """A missing schema, and a missing, unknown or edited migration, each have their own refusal."""
    assert "no schema yet" in await refusal(registry.installation.dsn("postgres"))
    async with registry.sql() as owner:
        rows = await owner.fetch("select * from registry.schema_migrations order by version")
        back = "update registry.schema_migrations set sha256 = $1, version = $2 where name = $3"
        last = rows[-1]
        await owner.execute(back, "0" * 64, last["version"], last["name"])
        assert f"migration {last['name']} was changed" in await refusal(app(registry))
        await owner.execute(back, last["sha256"], 9999, last["name"])
        assert "which this release does not know" in await refusal(app(registry))
        await owner.execute("delete from registry.schema_migrations where version = 9999")
        assert f"lacks migration {last['name']}" in await refusal(app(registry))
        await owner.execute("insert into registry.schema_migrations select ($1::registry.schema_migrations).*", last)
    await require_safe(app(registry), demonstration=True)
