"""The registry warns if any setting makes the server write parameter values into its log."""

import asyncpg
import pytest

from consent_registry.storage.database.parameter_logging import find_parameter_logging
from tests.support.installation import Registry

LOGGING: list[tuple[dict[str, str], str]] = [
    ({"log_statement": "all"}, "log_statement = all with log_parameter_max_length = -1"),
    ({"log_statement": "mod"}, "log_statement = mod"),
    ({"log_min_duration_statement": "0"}, "log_min_duration_statement = 0"),
    ({"log_min_duration_statement": "5000"}, "log_min_duration_statement = 5000"),
    ({"log_min_duration_sample": "100"}, "log_min_duration_sample = 100"),
    ({"log_transaction_sample_rate": "0.5"}, "log_transaction_sample_rate = 0.5"),
    ({"log_parameter_max_length_on_error": "-1"}, "log_parameter_max_length_on_error = -1"),
    ({"log_parameter_max_length_on_error": "64"}, "log_parameter_max_length_on_error = 64"),
]
SILENT: list[dict[str, str]] = [
    {},
    {"log_statement": "all", "log_parameter_max_length": "0"},
    {"log_min_duration_statement": "0", "log_parameter_max_length": "0"},
]


async def told(dsn: str, options: dict[str, str]) -> list[str]:
    """Return the warnings in a session with these settings."""
    connection = await asyncpg.connect(dsn, server_settings=options)
    try:
        return await find_parameter_logging(connection)
    finally:
        await connection.close()


@pytest.mark.parametrize(("options", "line"), LOGGING)
async def test_each_setting_is_named(registry: Registry, options: dict[str, str], line: str) -> None:
    """Each dangerous setting is named with its value for this login."""
    (found,) = await told(registry.installation.dsn(registry.database, "postgres"), options)
    assert found.startswith(line)


@pytest.mark.parametrize("options", SILENT)
async def test_control_a_server_that_logs_no_values(registry: Registry, options: dict[str, str]) -> None:
    """Control: logging statements without their values gives no warning."""
    assert await told(registry.installation.dsn(registry.database, "postgres"), options) == []


async def test_ready_warns_of_it(fresh_registry: Registry) -> None:
    """`/ready` warns of a dangerous setting of the application's login, and stays 200."""
    async with fresh_registry.sql() as sql:
        await sql.execute("alter role consent_registry_app set log_min_duration_statement = 250")
    try:
        pool = fresh_registry.app.state.shared.runtime.pool
        await pool.expire_connections()
        await fresh_registry.app.state.warnings.refresh()
        answer = await fresh_registry.http.get("/ready")
    finally:
        async with fresh_registry.sql() as sql:
            await sql.execute("alter role consent_registry_app reset log_min_duration_statement")
    assert answer.status_code == 200
    assert any("log_min_duration_statement = 250" in warning for warning in answer.json()["warnings"])
