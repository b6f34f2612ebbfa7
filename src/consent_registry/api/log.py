"""The routes of the log for auditors: static files (C2SP tlog-tiles) and proofs.

A tile never changes, so caches may keep it for ever; its ETag is made from its bytes. If logs are not public, the
caller needs a token of the network, and other networks' logs are answered like unknown ones.
"""

from typing import Annotated, Any, cast

import msgspec
from litestar import Response, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from consent_registry.domain.errors import Fault, Malformed, NotFound
from consent_registry.operations.log import reading as operations
from consent_registry.operations.log.reading import Consistency, LogReader
from consent_registry.tlog.encoding import decode_decimal
from consent_registry.tlog.tile import Bundle
from consent_registry.web.callers import ApiRequest, Guard, SharedState, require_media_types, requires, shared_state
from consent_registry.web.files import File, serve_file
from consent_registry.web.operation import openapi_operation
from consent_registry.web.queries import require_declared

TEXT, BYTES = "text/plain", "application/octet-stream"
Size = Annotated[str | None, QueryParameter(name="from", description="size of the earlier tree")]
LaterSize = Annotated[str | None, QueryParameter(name="to", description="size of the later tree")]
LogRequest = ApiRequest


def _reads_log(answer: str) -> Guard:
    """A guard that lets everybody read public logs and otherwise demands a token. The handler checks the network."""
    with_token = requires("", answer)
    taken = frozenset({"", "*/*", answer, f"{answer.partition('/')[0]}/*"})

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler | None = None, /) -> None:
        shared: SharedState = connection.app.state.shared
        if shared.log_public:
            require_media_types(cast("ApiRequest", connection), taken)
            connection.scope["user"] = None
            require_declared(cast("ApiRequest", connection))
        else:
            await with_token(connection)

    return guard


def _file(summary: str, kind: type, media_type: str) -> dict[str, Any]:
    """The description of a route that serves a file. Its query is ignored: caches and mirrors add parameters."""
    headers = ("ETag", "Cache-Control")
    return openapi_operation(200, kind, summary, quota="reads", any_query=True, media_type=media_type, headers=headers)


@get(
    "/log/{network:str}/checkpoint",
    guards=[_reads_log(TEXT)],
    **_file("The log's signed checkpoint", str, TEXT),
)
async def read_log_checkpoint(request: LogRequest) -> Response[bytes]:
    """A signed note (C2SP tlog-checkpoint) with origin, size and root of the log's tree, at most a second old."""
    runtime = shared_state(request).runtime
    return _serve(request, await operations.read_checkpoint(runtime, await _reader(request)), TEXT, "max-age=1")


@get(
    "/log/{network:str}/tile/{place:path}",
    guards=[_reads_log(BYTES)],
    **_file("A tile or an entry bundle", bytes, BYTES),
)
async def read_log_tile(request: LogRequest) -> Response[bytes]:
    """A file of C2SP tlog-tiles: `{L}/{N}` or `{L}/{N}.p/{W}` for hashes, `entries/{N}` or `entries/{N}.p/{W}` for
    entries. N is written in groups of three digits, `x001/x234/067`. The files never change.
    """
    place = operations.read_place(request.path_params["place"].lstrip("/"))
    runtime, reader = shared_state(request).runtime, await _reader(request)
    if isinstance(place, Bundle):
        bundle = await operations.read_bundle(runtime, reader, place)
        return _serve(request, bundle, BYTES, "max-age=31536000, immutable", compressible=True)
    return _serve(request, await operations.read_tile(runtime, reader, place), BYTES, "max-age=31536000, immutable")


@get(
    "/log/{network:str}/proofs/{index:str}",
    guards=[_reads_log(TEXT)],
    **_file("The proof that an entry is in the log", str, TEXT),
)
async def prove_inclusion(request: LogRequest) -> Response[bytes]:
    """A `.tlog-proof` file (C2SP tlog-proof) with inclusion path and checkpoint. It is verified offline with the leaf
    in the decision or receipt. An entry that the published checkpoint does not contain yet is 404: ask again a second
    later.
    """
    index = _decimal(request.path_params["index"])
    if index is None:
        raise NotFound
    proof = await operations.prove_inclusion(shared_state(request).runtime, await _reader(request), index)
    return _serve(request, proof, TEXT, "max-age=1")


@get(
    "/log/{network:str}/consistency",
    guards=[_reads_log("application/json")],
    **openapi_operation(
        200,
        Consistency,
        "The proof that the log only grew",
        quota="reads",
        query=("old_size", "new_size"),
        refusals=(Malformed,),
        headers=("ETag", "Cache-Control"),
    ),
)
async def prove_consistency(request: LogRequest, old_size: Size = None, new_size: LaterSize = None) -> Response[bytes]:
    """The proof of RFC 6962 section 2.1.2 between two sizes of the log; without `to`, up to the published checkpoint.
    From size 0 and between equal sizes the path is empty.
    """
    if old_size is None:
        raise Malformed(faults=[Fault.of_query("from", "is required")])
    earlier, later = _size("from", old_size), None if new_size is None else _size("to", new_size)
    if later is not None and earlier > later:
        raise Malformed(faults=[Fault.of_query("from", "must not be larger than to")])
    proof = await operations.prove_consistency(shared_state(request).runtime, await _reader(request), earlier, later)
    return _serve(request, msgspec.json.encode(proof), "application/json", "max-age=1")


@get(
    "/log/{network:str}/vkeys",
    guards=[_reads_log(TEXT)],
    **_file("The log's verifier keys", str, TEXT),
)
async def read_log_vkeys(request: LogRequest) -> Response[bytes]:
    """One verifier key on each line (C2SP signed-note): the current key first, then earlier ones. Compare them with the
    keys in the network's agreement, because an attacker who can change the log can change this answer too.
    """
    lines = await operations.read_vkeys(shared_state(request).runtime, await _reader(request))
    return _serve(request, "".join(f"{line}\n" for line in lines).encode(), TEXT, "max-age=300")


async def _reader(request: LogRequest) -> LogReader:
    return await LogReader.of(shared_state(request).runtime, request.path_params["network"], request.scope["user"])


def _decimal(text: str) -> int | None:
    try:
        return decode_decimal(text)
    except ValueError:
        return None


def _size(name: str, text: str) -> int:
    size = _decimal(text)
    if size is None:
        raise Malformed(faults=[Fault.of_query(name, "must be a size, in decimal")])
    return size


def _serve(
    request: LogRequest, content: bytes, media_type: str, cache: str, *, compressible: bool = False
) -> Response[bytes]:
    """The response with a file of the log and its Cache-Control."""
    cache = f"{'public' if shared_state(request).log_public else 'private'}, {cache}"
    return serve_file(request, File.of(content, media_type, cache, compressible=compressible))


ROUTES = [read_log_checkpoint, read_log_tile, prove_inclusion, prove_consistency, read_log_vkeys]
