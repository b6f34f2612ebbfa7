"""The log check that runs after every journey finds forged logs and tables."""

import pytest

from tests.support.installation import Installation, Registry, fresh, serving
from tests.support.log_check import check_connection, check_log, reading_again
from tests.support.office import office

# Forgeries by a superuser of the database, who can switch off the triggers.
FORGERIES = {
    "an event removed": "delete from registry.events where log_index = 3 and network_id = 99",
    "a leaf removed": "delete from registry.leaves where log_index = 3 and network_id = 99",
    "event and leaf removed": """
        with gone as (delete from registry.events where log_index = 3 and network_id = 99)
        delete from registry.leaves where log_index = 3 and network_id = 99""",
    "an event rewritten": """update registry.events set event = convert_to(replace(convert_from(event, 'UTF8'),
        '"south"', '"east"'), 'UTF8') where network_id = 99 and kind = 3""",
    "a grant widened": "update registry.grants set category_ids = '{1,2,3}' where network_id = 99",
    "a grant prolonged": "update registry.grants set valid_until = valid_until + interval '1 s' where network_id = 99",
    "a withdrawal taken back": "delete from registry.grant_changes where network_id = 99",
    "a withdrawal backdated": "update registry.grant_changes set effective_at = '2026-01-01' where network_id = 99",
    "a consent invented": """
        insert into registry.grants
        select network_id, gen_random_uuid(), consent_id, client_id, recorder_id, recipient_id, sender_id, purpose_id,
            category_ids, explicit, answer, valid_from, valid_until
        from registry.grants where network_id = 99""",
}


async def _widened(registry: Registry) -> None:
    """Record a consent, and widen its grant in the table."""
    north = await office(registry, "north")
    await north.consent(await north.client())
    await _set_categories(registry, "{1,2,3}")


async def _set_categories(registry: Registry, numbers: str) -> None:
    async with registry.sql() as connection:
        await connection.execute("set session_replication_role = replica")
        await connection.execute("update registry.grants set category_ids = $1::text::smallint[]", numbers)


async def test_no_story_can_forget_it(request: pytest.FixtureRequest, installation: Installation) -> None:
    """Control: a journey that checks nothing itself fails, whether its registry ends with it or is shared."""
    assert "every_log_is_read_again" in request.fixturenames
    async with installation.copy() as database:
        with pytest.raises(AssertionError):
            async with reading_again(), serving(installation, database) as own:
                await _widened(own)
    async with fresh(installation) as shared:
        with pytest.raises(AssertionError):
            async with reading_again():
                await _widened(shared)
        await _set_categories(shared, "{1,2}")


@pytest.mark.parametrize("name", FORGERIES)
async def test_forgeries_are_found(registry: Registry, name: str) -> None:
    """Control: every forgery of events, leaves, consents or withdrawals in the database fails the check."""
    north = await office(registry, "north")
    client = await north.client()
    recorded = await north.consent(client)
    await north.post("/withdrawals", {"consent_id": recorded["consent_id"], "channel": "phone"})
    await check_log(registry)
    async with registry.sql() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute("set local session_replication_role = replica")
            await connection.execute(FORGERIES[name])
            with pytest.raises(AssertionError):
                await check_connection(connection, "small")
        finally:
            await transaction.rollback()
    await check_log(registry)
