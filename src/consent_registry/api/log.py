"""The log as strangers read it: static files by C2SP tlog-tiles, and proofs made of them.

A tile, once there, never changes, so it may be kept for ever; its ETag is made from its bytes. Where logs are not
public a token of the network is needed, and any other network looks as if it were not there.
"""

from typing import Annotated, Any, cast

import msgspec
from litestar import Response, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from consent_registry.domain.errors import Fault, Malformed, NotFound
from consent_registry.operations.log import reading as operations
from consent_registry.operations.log.reading import Consistency, Reader
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
    """A guard: anybody where logs are public, else whoever holds a token; the handler compares the network."""
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
    """What a route says that serves a file; as of any file, a query is ignored: caches and mirrors add some."""
    headers = ("ETag", "Cache-Control")
    return openapi_operation(200, kind, summary, quota="reads", any_query=True, media_type=media_type, headers=headers)


@get(
    "/log/{network:str}/checkpoint",
    guards=[_reads_log(TEXT)],
    **_file("The log's signed checkpoint", str, TEXT),
)
async def read_log_checkpoint(request: LogRequest) -> Response[bytes]:
    """A signed note (C2SP tlog-checkpoint): origin, size and root of the log's tree, at most a second old."""
    runtime = shared_state(request).runtime
    return _serve(request, await operations.read_checkpoint(runtime, await _reader(request)), TEXT, "max-age=1")


@get(
    "/log/{network:str}/tile/{place:path}",
    guards=[_reads_log(BYTES)],
    **_file("A tile or an entry bundle", bytes, BYTES),
)
async def read_log_tile(request: LogRequest) -> Response[bytes]:
    """C2SP tlog-tiles: `{L}/{N}` or `{L}/{N}.p/{W}` for hashes, `entries/{N}` or `entries/{N}.p/{W}` for entries; N in
    groups of three digits, `x001/x234/067`. Nothing at these addresses ever changes.
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
    """A `.tlog-proof` file (C2SP tlog-proof): inclusion path and checkpoint, to be verified offline with the leaf that
    decision or receipt named. An entry that is not under the published checkpoint yet is not found: ask again a second
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
    """RFC 6962 section 2.1.2, for two sizes that the log had; without `to`, up to the published checkpoint. From size 0
    and between equal sizes the path is empty.
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
    """One verifier key a line (C2SP signed-note), the current one first, then those that signed before it. Compare them
    with what the network's agreement says: who could change the log could change this answer.
    """
    lines = await operations.read_vkeys(shared_state(request).runtime, await _reader(request))
    return _serve(request, "".join(f"{line}\n" for line in lines).encode(), TEXT, "max-age=300")


async def _reader(request: LogRequest) -> Reader:
    return await Reader.of(shared_state(request).runtime, request.path_params["network"], request.scope["user"])


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
    """The answer a file would be given by a web server."""
    cache = f"{'public' if shared_state(request).log_public else 'private'}, {cache}"
    return serve_file(request, File.of(content, media_type, cache, compressible=compressible))


ROUTES = [read_log_checkpoint, read_log_tile, prove_inclusion, prove_consistency, read_log_vkeys]
