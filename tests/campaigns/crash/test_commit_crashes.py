"""Cases 1 and 2 of docs/sealing.md: a worker killed just before and just after the COMMIT of a decision."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.campaigns.support.places import scratch
from tests.campaigns.support.server import Server, lay_out

pytestmark = pytest.mark.campaign
LIMIT_S = 15.0


async def sign_in(server: Server, http: httpx.AsyncClient) -> tuple[str, dict[str, object]]:
    """Return an access token of the partner whose example is permitted, and the example."""
    network = server.network("paderborn")
    example = network["permit_example"]
    partner = next(partner for partner in network["partners"] if partner["slug"] == example["partner"])
    pair = (partner["client_id"], partner["client_secret"])
    answer = await http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=pair)
    return answer.json()["access_token"], example["request"]


async def ask_until_answered(server: Server, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Ask again and again, as a partner's software does."""
    until = time.monotonic() + LIMIT_S
    while True:
        assert time.monotonic() < until, server.output_end()
        try:
            answer = await ask()
        except httpx.TransportError:
            await asyncio.sleep(0.05)
        else:
            if answer.status_code == httpx.codes.OK:
                return answer


async def decisions(server: Server) -> list[dict[str, object]]:
    """Return the decisions in the example network's log, in its order."""
    connection = await server.sql()
    rows = await connection.fetch(
        "select event, log_index from events join networks using (network_id)"
        " where slug = 'paderborn' and kind = 1 order by log_index"
    )
    await connection.close()
    return [json.loads(row["event"]) | {"index": row["log_index"]} for row in rows]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_worker_killed_at_commit(when: str) -> None:
    """Before: nothing is there and the question is asked again. After: it is there once, and the same key gets the same
    decision with the same leaf. Either way nobody was answered by the worker that died.
    """
    with scratch(f"commit-{when}") as folder:
        server = Server(
            lay_out(folder / "data"),
            target=f"tests.campaigns.defects.crash_at_commit:create_app_that_dies_{when}",
            environment={"DYING_MARK": str(folder / "mark")},
        )
        server.start()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=LIMIT_S) as http:
                await _kill_and_ask_again(server, http, committed=when == "after")
            assert (folder / "mark").exists(), "it died of something else"
        finally:
            server.stop(check=False)


async def _kill_and_ask_again(server: Server, http: httpx.AsyncClient, *, committed: bool) -> None:
    token, question = await sign_in(server, http)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "crash-1"}

    async def ask() -> httpx.Response:
        return await http.post("/api/v1/decisions", json=question | {"receipt": True}, headers=headers)

    before = await decisions(server)
    with pytest.raises(httpx.TransportError):
        await ask()
    assert len((await decisions(server))[len(before) :]) == committed
    answer = await ask_until_answered(server, ask)
    (made,) = (await decisions(server))[len(before) :]
    assert (answer.json()["decision_id"], answer.json()["log"]["index"]) == (made["id"], made["index"])
    assert (answer.headers.get("idempotency-replayed") == "true") is committed
    assert answer.json()["receipt"]
