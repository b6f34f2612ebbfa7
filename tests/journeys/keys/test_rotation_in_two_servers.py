"""While keys are rotated, a server with the new keys and one with the old keys work as one registry."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest_asyncio

from consent_registry.operations.catalogue.network_setup import issue_credential
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import LockGroups, Steps
from consent_registry.storage.clients.clients import ClientReference, find_reference
from consent_registry.storage.clients.links import lock_groups
from consent_registry.storage.database.database import Connection
from consent_registry.storage.files.key_files import FILES, read_key_files, rotate_key
from consent_registry.storage.keys.keyring import Keys, load_keys
from tests.support.installation import Installation, Partner, Registry, serving
from tests.support.office import office
from tests.support.small_network import NUMBER

AFTER = timedelta(hours=1)
RACES = 20


class Pair(NamedTuple):
    """Two servers of one installation: `early` has read the new keys, `late` uses them."""

    early: Registry
    late: Registry


@pytest_asyncio.fixture(loop_scope="session")
async def pair(installation: Installation, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two applications on one database, while all four keys are rotated."""
    folder = shutil.copytree(installation.keys, tmp_path / "keys")
    folder.chmod(0o700)
    now = datetime.now(UTC)
    for name in FILES:
        rotate_key(folder, name, now, AFTER, AFTER)
    own = Installation(installation.cluster, folder, installation.networks)
    async with own.copy() as database, on_one_database(own, database) as servers:
        yield servers


@asynccontextmanager
async def on_one_database(
    installation: Installation, database: str, make_runtime: Callable[..., Runtime] = Runtime
) -> AsyncIterator[Pair]:
    """Run two applications on this database: one with the keys as of now, one with those of later."""
    async with (
        serving(installation, database, make_runtime=make_runtime) as early,
        serving(installation, database, make_runtime=make_runtime) as late,
    ):
        runtime_of(late).keys = load_keys(installation.keys).as_of(datetime.now(UTC) + AFTER)
        yield Pair(early, late)


def runtime_of(registry: Registry) -> Runtime:
    """The runtime of one server."""
    runtime = registry.app.state.shared.runtime
    assert isinstance(runtime, Runtime)
    return runtime


def ways(pair: Pair) -> Sequence[tuple[Registry, Registry]]:
    """Both orders: the old key's values at the new server, and the new key's at the old one."""
    return ((pair.early, pair.late), (pair.late, pair.early))


async def register(partner: Partner, reference: str) -> httpx.Response:
    """Register a reference."""
    return await partner.post("/clients", {"reference": reference})


async def test_what_one_server_recorded_the_other_knows(pair: Pair) -> None:
    """References, consents, receipt codes and kept answers of one server are valid at the other."""
    for here, there in ways(pair):
        north, north_there = await office(here, "north"), await office(there, "north")
        client = await north.client()
        consent = await north.consent(client)
        assert await north_there.outcome(client) == await north.outcome(client) == "permit"
        assert (await register(north_there.partner, client)).status_code == 200
        found = await north_there.post("/consents/search", {"client": client}, 200)
        assert [(item["consent_id"], item["client"]) for item in found["items"]] == [(consent["consent_id"], client)]
        body = {"receipt_code": consent["receipt_code"], "channel": "phone"}
        withdrawn = await north_there.partner.post("/withdrawals", body, Idempotency_Key=client)
        again = await north.partner.post("/withdrawals", body, Idempotency_Key=client)
        assert withdrawn.status_code == again.status_code == 201
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.content == withdrawn.content
        assert await north.outcome(client) == await north_there.outcome(client) == "no_permission"


async def test_a_token_of_one_server_is_good_at_the_other(pair: Pair) -> None:
    """A token of either key is accepted by both servers, and both publish both keys."""
    for here, there in ways(pair):
        token = (await here.partner("north")).token
        headers = {"Authorization": f"Bearer {token}"}
        assert (await there.http.get("/api/v1/me", headers=headers)).status_code == 200
    sets = [(await server.http.get("/.well-known/jwks.json")).json()["keys"] for server in pair]
    assert sorted(key["kid"] for key in sets[0]) == sorted(key["kid"] for key in sets[1])
    assert len(sets[0]) == 2 + 2 * len(pair.early.installation.networks)


async def test_a_dropped_keys_tokens_end_at_once(pair: Pair) -> None:
    """A token is refused as soon as its key is dropped; a token of the other key stays valid."""
    old, new = await pair.early.partner("north"), await pair.late.partner("north")
    for partner in (old, new):
        me = await pair.late.http.get("/api/v1/me", headers={"Authorization": f"Bearer {partner.token}"})
        assert me.status_code == 200
    files = read_key_files(pair.late.installation.keys)
    runtime_of(pair.late).keys = Keys(files | {"token": files["token"][:1]}, datetime.now(UTC) + 2 * AFTER)
    for partner, status in ((old, 401), (new, 200)):
        me = await pair.late.http.get("/api/v1/me", headers={"Authorization": f"Bearer {partner.token}"})
        assert me.status_code == status


async def test_a_secret_is_good_under_the_key_it_was_made_with(pair: Pair) -> None:
    """A credential issued under either digest key signs in at both servers, and at none once its key is dropped."""
    for here, there in ways(pair):
        runtime = runtime_of(here)
        network = await runtime.network("small")
        assert network is not None
        partner = (await runtime.picture(network)).partners["north"]
        client_id, secret = await issue_credential(runtime, network, partner)
        for server in (here, there):
            assert (await Partner(server.http, client_id, secret).sign_in()).status_code == 200
    files = read_key_files(pair.late.installation.keys)
    runtime_of(pair.late).keys = Keys(files | {"digest": files["digest"][:1]}, datetime.now(UTC) + 2 * AFTER)
    assert (await pair.late.stranger("north").sign_in()).json()["error"] == "invalid_client"


async def _race(pair: Pair) -> int:
    """Register RACES references at both servers at once; returns how many clients were made."""
    partners = [await server.partner("north") for server in pair]
    made = 0
    for number in range(RACES):
        answers = await asyncio.gather(*(register(partner, f"R-{number}") for partner in partners))
        assert {answer.status_code for answer in answers} <= {200, 201}
        made += sum(answer.status_code == 201 for answer in answers)
    return made


async def test_a_reference_is_one_client_whichever_key_registers_it(pair: Pair) -> None:
    """A reference registered at both servers at the same moment, under two digest keys, is still one client."""
    assert await _race(pair) == RACES
    async with pair.early.sql() as sql:
        query = "select count(*) from registry.client_references where network_id = $1"
        assert await sql.fetchval(query, NUMBER) == RACES


class CurrentAlone(Keys):
    """Keys that make a digest only under the current key."""

    def digests(self, purpose: str, network_id: int, partner_id: int, value: str) -> tuple[bytes, ...]:
        """The current key's digest."""
        return super().digests(purpose, network_id, partner_id, value)[:1]


async def test_looking_under_the_current_key_alone_is_found(pair: Pair) -> None:
    """Control: servers that look up a reference only under their current key make two clients of it."""
    for server in pair:
        known = runtime_of(server).keys
        runtime_of(server).keys = CurrentAlone(known._read, known._now)
    assert await _race(pair) == 2 * RACES


async def _wait_at_each_other(pair: Pair, lock: LockGroups = lock_groups) -> list[int]:
    """Register one reference at both servers; before looking it up, each waits half a second for the other."""
    arrived: list[None] = []
    both = asyncio.Event()

    async def together(
        connection: Connection, network_id: int, partner_id: int, digests: Sequence[bytes]
    ) -> ClientReference | None:
        arrived.append(None)
        if len(arrived) == 2:
            both.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(both.wait(), 0.5)
        return await find_reference(connection, network_id, partner_id, digests)

    make_runtime = partial(Runtime, steps=Steps(find_reference=together, lock_groups=lock))
    async with on_one_database(pair.early.installation, pair.early.database, make_runtime) as servers:
        partners = [await server.partner("north") for server in servers]
        answers = await asyncio.gather(*(register(partner, "R") for partner in partners))
    return sorted(answer.status_code for answer in answers)


async def test_two_servers_never_look_a_new_reference_up_side_by_side(pair: Pair) -> None:
    """The second server waits for the first server's lock, whichever keys they use, and finds the client it made."""
    assert await _wait_at_each_other(pair) == [200, 201]


async def test_a_lock_under_the_current_key_alone_is_found(pair: Pair) -> None:
    """Control: if a server locks a reference only under its current key, both look it up before one registers it."""

    async def current_only(
        connection: Connection,
        network_id: int,
        *,
        references: Sequence[tuple[int, bytes]] = (),
        client_ids: Sequence[str] = (),
    ) -> set[str]:
        return await lock_groups(connection, network_id, references=references[:1], client_ids=client_ids)

    assert await _wait_at_each_other(pair, current_only) == [201, 201]
