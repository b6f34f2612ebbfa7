"""`verify` as a DPO runs it: a folder or an address, the DPO's own keys, and exit codes for scripts."""

import functools
import gzip
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tests.cli.test_command_line import run
from tests.tlog.small_log import KEY, REFERENCE, SALT, WITNESSED, SmallLog, base64url

VKEY = str(KEY.verifier)


def verify(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the verb without database and settings."""
    return run("verify", *(str(word) for word in words))


@pytest.fixture(scope="module")
def log() -> SmallLog:
    """A log of 600 entries."""
    return SmallLog.of(600)


@pytest.fixture
def folder(log: SmallLog, tmp_path: Path) -> Path:
    """Make the log's export and the DPO's own files."""
    for path, data in log.files.items():
        (tmp_path / "log" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "log" / path).write_bytes(data)
    (tmp_path / "policy").write_bytes(WITNESSED.format())
    (tmp_path / "may.checkpoint").write_bytes(log.checkpoint(257))
    (tmp_path / "april.checkpoint").write_bytes(log.checkpoint(1))
    (tmp_path / "events.jsonl").write_bytes(b"".join(log.bundle()))
    (tmp_path / "events.jsonl.gz").write_bytes(gzip.compress(b"".join(log.bundle())))
    (tmp_path / "receipt").write_text(log.receipt(270) + "\n")
    answer = {"receipt": log.receipt(270), "client_salt": base64url(SALT), "outcome": "permit"}
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    (tmp_path / "270.tlog-proof").write_bytes(log.proof(270))
    return tmp_path


def test_a_month_of_a_dpo(folder: Path) -> None:
    """With all inputs at once everything holds with exit code 0, and the checkpoint is saved for the next month."""
    result = verify(
        *(folder / "log", "--policy", folder / "policy", "--events", folder / "events.jsonl.gz"),
        *("--kept", folder / "april.checkpoint", "--kept", folder / "may.checkpoint"),
        *("--receipt", folder / "receipt", "--receipt", folder / "answer.json", "--save", folder / "june.checkpoint"),
    )
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:2] == ["log    registry.test/small", "size   600"]
    assert [line.split()[0] for line in lines[4:12]] == [*["holds"] * 2, "-", *["holds"] * 5]
    assert lines[-1] == "Everything that was checked holds."
    assert (folder / "june.checkpoint").read_bytes() == (folder / "log/checkpoint").read_bytes()
    again = verify(folder / "log", "--vkey", VKEY, "--kept", folder / "june.checkpoint", "--json")
    assert again.returncode == 0
    report = json.loads(again.stdout)
    assert (report["verdict"], report["size"]) == ("holds", 600)
    assert {check["name"] for check in report["checks"]} >= {"entries", "tiles", "kept checkpoints"}


def test_a_finding(folder: Path) -> None:
    """A flipped bit ends with exit code 1 and is named as text and JSON; nothing is saved and no control character is
    shown.
    """
    bundle = folder / "log/tile/entries/001"
    data = bytearray(bundle.read_bytes())
    data[40] ^= 1
    bundle.write_bytes(data)
    result = verify(folder / "log", "--vkey", VKEY, "--save", folder / "kept")
    assert result.returncode == 1
    assert "entry 257 does not match the hash in its tile" in result.stdout
    assert "together they are the evidence" in result.stdout
    assert not (folder / "kept").exists()
    report = json.loads(verify(folder / "log", "--vkey", VKEY, "--json").stdout)
    assert report["verdict"] == "fails"
    findings = [finding for check in report["checks"] for finding in check["findings"]]
    assert {"code": "entry_hash", "detail": "entry 257 does not match the hash in its tile", "index": 257} in findings
    (folder / "log/checkpoint").write_bytes(b"evil\x1b[31m\n0\n\n\n")
    assert "\x1b" not in verify(folder / "log", "--vkey", VKEY).stdout


def test_what_cannot_be_told(folder: Path) -> None:
    """Without a witness a demanded freshness ends with exit code 2, and the report says that it is no finding."""
    result = verify(folder / "log", "--vkey", VKEY, "--max-age", "3600")
    assert result.returncode == 2
    assert "No fault was found" in result.stdout


def test_freshness(log: SmallLog, folder: Path) -> None:
    """A cosignature of a minute ago is fresh for an hour; yesterday's is a finding."""
    for age, code in [(60, 0), (86400, 1)]:
        (folder / "log/checkpoint").write_bytes(log.checkpoint(600, int(time.time()) - age))
        asked = verify(folder / "log", "--policy", folder / "policy", "--max-age", "3600")
        assert asked.returncode == code, asked.stdout


def test_nothing_of_the_registry_is_needed(folder: Path) -> None:
    """Without database driver and web framework a log and a receipt are verified."""
    without = "import sys; sys.modules |= dict.fromkeys(['asyncpg', 'litestar', 'granian']); "
    for words in (
        ["verify", str(folder / "log"), "--vkey", VKEY],
        ["verify", "receipt", str(folder / "receipt"), "--proof", str(folder / "270.tlog-proof"), "--vkey", VKEY],
    ):
        program = f"{without} sys.argv[1:] = {words!r}; from consent_registry.__main__ import main; main()"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, env={})
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["{}/log"], "give a key that you trust"),
        (["{}/none", "--vkey", VKEY], "neither a folder nor an http(s) address"),
        (["{}/log", "--vkey", "nonsense"], "a key is written"),
        (["{}/log", "--policy", "{}/none"], "No such file"),
        (["{}/log", "--policy", "{}/receipt"], "line 1 of the policy"),
        (["{}/log", "--vkey", VKEY, "--kept", "{}/none"], "No such file"),
        (["{}/log", "--vkey", VKEY, "--events", "{}/none"], "No such file"),
        (["{}/log", "--vkey", VKEY, "--events", "{}/bad.gz"], "gzip"),
        (["http://127.0.0.1:9/log", "--vkey", VKEY], "cannot be read: Connection refused"),
        (["receipt", "{}/none", "--proof", "{}/270.tlog-proof", "--vkey", VKEY], "No such file"),
        (["receipt", "{}/receipt", "--proof", "{}/none", "--vkey", VKEY], "No such file"),
        (["receipt", "{}/receipt", "--proof", "{}/270.tlog-proof"], "give a key that you trust"),
        (["receipt", "{}/empty.json", "--proof", "{}/270.tlog-proof", "--vkey", VKEY], "not a decision's answer"),
    ],
)
def test_what_keeps_from_telling_is_one_line(folder: Path, words: list[str], line: str) -> None:
    """A missing file, key or server ends with exit code 2, one line, and no report."""
    (folder / "empty.json").write_text("{}")
    (folder / "bad.gz").write_bytes(b"no gzip")
    result = verify(*(word.format(folder) for word in words))
    assert (result.returncode, result.stdout) == (2, "")
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_receipt_offline(folder: Path) -> None:
    """Receipt, proof and the published key are enough; the whole answer also shows the client."""
    proof = folder / "270.tlog-proof"
    for file in ("receipt", "answer.json"):
        result = verify("receipt", folder / file, "--proof", proof, "--policy", folder / "policy")
        assert result.returncode == 0, result.stdout
    whom = ("--vkey", VKEY, "--reference")
    assert verify("receipt", folder / "answer.json", "--proof", proof, *whom, REFERENCE).returncode == 0
    foreign = verify("receipt", folder / "answer.json", "--proof", proof, *whom, "AWO-1002", "--json")
    assert foreign.returncode == 1
    assert [check["name"] for check in json.loads(foreign.stdout)["checks"] if check["verdict"] == "fails"] == [
        "client"
    ]
    assert verify("receipt", folder / "receipt", "--proof", proof, *whom, REFERENCE).returncode == 2
    text = (folder / "receipt").read_text()
    (folder / "forged").write_text(text.replace(text[-10], "A" if text[-10] != "A" else "B"))
    forged = verify("receipt", folder / "forged", "--proof", proof, "--vkey", VKEY)
    assert forged.returncode == 1


class _Files(http.server.SimpleHTTPRequestHandler):
    """A web server with the exported folder that demands a token and first answers some requests with Retry-After."""

    put_off: ClassVar[list[tuple[int, str | None]]] = []

    def do_GET(self) -> None:
        """Answer 401 without the token."""
        if self.put_off:
            status, later = self.put_off.pop()
            self.send_response(status)
            if later is not None:
                self.send_header("Retry-After", later)
            self.end_headers()
        elif self.headers.get("Authorization") == "Bearer let-me-in":
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """The export, served by Python's own web server."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Files, directory=str(folder / "log"))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_from_an_address(folder: Path, address: str) -> None:
    """A served log is verified like a folder. Without the token it cannot be checked; a missing file is a finding."""
    (folder / "token").write_text("let-me-in\n")
    asked = (address, "--vkey", VKEY, "--events", folder / "events.jsonl", "--token-file", folder / "token")
    assert verify(*asked).returncode == 0
    refused = verify(address, "--vkey", VKEY)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "answered 401" in refused.stderr
    _Files.put_off[:] = [(429, "1"), (503, "0"), (429, "1")]
    assert verify(*asked).returncode == 0
    for status, later in ((429, None), (429, "soon"), (503, "86400"), (500, "1")):
        _Files.put_off[:] = [(status, later)]
        refused = verify(*asked)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert f"answered {status}" in refused.stderr
    (folder / "log/tile/0/001").unlink()
    result = verify(*asked)
    assert result.returncode == 1
    assert "tile/0/001 is missing" in result.stdout
