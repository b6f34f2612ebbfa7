"""Reads the files that a verifier hands to `consent-registry verify`. A file of the wrong type is an error, not a
finding about the log.
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import msgspec

from consent_registry.domain.errors import Unusable
from consent_registry.tlog.checkpoint import Checkpoint
from consent_registry.tlog.event_bundle import read_head
from consent_registry.tlog.note import SignedNote
from consent_registry.tlog.policy import Policy
from consent_registry.tlog.proof import TlogProof
from consent_registry.tlog.receipt import require_receipt_shape
from consent_registry.tlog.refusal import TlogRefused

ACCESS_TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")
"""The characters of an access token (RFC 6750 section 2.1)."""


class NotThatFile(Unusable):
    """A file does not have the type for which it was given."""


class KeptAnswer(msgspec.Struct):
    """The two members of a kept decision's answer that `verify` needs: the receipt and the salt of the client."""

    receipt: str
    client_salt: str = ""


def read_kept(path: Path) -> tuple[str, bytes]:
    """Read a kept checkpoint; returns its path and bytes. Raises NotThatFile."""
    data = path.read_bytes()
    try:
        Checkpoint.parse(SignedNote.parse(data).text)
    except TlogRefused as error:
        raise NotThatFile(f"{path} is not a checkpoint: {error}") from error
    return str(path), data


def read_answer(path: Path) -> KeptAnswer:
    """Read a receipt, or a decision's whole answer in JSON with a receipt; raises NotThatFile."""
    try:
        text = path.read_bytes().decode("utf-8-sig").strip()
        answer = msgspec.json.decode(text, type=KeptAnswer) if text.startswith("{") else KeptAnswer(text)
        require_receipt_shape(answer.receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotThatFile(f"{path} is not a decision's answer with a receipt: {error}") from error
    except TlogRefused as error:
        raise NotThatFile(f"{path} is not a receipt: {error}") from error
    return answer


def read_policy(path: Path) -> Policy:
    """Read a policy; raises NotThatFile."""
    try:
        return Policy.parse(path.read_bytes())
    except TlogRefused as error:
        raise NotThatFile(f"{path} is not a policy: {error}") from error


def read_proof(path: Path) -> bytes:
    """Read a proof file; raises NotThatFile."""
    data = path.read_bytes()
    try:
        TlogProof.parse(data)
    except TlogRefused as error:
        raise NotThatFile(f"{path} is not a proof: {error}") from error
    return data


def read_token(path: Path) -> str:
    """Read an access token; raises NotThatFile."""
    token = path.read_bytes().decode("utf-8-sig", "replace").strip()
    if not token or not set(token) <= ACCESS_TOKEN:
        raise NotThatFile(f"{path} holds no access token")
    return token


@contextmanager
def open_events(path: Path | None) -> Iterator[Iterator[bytes] | None]:
    """The lines of a bundle of events; raises NotThatFile for a file that does not begin like a bundle."""
    if path is None:
        yield None
        return
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            first = file.readline()
            read_head(first)
            yield chain((first,), file)
    except gzip.BadGzipFile as error:
        raise NotThatFile(f"{path} is not a gzip file") from error
    except TlogRefused as error:
        raise NotThatFile(f"{path} is not a bundle of events: {error}") from error
