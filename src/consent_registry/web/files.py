"""Answers that are the same for everybody, given as a web server gives files: with an ETag, 304 for who has the file,
and compressed for who takes gzip.

Only such files are compressed. An answer that holds a secret beside a text of the caller's choice would tell the secret
by its compressed length (BREACH); here nothing depends on who asks. A file is compressed once, when it is made, so that
asking for it costs the server no more than the plain one does.
"""

import gzip
import hashlib
from collections.abc import Mapping
from typing import Any, Literal, Self

import msgspec
from litestar import Request, Response

REVALIDATE = "public, no-cache"


class File(msgspec.Struct, frozen=True):
    """Bytes with their media type, headers of their own, and the same compressed where that is shorter."""

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
        said = {"Cache-Control": cache, **({"Vary": "Accept-Encoding"} if compressible else {}), **(headers or {})}
        tag = hashlib.sha256(content).hexdigest()[:32]
        return cls(content, media_type, tag, said, compressible, packed if len(packed) < len(content) else None)


def serve_file(request: Request[Any, Any, Any], file: File) -> Response[bytes]:
    """The file, packed if the request takes that, or 304 if its sender has it already."""
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
    """A header that is a list, all lines of it (RFC 9110 section 5.3)."""
    return ", ".join(request.headers.getall(name, []))


def takes_gzip(accepted: str) -> bool:
    """Whether gzip is named and not refused (RFC 9110 section 12.5.3)."""
    for one in accepted.split(","):
        name, _, weight = one.replace(" ", "").lower().partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False


def _known(sent: str, tag: str) -> bool:
    """Whether If-None-Match names this tag (RFC 9110 section 13.1.2, weak comparison)."""
    return sent.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in sent.split(",")}
