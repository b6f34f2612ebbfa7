"""The decision queue: a request that fails does not affect the other requests of its batch."""

import asyncio
import uuid
from functools import partial

from consent_registry.domain.decisions import Decision, decide
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from tests.support.installation import Registry, serving
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
