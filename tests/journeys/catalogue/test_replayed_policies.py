"""Each version of a network's policies is an event, and the table check compares the table with these events."""

from consent_registry.domain.flags import Policies
from consent_registry.domain.quotas import Quotas
from consent_registry.operations.catalogue.policies import set_policies
from tests.support.erasing import administering
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.table_check_runs import found, replayed


async def _set_twice(registry: Registry) -> None:
    await registry.partner("admin")
    async with administering(registry) as (runtime, network):
        for reads in (5_000, None):
            await set_policies(runtime, network, Policies(quotas=Quotas(reads=reads)), set_by="OPS-1")


async def test_each_version_is_on_record(fresh_registry: Registry) -> None:
    """Setting policies twice writes two events by the operator, and the table equals them."""
    await _set_twice(fresh_registry)
    kinds = [event["kind"] for event in await check_log(fresh_registry)]
    assert kinds.count("policy") == 2


async def test_control_a_version_that_was_edited_is_found(fresh_registry: Registry) -> None:
    """Control: a quota that somebody changed in the database differs from its event."""
    await _set_twice(fresh_registry)
    async with fresh_registry.sql() as sql:
        await sql.execute("set session_replication_role = replica")
        await sql.execute(
            "update registry.policies set policies = '{}' where version = (select max(version) from registry.policies)"
        )
    fresh_registry.planted.add("small")
    assert any("policies" in line for line in found((await replayed(fresh_registry)).report))
