"""A registry that permits what it cannot record (the campaign with a blocked log must find it)."""

from base64 import b64encode
from collections.abc import Sequence
from uuid import uuid4

from litestar.types import ASGIApp

from consent_registry import app
from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import CannotRecord
from consent_registry.operations.decisions import batch, queue
from consent_registry.operations.decisions.decisions import DecisionAnswer
from consent_registry.operations.decisions.pending import PendingRequest
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult
from consent_registry.operations.runtime.wire_members import LogEntry


async def answer_batch(runtime: Runtime, network: Network, waiting: Sequence[PendingRequest]) -> list[PendingRequest]:
    """Answer as usual; where nothing can be recorded, permit all the same."""
    try:
        return await _real(runtime, network, waiting)
    except CannotRecord:
        for request in waiting:
            place = LogEntry(network.log_origin, 0, b64encode(bytes(33)).decode())
            answer = DecisionAnswer(str(uuid4()), "permit", [], [], [], "", "", (), place)
            request.settle(CommandResult([answer]))
        return []


def create_app() -> ASGIApp:
    """Return the real application with the defect in it."""
    vars(queue)["answer_batch"] = answer_batch
    return app.create_app()


_real = batch.answer_batch
