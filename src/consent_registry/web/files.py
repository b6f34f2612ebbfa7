"""Answers that are the same for every caller, served like files: with ETag, 304 and gzip.

Nothing else is compressed. If an answer contains a secret beside text that the caller chose, its compressed length
reveals the secret (BREACH). These files do not depend on the caller. Each is compressed once, when it is made.
"""

import gzip
import hashlib
from collections.abc import Mapping
from typing import Any, Literal, Self

import msgspec
from litestar import Request, Response

REVALIDATE = "public, no-cache"


class File(msgspec.Struct, frozen=True):
    """A file's bytes, media type and headers, and its gzip form if that is shorter."""

    content: bytes
    media_type: str
    tag: str
    headers: Mapping[str, str]
    compressible: bool
    packed: bytes | None

    @classmethod
    def of(
        cls,
        content: bytes,
        media_type: str,
        cache: str = REVALIDATE,
        *,
        headers: Mapping[str, str] | None = None,
        compressible: bool = True,
    ) -> Self:
        """A file of these bytes; `cache` is its Cache-Control."""
        packed = gzip.compress(content, mtime=0) if compressible else content
        every = {"Cache-Control": cache, **({"Vary": "Accept-Encoding"} if compressible else {}), **(headers or {})}
        tag = hashlib.sha256(content).hexdigest()[:32]
        return cls(content, media_type, tag, every, compressible, packed if len(packed) < len(content) else None)


def serve_file(request: Request[Any, Any, Any], file: File) -> Response[bytes]:
    """The response with a file: as gzip if the request allows it, or 304 if the caller has the file already."""
    content, tag, headers = file.content, file.tag, dict(file.headers)
    if file.packed is not None and takes_gzip(_listed(request, "accept-encoding")):
        content, tag = file.packed, f"{tag}-gzip"
        headers["Content-Encoding"] = "gzip"
    headers["ETag"] = f'"{tag}"'
    status: Literal[200, 304] = 200
    if _known(_listed(request, "if-none-match"), headers["ETag"]):
        content, status = b"", 304
        headers.pop("Content-Encoding", None)
    return Response(content, status_code=status, media_type=file.media_type, headers=headers)


def _listed(request: Request[Any, Any, Any], name: str) -> str:
    """All lines of a list header as one (RFC 9110 section 5.3)."""
    return ", ".join(request.headers.getall(name, []))


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110 section 12.5.3)."""
    for coding in accepted.split(","):
        name, _, weight = coding.replace(" ", "").lower().partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False


def _known(sent: str, tag: str) -> bool:
    """Whether If-None-Match names this tag (RFC 9110 section 13.1.2, weak comparison)."""
    return sent.strip() == "*" or tag in {known.strip().removeprefix("W/") for known in sent.split(",")}
