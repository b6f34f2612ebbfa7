"""Quotas: which class a call counts as, whose quota it uses, and that a caller over quota costs no further work."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial

import asyncpg
import httpx
import pytest
import pytest_asyncio

from consent_registry.api.openapi.document import make_document
from consent_registry.app import create_app
from consent_registry.domain.flags import Policies
from consent_registry.domain.quotas import QuotaClass, Quotas
from consent_registry.operations.access import quotas as keeping
from consent_registry.operations.catalogue.policies import set_policies
from consent_registry.operations.runtime.context import Runtime
from consent_registry.settings import Settings
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import load_keys
from tests.support.installation import ISSUER, Installation, Partner, Registry, serving
from tests.support.small_network import NUMBER, question

FREE = {"get /live", "get /ready", "get /.well-known/jwks.json", "get /.well-known/oauth-authorization-server"}
# Calls that count neither as a read, as every GET does, nor as a write, as every POST does.
OTHERWISE: dict[str, QuotaClass] = {
    **dict.fromkeys(FREE, "free"),
    "post /oauth/token": "tokens",
    "post /api/v1/decisions": "decisions",
    "post /api/v1/decisions/batch": "batch_items",
    **dict.fromkeys(
        (f"post /api/v1/{search}" for search in ("consents/search", "events/exports", "events/search")), "reads"
    ),
}


def class_of(call: str) -> QuotaClass:
    """The class that a call is to count as."""
    return OTHERWISE.get(call, "reads" if call.startswith("get ") else "writes")


def test_every_call_counts_as_one_class() -> None:
    """Every call names its class at its route, and the OpenAPI document lists 429 for all but the free ones."""
    app = create_app(Settings(database_url="", keys=None, issuer=""))  # type: ignore[arg-type]
    found: dict[str, QuotaClass] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            operation = handler.opt.get("operation")
            if operation is not None:
                for method in handler.http_methods - {"HEAD", "OPTIONS"}:
                    found[f"{method.lower()} {route.path_format}"] = operation.quota
    assert found == {call: class_of(call) for call in found}
    assert found.keys() >= OTHERWISE.keys()
    for path, methods in make_document(app)["paths"].items():
        for method, said in methods.items():
            assert ("429" in said["responses"]) is (f"{method} {path}" not in FREE), f"{method} {path}"


@pytest_asyncio.fixture
async def operator(fresh_registry: Registry) -> AsyncIterator[Runtime]:
    """The runtime of another process, an operator's."""
    pool = await open_pool(fresh_registry.installation.dsn(fresh_registry.database), 2)
    yield Runtime(pool, load_keys(fresh_registry.installation.keys), ISSUER)
    await pool.close()


async def give(operator: Runtime, quotas: Mapping[str, int | None], seen_by: Partner | None = None) -> None:
    """Set the small network's quotas; let a call of `seen_by` load the new version, and wait until the calls counted
    before no longer count.
    """
    known = await operator.network("small")
    assert known is not None
    await set_policies(operator, known, Policies(quotas=Quotas(**quotas)), set_by="B-12")
    if seen_by is not None:
        await seen_by.get("/network")
        await asyncio.sleep(0.15)


def refused(answer: httpx.Response, at_most: int = 60) -> bool:
    """Whether this is the answer to a caller over quota; asserts the form that the contract promises."""
    if answer.status_code != 429:
        return False
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/over-quota"
    assert 1 <= int(answer.headers["retry-after"]) <= at_most
    assert answer.headers["x-request-id"]
    return True


async def has_had(call: Callable[[], Awaitable[httpx.Response]], count: int) -> None:
    """Assert that so many calls are answered and the next is over quota."""
    for number in range(count):
        answer = await call()
        assert answer.status_code < 400, (number, answer.text)
    assert refused(await call())


async def test_each_class_is_counted_by_itself(fresh_registry: Registry, operator: Runtime) -> None:
    """Each class has its own quota: a caller that used one up still has all others."""
    north = await fresh_registry.partner("north")
    await give(operator, {"decisions": 3, "batch_items": 6, "writes": 4, "reads": 5, "tokens": 2}, north)
    await has_had(lambda: north.get("/me"), 5)
    await has_had(lambda: north.post("/decisions", question("N-1")), 3)
    pair = {"decisions": [question("N-1"), question("N-2")]}
    await has_had(lambda: north.post("/decisions/batch", pair), 3)
    await has_had(lambda: north.post("/clients", {"reference": "N-1"}), 4)
    await has_had(fresh_registry.stranger("north").sign_in, 2)


async def test_partners_have_their_own(fresh_registry: Registry, operator: Runtime) -> None:
    """All systems of one partner share its quota; another partner, a DPO and the administration have theirs."""
    north, again = await fresh_registry.partner("north"), fresh_registry.stranger("north")
    await again.sign_in()
    await give(operator, {"reads": 3}, north)
    await has_had(lambda: again.get("/me"), 3)
    assert refused(await north.get("/me"))
    for caller in (await fresh_registry.partner("south"), await fresh_registry.partner("admin")):
        await has_had(partial(caller.get, "/me"), 3)
    dpo = await fresh_registry.dpo("north")
    await has_had(lambda: dpo.post("/events/search", {}), 3)


async def test_a_token_of_fewer_scopes_pays_from_the_same_quota(fresh_registry: Registry, operator: Runtime) -> None:
    """A partner's tokens share its quota, whichever scopes they have."""
    north, narrow = await fresh_registry.partner("north"), fresh_registry.stranger("north")
    await narrow.sign_in(scope="decisions")
    await give(operator, {"reads": 2}, north)
    assert [(await caller.get("/me")).status_code for caller in (north, narrow, north, narrow)] == [200, 200, 429, 429]


@pytest.mark.parametrize(
    ("path", "good", "quotas"),
    [
        ("/decisions", question("N-1"), {"decisions": 1}),
        ("/decisions/batch", {"decisions": [question("N-1")]}, {"batch_items": 1}),
        ("/clients", {"reference": "N-1"}, {"writes": 1}),
        ("/consents/search", {"client": "N-1"}, {"reads": 1}),
    ],
)
async def test_whoever_has_had_enough_hears_nothing_else(
    fresh_registry: Registry, operator: Runtime, path: str, good: object, quotas: dict[str, int]
) -> None:
    """A caller over quota gets 429 before its Idempotency-Key, body, media type or scope is looked at, and without a
    query to the database.
    """
    north = await fresh_registry.partner("north")
    await give(operator, quotas, await fresh_registry.partner("south"))
    assert [(await north.post(path, good, Idempotency_Key="k")).status_code // 100 for _ in range(2)] == [2, 4]
    await _without_database(fresh_registry)
    for content in (b"", b"{", b"[]", b'{"a": 1}', b"x" * (3 << 20), json.dumps(good).encode()):
        for headers in ({}, {"Idempotency_Key": "k"}, {"Idempotency_Key": "k" * 99}, {"Content_Type": "text/plain"}):
            assert refused(await north.send(path, content, **headers))
            assert refused(await north.send(path, content, Accept="image/png", **headers))
    assert (await (await fresh_registry.partner("south")).get("/me")).status_code == 503


async def _without_database(registry: Registry) -> None:
    """Close the application's connections: a call that needs the database can then not answer 429."""
    await registry.app.state.shared.runtime.pool.close()


async def test_a_running_server_takes_a_new_version(fresh_registry: Registry, operator: Runtime) -> None:
    """A running server applies new quotas: lower ones once a call loads them, higher ones before the next refusal."""
    north = await fresh_registry.partner("north")
    await give(operator, {"reads": 8}, north)
    assert (await north.get("/network")).json()["policies"] == {"quotas": {"reads": 8}}
    await has_had(lambda: north.get("/network"), 7)
    await give(operator, {"reads": None})
    await asyncio.sleep(keeping.REFRESH)  # a refusal loads a new version at most once in this time
    for _ in range(20):
        assert (await north.get("/network")).status_code == 200


async def test_a_batch_counts_its_questions(fresh_registry: Registry, operator: Runtime) -> None:
    """A batch is counted whole or not at all: one larger than the rest of the quota takes only what its call counts."""
    north = await fresh_registry.partner("north")
    await give(operator, {"batch_items": 10}, north)

    async def ask(count: int) -> int:
        batch = {"decisions": [question(f"N-{number}") for number in range(count)]}
        return (await north.post("/decisions/batch", batch)).status_code

    assert [await ask(count) for count in (7, 5, 2, 1)] == [200, 429, 200, 429]
    assert await ask(11) == 429
    assert (await north.post("/decisions", question("N-1"))).status_code == 200


async def test_workers_share_the_quota(installation: Installation) -> None:
    """Each of four workers grants a quarter of the quota."""
    async with installation.copy() as database:
        pool = await open_pool(installation.dsn(database), 2)
        await give(Runtime(pool, load_keys(installation.keys), ISSUER), {"reads": 8})
        await pool.close()
        async with serving(installation, database, workers=4) as registry:
            north = await registry.partner("north")
            await has_had(lambda: north.get("/network"), 2)


async def test_attempts_at_tokens_are_counted_before_anything_is_asked(
    fresh_registry: Registry, operator: Runtime
) -> None:
    """Attempts count for known and unknown client ids, with right and wrong secrets; other clients are not affected."""
    await give(operator, {"tokens": 3}, await fresh_registry.partner("south"))
    known = fresh_registry.stranger("north")
    wrong = known.client_secret[:-1] + ("A" if known.client_secret[-1] != "A" else "B")
    for client_id in (known.client_id, "small.nobody.00000000", "small." + "x" * 300):
        tries = [await _try(fresh_registry, client_id, wrong) for _ in range(5)]
        assert [answer.status_code for answer in tries] == [401, 401, 401, 429, 429]
        assert refused(tries[-1])
    assert refused(await known.sign_in())
    await _without_database(fresh_registry)
    for _ in range(50):
        assert refused(await _try(fresh_registry, known.client_id, wrong))
    assert (await (await fresh_registry.partner("south")).get("/me")).status_code == 503


async def test_nobody_is_kept_from_its_token_by_who_tries_in_its_name(
    installation: Installation, fresh_registry: Registry, operator: Runtime
) -> None:
    """Attempts from another address count for that address only."""
    await give(operator, {"tokens": 2})
    known = fresh_registry.stranger("north")
    async with serving(installation, fresh_registry.database, caller="192.0.2.66") as elsewhere:
        await (await elsewhere.partner("south")).get("/network")
        tries = [await _try(elsewhere, known.client_id, "wrong") for _ in range(4)]
        assert [answer.status_code for answer in tries] == [401, 401, 429, 429]
        here = httpx.ASGITransport(app=elsewhere.app, client=("192.0.2.1", 4711))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=here, base_url="http://registry.test") as http:
            known.http = http
            assert (await known.sign_in()).status_code == 200


async def _try(registry: Registry, client_id: str, secret: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return await registry.http.post("/oauth/token", data=form)


async def test_made_up_client_ids_fill_no_memory(fresh_registry: Registry) -> None:
    """Attempts with 1000 made-up client ids use no more places than PLACES."""
    keeper = keeping.QuotaKeeper(fresh_registry.app.state.shared.runtime, places=16)
    for number in range(1000):
        await keeper.charge_attempt(f"nowhere{number}.x", "192.0.2.1")
    assert len(keeper._attempts) == 16
    assert not keeper._buckets


async def test_a_suspended_caller_hears_that_it_is_suspended(fresh_registry: Registry, operator: Runtime) -> None:
    """A suspended caller gets 401, not 429, also when it is over quota."""
    north, admin = await fresh_registry.partner("north"), await fresh_registry.partner("admin")
    await give(operator, {"reads": 1}, north)
    await has_had(lambda: north.get("/me"), 1)
    assert (await admin.post("/suspensions", {"partner": "north"})).status_code == 201
    await asyncio.sleep(keeping.REFRESH)
    assert (await north.get("/me")).status_code == 401


async def test_the_database_refuses_to_change_a_version(fresh_registry: Registry, operator: Runtime) -> None:
    """Versions of policies are only added, and each names who set it."""
    await give(operator, {"reads": 1})
    async with fresh_registry.sql() as connection:
        for statement in ("update registry.policies set set_by = 'x'", "delete from registry.policies"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await connection.execute(statement)
        statement = "select version, set_by from registry.policies where network_id = $1 order by 1"
        rows = await connection.fetch(statement, NUMBER)
        assert [tuple(row) for row in rows] == [(1, None), (2, "B-12")]
