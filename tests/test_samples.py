"""What was written down once from a registry that ran: events, answers, a log of a day, exit codes. It stays as it is,
however the code is arranged: what is in a log must be read for ever, and what partners read must not change by itself.
"""

import base64
import json
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import msgspec
import pytest

from consent_registry import operations
from consent_registry.api.openapi.document import _operations
from consent_registry.domain.events.all_kinds import NUMBERS
from consent_registry.operations.runtime.idempotency import StoredShape, decode_kept
from consent_registry.tlog.leaf import canonical, opens
from consent_registry.web.operation import Operation
from tests.cli.forks import Forks, forking
from tests.cli.verbs import every_verb
from tests.support.installation import Registry

SAMPLES = Path(__file__).parent / "samples"
DAY = SAMPLES / "day"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    return found


EVENTS, ANSWERS, EXIT_CODES = _read("events.json"), _read("answers.json"), _read("exit_codes.json")
KEPT = _read("kept.json")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """The command, ready to run."""
    with forking() as made:
        yield made


def test_each_kind_of_event_has_its_sample() -> None:
    """None is missing and none is of a kind that is gone."""
    assert set(EVENTS) == set(NUMBERS)


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_is_read_as_it_was_written(kind: str) -> None:
    """Its bytes are canonical (RFC 8785), and with its nonce they open the leaf that the log holds."""
    sample = EVENTS[kind]
    event = sample["event"].encode()
    members = json.loads(event)
    assert members["kind"] == kind
    assert canonical(members) == event
    nonce, leaf = (base64.b64decode(sample[name]) for name in ("nonce", "leaf"))
    assert opens(leaf, event, nonce)
    assert not opens(leaf, event + b" ", nonce)


def _documented(registry: Registry) -> dict[str, Operation]:
    return {f"{method} {path}": operation for path, method, _, _, operation in _operations(registry.app)}


async def test_an_answer_is_as_it_was(registry: Registry) -> None:
    """Each call has its sample, which is what the call's type reads and writes, byte for byte."""
    documented = _documented(registry)
    assert set(ANSWERS) == set(documented)
    for call, sample in ANSWERS.items():
        operation = documented[call]
        assert sample["status"] in {operation.status, *operation.others}, call
        assert sample["type"].partition(";")[0] in operation.media_types, call
        assert ("location" in sample) == operation.located, call
        if sample["type"] == "application/json":
            body = sample["body"].encode()
            again = msgspec.json.encode(msgspec.json.decode(body, type=operation.answer))
            # Key sets are written from what OpenSSL hands out, in an order of their own.
            assert again == body or (call.endswith("jwks.json") and json.loads(again) == json.loads(body)), call


def _shapes() -> dict[str, StoredShape[Any]]:
    modules = [import_module(found.name) for found in walk_packages(operations.__path__, f"{operations.__name__}.")]
    every = [shape for module in modules for shape in vars(module).values() if isinstance(shape, StoredShape)]
    return {f"{shape.name} {shape.version}": shape for shape in every}


def test_a_kept_outcome_is_given_again_as_it_was() -> None:
    """What was kept for a key under a shape's name and version is rendered byte for byte as it was rendered first."""
    shapes = _shapes()
    assert set(KEPT) >= set(shapes)
    for name, sample in KEPT.items():
        performed = decode_kept(base64.b64decode(sample["kept"]), shapes[name])
        assert msgspec.json.encode(performed.value).decode() == sample["body"], name
        assert (performed.is_new, performed.is_replayed) == (sample["is_new"], True)


def test_control_another_version_is_not_taken_for_this_one() -> None:
    """Control: what was kept in a version that is not known here is no answer."""
    shape = _shapes()["client 1"]
    kept = base64.b64decode(KEPT["client 1"]["kept"])
    with pytest.raises(ValueError, match="client 1, not as client 2"):
        decode_kept(kept, msgspec.structs.replace(shape, version=2))


def test_a_day_is_verified(forks: Forks) -> None:
    """A log with all its events, after an erasure, and a checkpoint kept from before it: they hold."""
    ended = forks.run(
        *("verify", DAY / "log", "--vkey", _line("vkey")),
        *("--events", DAY / "events.jsonl", "--kept", DAY / "kept.checkpoint"),
    )
    assert ended.code == 0, ended


def test_control_a_day_that_was_altered_does_not_hold(forks: Forks, tmp_path: Path) -> None:
    """Control: one bit of one hash."""
    shutil.copytree(DAY / "log", tmp_path / "log")
    (tile,) = (tmp_path / "log/tile/0").glob("000.p/124")
    content = bytearray(tile.read_bytes())
    content[7] ^= 1
    tile.write_bytes(content)
    assert forks.run("verify", tmp_path / "log", "--vkey", _line("vkey")).code == 1


def test_a_receipt_is_verified(forks: Forks) -> None:
    """A decision's receipt, with its proof and whose it is; of somebody else it is not."""
    proof = ("--proof", DAY / "receipt.tlog-proof", "--vkey", _line("vkey"))
    for reference, code in ((_line("reference"), 0), ("N-somebody-else", 1)):
        ended = forks.run("verify", "receipt", DAY / "answer.json", *proof, "--reference", reference)
        assert ended.code == code, ended


def _line(name: str) -> str:
    return (DAY / name).read_text(encoding="utf-8").strip()


def test_each_verb_has_its_exit_code() -> None:
    """None is missing and none is of a verb that is gone."""
    assert set(EXIT_CODES) == {words for words, _ in every_verb()}


@pytest.mark.parametrize("words", EXIT_CODES)
def test_a_verb_ends_as_it_did(forks: Forks, words: str) -> None:
    """With the same words and no setting it ends with the same code."""
    sample = EXIT_CODES[words]
    assert forks.run(*words.split(), *sample["given"], stdin=b"AWO-1001\n").code == sample["code"]
