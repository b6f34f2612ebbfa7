"""The files a verifier brings, each looked at for what it is: another file in its place is no finding against a log."""

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
from consent_registry.tlog.refusal import AuditRefusal

ACCESS_TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")
"""RFC 6750 section 2.1."""


class NotThatFile(Unusable):
    """A file is not what it was given as."""


class Answer(msgspec.Struct):
    """What of a decision's answer is read."""

    receipt: str
    client_salt: str = ""


def read_kept(path: Path) -> tuple[str, bytes]:
    """A checkpoint that was kept, by its name; raises NotThatFile."""
    data = path.read_bytes()
    try:
        Checkpoint.parse(SignedNote.parse(data).text)
    except AuditRefusal as error:
        raise NotThatFile(f"{path} is no checkpoint: {error}") from error
    return str(path), data


def read_answer(path: Path) -> Answer:
    """A receipt, or a decision's whole answer in JSON with one; raises NotThatFile."""
    try:
        text = path.read_bytes().decode("utf-8-sig").strip()
        answer = msgspec.json.decode(text, type=Answer) if text.startswith("{") else Answer(text)
        require_receipt_shape(answer.receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotThatFile(f"{path} is no decision's answer with a receipt: {error}") from error
    except AuditRefusal as error:
        raise NotThatFile(f"{path} is no receipt: {error}") from error
    return answer


def read_policy(path: Path) -> Policy:
    """A policy; raises NotThatFile."""
    try:
        return Policy.parse(path.read_bytes())
    except AuditRefusal as error:
        raise NotThatFile(f"{path} cannot be followed: {error}") from error


def read_proof(path: Path) -> bytes:
    """A proof file; raises NotThatFile."""
    data = path.read_bytes()
    try:
        TlogProof.parse(data)
    except AuditRefusal as error:
        raise NotThatFile(f"{path} is no proof: {error}") from error
    return data


def read_token(path: Path) -> str:
    """An access token; raises NotThatFile."""
    token = path.read_bytes().decode("utf-8-sig", "replace").strip()
    if not token or not set(token) <= ACCESS_TOKEN:
        raise NotThatFile(f"{path} holds no access token")
    return token


@contextmanager
def open_events(path: Path | None) -> Iterator[Iterator[bytes] | None]:
    """The lines of a bundle of events; raises NotThatFile for a file that does not begin as one."""
    if path is None:
        yield None
        return
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            first = file.readline()
            read_head(first)
            yield chain((first,), file)
    except gzip.BadGzipFile as error:
        raise NotThatFile(f"{path} is no gzip file") from error
    except AuditRefusal as error:
        raise NotThatFile(f"{path} is no bundle of events: {error}") from error
