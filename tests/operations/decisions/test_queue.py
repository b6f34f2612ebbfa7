"""The decision queue: a request that fails does not affect the other requests of its batch."""

import asyncio
import uuid
from functools import partial

import asyncpg
import msgspec

from consent_registry.domain.decisions import Decision, decide
from consent_registry.operations.decisions.decisions import DecisionRequest
from consent_registry.operations.decisions.queue import DecisionQueue
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import Keys, load_keys
from tests.support.installation import ISSUER, Registry, serving
from tests.support.small_network import question


async def test_a_defect_stays_with_its_own_request(registry: Registry) -> None:
    """If deciding one request fails unexpectedly, only that request is answered 500; the others of its batch are
    answered.
    """

    def broken(asked: object, *facts: object, **more: object) -> Decision:
        if asked.purpose.slug == "housing":  # type: ignore[attr-defined]
            raise RuntimeError("a defect")
        return decide(asked, *facts, **more)  # type: ignore[arg-type]

    bodies = [question(f"N-{uuid.uuid4()}", purpose="housing" if number == 7 else "support") for number in range(20)]
    make_runtime = partial(Runtime, steps=Steps(decide=broken))
    async with serving(registry.installation, registry.database, make_runtime=make_runtime) as defective:
        north = await defective.partner("north")
        answers = await asyncio.gather(*(north.post("/decisions", body) for body in bodies))
    assert [answer.status_code for answer in answers] == [500 if number == 7 else 200 for number in range(20)]


class Unsigning(Keys):
    """Keys that cannot sign a receipt."""

    def sign_receipt(self, log_origin: str, claims: bytes, key_id: str | None) -> str:
        """Fail, whatever is to be signed."""
        raise RuntimeError(f"a defect: {log_origin}, {len(claims)} bytes, {key_id}")


async def test_what_fails_after_commit_is_not_asked_again(registry: Registry) -> None:
    """If an answer cannot be made after its decision was committed, its caller alone gets the error. The log holds each
    decision once: asking again would record it twice.
    """
    keys = load_keys(registry.installation.keys)
    async with registry.sql() as connection:
        pool = await open_pool(registry.installation.dsn(registry.database), 2)
        runtime = Runtime(pool, Unsigning(keys._read, keys._now), ISSUER)
        network = await runtime.network("small")
        assert network is not None
        office = (await runtime.picture(network)).partners["north"]
        entry = next(
            partner for partner in registry.installation.networks["small"]["partners"] if partner["slug"] == "north"
        )
        actor = Actor(network, office.partner_id, "north", entry["client_id"])
        queue = DecisionQueue(runtime, network, 0)
        before = await _decisions(connection, network.network_id)
        requests = [
            msgspec.convert(question(f"N-{uuid.uuid4()}", receipt=number == 1), DecisionRequest) for number in range(3)
        ]
        outcomes = await asyncio.gather(*(queue.ask(actor, [request]) for request in requests), return_exceptions=True)
        assert [isinstance(outcome, RuntimeError) for outcome in outcomes] == [False, True, False]
        assert await _decisions(connection, network.network_id) == before + len(requests)
        await pool.close()


async def _decisions(connection: asyncpg.Connection, network_id: int) -> int:
    return int(
        await connection.fetchval(
            "select count(*) from registry.events where network_id = $1 and kind = registry.kind('decision')",
            network_id,
        )
    )
