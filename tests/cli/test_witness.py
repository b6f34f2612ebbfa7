"""A witness in a process of its own, with its folder and key, called over HTTP as by any log."""

import concurrent.futures
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from consent_registry.storage.files.witness_state import WitnessState
from consent_registry.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from consent_registry.tlog.cosignature import cosignatures
from consent_registry.tlog.merkle import consistency_ranges, leaf_hash, root
from consent_registry.tlog.note import COSIGNATURE, SignedNote, SignerKey, VerifierKey, sign_note
from consent_registry.tlog.witness import AddCheckpoint, read_cosignatures
from tests.cli.test_command_line import run
from tests.process.test_supervisor import free_port, until

LOG = SignerKey.of_seed("registry.test/small", bytes(32))
LEAVES = [leaf_hash(number.to_bytes(2, "big")) for number in range(600)]
FORK = [leaf_hash(b"another past"), *LEAVES[1:]]


def checkpoint(size: int, leaves: list[bytes] = LEAVES, signer: SignerKey = LOG) -> bytes:
    """Return the log's signed checkpoint at a size."""
    return sign_checkpoint(Checkpoint(signer.name, size, root(leaves[:size])), [signer]).format()


def submission(old: int, size: int, leaves: list[bytes] = LEAVES, signer: SignerKey = LOG) -> bytes:
    """Return the whole body of add-checkpoint."""
    path = [root(leaves[start:end]) for start, end in consistency_ranges(old, size)] if old <= size else []
    return AddCheckpoint(old, tuple(path), checkpoint(size, leaves, signer)).format()


@dataclass
class Running:
    """A witness's process, its folder, address and public key."""

    folder: Path
    port: int
    key: VerifierKey
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Return both of its prefixes."""
        return f"http://127.0.0.1:{self.port}"

    def add(self, old: int, size: int, leaves: list[bytes] = LEAVES, signer: SignerKey = LOG) -> httpx.Response:
        """Submit a checkpoint."""
        return httpx.post(f"{self.url}/add-checkpoint", content=submission(old, size, leaves, signer), timeout=20)

    def latest(self, origin: str = LOG.name) -> httpx.Response:
        """Read the latest cosigned checkpoint."""
        return httpx.get(f"{self.url}/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and wait."""
        self.process.send_signal(number)
        return self.process.wait(20)


def start(folder: Path, key: VerifierKey, port: int) -> Running:
    """Start `witness serve` and wait until it answers."""
    command = [sys.executable, "-m", "consent_registry", "witness", "serve", str(folder), "--port", str(port)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
    running = Running(folder, port, key, subprocess.Popen(command, env=clean, stdin=subprocess.DEVNULL))

    def answers() -> bool:
        try:
            return httpx.get(f"{running.url}/none").status_code == 404
        except httpx.TransportError:
            return False

    until(answers, 30)
    return running


def make(folder: Path, name: str = "w1.test") -> VerifierKey:
    """Make a witness's folder that trusts the log."""
    key = SignerKey.of_seed(name, hashlib.sha256(name.encode()).digest(), COSIGNATURE)
    WitnessState(folder).make(key)
    WitnessState(folder).trust(LOG.verifier)
    return key.verifier


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start a witness that has cosigned size 3."""
    folder = tmp_path_factory.mktemp("witness") / "state"
    running = start(folder, make(folder), free_port())
    assert running.add(0, 3).status_code == 200
    yield running
    assert running.stop() == 0


def test_a_log_is_witnessed_from_nothing_on(tmp_path: Path) -> None:
    """A witness cosigns the first checkpoint, the next and the same again at its own time, and serves the latest."""
    folder = tmp_path / "state"
    key = VerifierKey.parse(run("witness", "make", str(folder), "w1.test").stdout.strip())
    assert run("witness", "trust", str(folder), str(LOG.verifier)).stdout == f"{LOG.verifier}\n"
    running = start(folder, key, free_port())
    try:
        assert running.latest().status_code == 404
        for old, size in [(0, 0), (0, 3), (3, 300), (300, 300), (300, 600)]:
            answer = running.add(old, size)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
            text = SignedNote.parse(checkpoint(size)).text
            [(line, at)] = read_cosignatures(answer.content, text, [running.key])
            assert line.line() == answer.text
            assert at > 1_700_000_000
            kept = open_checkpoint(running.latest().content, [LOG.verifier])
            assert kept.checkpoint == Checkpoint(LOG.name, size, root(LEAVES[:size]))
            assert cosignatures(kept.note, [running.key]) == {running.key: at}
    finally:
        assert running.stop() == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b""),
        (400, b"old 3\n"),
        (400, submission(4, 3)),
        (403, AddCheckpoint(3, (), checkpoint(3, signer=SignerKey.of_seed(LOG.name, bytes(31) + b"\1"))).format()),
        (404, AddCheckpoint(0, (), checkpoint(3, signer=SignerKey.of_seed("other.test", bytes(32)))).format()),
        (409, submission(0, 5)),
        (409, submission(2, 5)),
        (409, submission(5, 6)),
        (422, submission(3, 3, FORK)),
        (422, submission(3, 5, FORK)),
        (422, AddCheckpoint(3, (), checkpoint(5)).format()),
        (413, submission(3, 5) + bytes(256 * 1024)),
    ],
)
def test_what_it_refuses(shared: Running, status: int, body: bytes) -> None:
    """Each refusal has its status of tlog-witness, a 409 has the size in the specified type, and the state does not
    change.
    """
    before = shared.latest().content
    answer = httpx.post(f"{shared.url}/add-checkpoint", content=body)
    assert answer.status_code == status, answer.text
    if status == 409:
        assert (answer.headers["content-type"], answer.content) == ("text/x.tlog.size", b"3\n")
    else:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert shared.latest().content == before


@pytest.mark.parametrize(
    "path", ["/", "/add-checkpoint", "/0/checkpoint", f"/{'0' * 64}/checkpoint", "/..%2fkey/checkpoint", "/key"]
)
def test_nothing_else_is_served(shared: Running, path: str) -> None:
    """Other addresses, other logs and the folder's other files are 404."""
    assert httpx.get(shared.url + path).status_code in {404, 405}


def test_lines_that_strangers_added_are_not_kept(shared: Running) -> None:
    """The served checkpoint has only the log's signature and the witness's own."""
    stranger = SignerKey.of_seed("stranger.test", bytes(32))
    note = SignedNote.parse(checkpoint(3))
    crowded = SignedNote(note.text, (stranger.sign(note.text), *note.signatures, stranger.sign("other\n")))
    body = AddCheckpoint(3, (), crowded.format()).format()
    assert httpx.post(f"{shared.url}/add-checkpoint", content=body).status_code == 200
    names = [line.name for line in SignedNote.parse(shared.latest().content).signatures]
    assert names == [LOG.name, shared.key.name]


def test_extension_lines_are_cosigned_as_they_are(shared: Running) -> None:
    """The cosignature is over the whole text."""
    text = checkpoint(3).decode().partition("\n\n")[0] + "\nextension\n"
    answer = httpx.post(
        f"{shared.url}/add-checkpoint", content=AddCheckpoint(3, (), sign_note(text, [LOG]).format()).format()
    )
    assert len(read_cosignatures(answer.content, text, [shared.key])) == 1


def test_it_never_goes_back(tmp_path: Path) -> None:
    """Of many submissions at once from the same size, only trees that continue one another are cosigned, and what it
    remembers is the largest; killed at any moment, it remembers what it has answered.
    """
    key = make(tmp_path / "state")
    running = start(tmp_path / "state", key, free_port())
    try:
        assert running.add(0, 1).status_code == 200
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            sizes = [2, 3, 50, 100] * 6
            honest = [pool.submit(running.add, 1, size) for size in sizes]
            forked = [pool.submit(running.add, 1, size, FORK) for size in sizes]
            results = [(future.result(), size) for future, size in zip(honest, sizes, strict=True)]
            assert {future.result().status_code for future in forked} <= {409, 422}
        cosigned = [size for answer, size in results if answer.status_code == 200]
        assert len(cosigned) == 1
        assert {answer.status_code for answer, _ in results} == {200, 409}
        size = cosigned[0]
        for larger in (200, 300):
            assert running.add(size, larger).status_code == 200
            size = larger
            running.stop(signal.SIGKILL)
            running = start(tmp_path / "state", key, free_port())
            assert running.add(1, 500).content == f"{size}\n".encode()
    finally:
        running.stop()


def test_a_memory_that_cannot_be_read_is_not_begun_anew(shared: Running) -> None:
    """With a damaged or foreign checkpoint in its folder a witness does not answer; after repair it continues."""
    name = hashlib.sha256(LOG.name.encode()).hexdigest()
    kept = shared.folder / "checkpoints" / name
    good = kept.read_bytes()
    for bad in (b"", good[:-5], checkpoint(2), good.replace(LOG.name.encode(), b"registry.test/third")):
        kept.write_bytes(bad)
        assert shared.add(3, 3).status_code == 500
        assert shared.add(0, 3).status_code == 500
    kept.write_bytes(good)
    assert shared.add(3, 3).status_code == 200


def test_a_disk_that_takes_nothing(shared: Running) -> None:
    """If the checkpoint cannot be stored, there is no cosignature; later there is."""
    before = shared.latest().content
    obstacle = shared.folder / "checkpoints" / f"{hashlib.sha256(LOG.name.encode()).hexdigest()}.new"
    obstacle.mkdir()
    assert shared.add(3, 3).status_code == 500
    assert shared.latest().content == before
    obstacle.rmdir()
    assert shared.add(3, 3).status_code == 200


def test_the_key_is_its_own(tmp_path: Path) -> None:
    """The key file is private and is made once; a readable or malformed one is refused."""
    make(tmp_path / "state")
    file = tmp_path / "state/key"
    assert file.stat().st_mode & 0o777 == 0o600
    secret = file.read_text()
    again = run("witness", "make", str(tmp_path / "state"), "w1.test")
    assert (again.returncode, again.stdout, file.read_text()) == (1, "", secret)
    for content, mode, line in [
        (secret, 0o640, "chmod 600"),
        (secret[:-9], 0o600, "is not a private key"),
        (LOG.format(), 0o600, "is not a key for cosignatures"),
        (None, 0o600, "is missing"),
    ]:
        file.write_text(content or "")
        file.chmod(mode)
        if content is None:
            file.unlink()
        refused = run("witness", "serve", str(tmp_path / "state"), "--port", str(free_port()))
        assert refused.returncode == 1
        assert line in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert secret[-30:-1] not in refused.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["make", "{}", "a b"], "not a name for a key"),
        (["make", "{}", "a+b"], "not a name for a key"),
        (["trust", "{}", "nonsense"], "a key is written"),
        (["trust", "{}", "{}"], "a key is written"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, words: list[str], line: str) -> None:
    """A malformed name or key ends with exit code 1 and one line, and nothing is made."""
    result = run("witness", *(word.format(tmp_path / "state") for word in words))
    assert result.returncode == 1
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "state/key").exists()


def test_a_log_is_known_from_when_it_is_trusted(shared: Running) -> None:
    """A running witness reads new logs in its file; a malformed line stops it from answering, with its number."""
    foreign = SignerKey.of_seed("registry.test/other", bytes(32))
    body = AddCheckpoint(0, (), checkpoint(3, signer=foreign)).format()
    assert httpx.post(f"{shared.url}/add-checkpoint", content=body).status_code == 404
    run("witness", "trust", str(shared.folder), str(foreign.verifier))
    assert httpx.post(f"{shared.url}/add-checkpoint", content=body).status_code == 200
    assert shared.latest(foreign.name).status_code == 200
    logs = shared.folder / "logs"
    good = logs.read_text()
    logs.write_text(good + "nonsense\n")
    assert httpx.post(f"{shared.url}/add-checkpoint", content=body).status_code == 500
    refused = run("witness", "serve", str(shared.folder), "--port", str(free_port()))
    assert f"line {len(good.splitlines()) + 1}" in refused.stderr
    logs.write_text(good)
