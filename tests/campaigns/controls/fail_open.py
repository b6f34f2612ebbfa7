"""A registry that permits what it cannot record: the defect the blocked-log campaign must see."""

import json
from base64 import b64encode
from collections.abc import Sequence
from uuid import uuid4

from litestar.types import ASGIApp

from consent_registry import app
from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import CannotRecord
from consent_registry.operations.commands import Reply
from consent_registry.operations.context import Runtime
from consent_registry.operations.decisions import batch, queue
from consent_registry.operations.decisions.batch import Waiting


async def answer_batch(runtime: Runtime, network: Network, waiting: Sequence[Waiting]) -> list[Waiting]:
    """Answer as usual; where nothing can be recorded, permit all the same."""
    try:
        return await _real(runtime, network, waiting)
    except CannotRecord:
        for one in waiting:
            place = {"origin": network.log_origin, "index": 0, "leaf": b64encode(bytes(33)).decode()}
            one.settle(
                Reply(200, json.dumps({"decision_id": str(uuid4()), "outcome": "permit", "log": place}).encode())
            )
        return []


def create_app() -> ASGIApp:
    """Return the real application with the defect in it."""
    vars(queue)["answer_batch"] = answer_batch
    return app.create_app()


_real = batch.answer_batch
