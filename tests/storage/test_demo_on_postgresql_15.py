"""The demonstration runs on an external PostgreSQL of the oldest supported version, given by its
administrator's URL.
"""

import asyncpg
import httpx
import pytest

from tests.campaigns.support.places import scratch
from tests.campaigns.support.server import Server
from tests.storage.conftest import Debian15

pytestmark = pytest.mark.system


async def test_a_day_on_postgresql_15(debian_15: Debian15) -> None:
    """With CONSENT_REGISTRY_DATABASE_URL the demonstration loads and serves the five networks there, twice in a row."""
    connection = await asyncpg.connect(debian_15.dsn())
    await connection.execute("create database elsewhere template template0")
    await connection.close()
    environment = {"CONSENT_REGISTRY_DATABASE_URL": debian_15.dsn(database="elsewhere")}
    with scratch("elsewhere") as folder:
        for _ in range(2):
            server = Server(folder / "data", environment=environment)
            server.start()
            try:
                await _ask(server)
            finally:
                server.stop()


async def _ask(server: Server) -> None:
    """Ask every network's example question, which is permitted."""
    examples = [network["permit_example"] for network in server.demo["networks"] if "permit_example" in network]
    assert len(examples) == 4
    for network in server.demo["networks"]:
        if "permit_example" in network:
            example = network["permit_example"]
            async with server.partner(network["slug"], example["partner"]).http() as http:
                answer: httpx.Response = await http.post("/api/v1/decisions", json=example["request"])
            assert (answer.status_code, answer.json()["outcome"]) == (200, "permit")
