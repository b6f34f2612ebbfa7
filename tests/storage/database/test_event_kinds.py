"""SQL knows the kinds of events by the names and numbers of the domain, and never by a bare number."""

import re
from pathlib import Path

import asyncpg
import pytest
from tools.schema.event_kinds import FILE, event_kinds_sql

from consent_registry.domain.events.all_kinds import EVENTS, NUMBERS
from tests.support.installation import Registry

ROOT = Path(__file__).parents[3]
# `kind = 1`, `kind in (2, 23)`, `3 as kind` and the like, outside the file that is generated.
BARE = re.compile(r"\bkind\s*(=|<>|!=|in)\s*\(?\s*\d|\d\s+as\s+kind\b|\b\d+::smallint,\s*(due|coalesce)", re.IGNORECASE)


def test_the_file_is_the_domains() -> None:
    """`make schema` would write what is committed."""
    assert (ROOT / "migrations" / FILE).read_text(encoding="utf-8") == event_kinds_sql(), "run `make schema`"


async def test_the_database_knows_every_kind_and_class(registry: Registry) -> None:
    """Each name has its number, each class its kinds; another name is an error and no null."""
    async with registry.sql() as sql:
        for kind, number in NUMBERS.items():
            assert await sql.fetchval("select registry.kind($1)", kind) == number
        for name in ("use", "state", "permanent"):
            numbers = [event.number for event in EVENTS.values() if event.retention_class == name]
            assert await sql.fetchval("select registry.kinds_of($1)", name) == numbers
        for statement in ("select registry.kind('remainder')", "select registry.kinds_of('other')"):
            with pytest.raises(asyncpg.CaseNotFoundError):
                await sql.fetchval(statement)


async def test_a_name_is_planned_as_its_number(registry: Registry) -> None:
    """In a plan for any values a kind's name is a constant, and an index of that kind serves."""
    async with registry.sql() as sql:
        await sql.execute("set plan_cache_mode = force_generic_plan")
        await sql.execute("set enable_seqscan = off")
        await sql.execute(
            "prepare decisions (integer, integer) as select max(log_index) from registry.events"
            " where network_id = $1 and actor_id = $2 and kind = registry.kind('decision')"
        )
        plan = "\n".join(row[0] for row in await sql.fetch("explain execute decisions (1, 1)"))
    assert "registry.kind" not in plan
    assert "_network_id_actor_id_log_index" in plan or "decision_idx" in plan


@pytest.mark.parametrize(
    "path",
    [
        path.relative_to(ROOT).as_posix()
        for folder in ("migrations", "src/consent_registry/storage")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".sql", ".py"} and path.name not in {FILE.name, "schema.sql"}
    ],
)
def test_no_kind_is_a_bare_number(path: str) -> None:
    """Statements name kinds."""
    assert BARE.search((ROOT / path).read_text(encoding="utf-8")) is None


@pytest.mark.parametrize("text", ["where kind = 1 and", "e.kind in (2, 23)", "o.kind <> 1", "select 3 as kind"])
def test_control_a_bare_number_is_seen(text: str) -> None:
    """What the test above would find."""
    assert BARE.search(text) is not None
