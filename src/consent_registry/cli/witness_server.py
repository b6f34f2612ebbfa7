"""The HTTP server of a witness (C2SP tlog-witness): add-checkpoint, and the latest cosigned checkpoint of each log."""

import asyncio
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import HTTPException

from consent_registry.operations.log.witness_service import Witness, open_witness
from consent_registry.process.server_log import configure_log
from consent_registry.tlog.witness import LARGEST_REQUEST, NOT_FOUND, TEXT_TYPE, SubmissionRefused

FOLDER = "CONSENT_REGISTRY_WITNESS"
"""The environment variable with the witness's folder. The server process reads no other."""

_ORIGIN_HASH = re.compile(r"[0-9a-f]{64}")
_log = structlog.get_logger(__name__)

WitnessRequest = Request[Any, Any, Any]


def create_app() -> Litestar:
    """The ASGI application of a witness."""
    configure_log()
    witness = open_witness(Path(os.environ[FOLDER]), time.time)
    app = Litestar(
        [add_checkpoint, latest_checkpoint],
        request_max_body_size=LARGEST_REQUEST,
        exception_handlers={SubmissionRefused: _refused, HTTPException: _http_error, Exception: _failed},
        openapi_config=None,
        debug=False,
    )
    app.state.witness = witness
    return app


@post("/add-checkpoint", status_code=200)
async def add_checkpoint(request: WitnessRequest) -> Response[bytes]:
    """Check and cosign a checkpoint. A thread waits for the disk, so that other requests are answered meanwhile."""
    witness: Witness = request.app.state.witness
    line = await asyncio.to_thread(witness.add_checkpoint, await request.body())
    return _answer(200, line)


@get("/{origin_hash:str}/checkpoint")
async def latest_checkpoint(request: WitnessRequest, origin_hash: str) -> Response[bytes]:
    """The latest cosigned checkpoint of the log whose origin has this SHA-256 hash, in hexadecimal."""
    witness: Witness = request.app.state.witness
    known = _ORIGIN_HASH.fullmatch(origin_hash)
    data = await asyncio.to_thread(witness.latest_checkpoint, origin_hash) if known else None
    if data is None:
        raise SubmissionRefused(NOT_FOUND, "this witness has cosigned no checkpoint of such a log")
    return _answer(200, data, {"Cache-Control": "no-cache"})


def _refused(_: WitnessRequest, error: SubmissionRefused) -> Response[bytes]:
    return _answer(error.status, error.body.encode(), media_type=error.media_type)


def _http_error(_: WitnessRequest, error: HTTPException) -> Response[bytes]:
    return _answer(error.status_code, f"{error.detail}\n".encode(), error.headers)


def _failed(_: WitnessRequest, error: Exception) -> Response[bytes]:
    """Answer 500 without a cosignature: the disk is full, the folder is missing, or a kept checkpoint is unreadable."""
    _log.error("nothing was cosigned", exc_info=error)
    return _answer(500, b"this witness cannot answer now\n")


def _answer(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, media_type: str = TEXT_TYPE
) -> Response[bytes]:
    # Content-Type is set as a header, because Litestar adds a charset to `media_type`, and SIZE_TYPE has none.
    return Response(body, status_code=status, headers={**(headers or {}), "Content-Type": media_type})
