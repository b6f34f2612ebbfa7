"""A wrong address or file is no finding about a log: `verify` ends with exit code 2 and names the mistake."""

import functools
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.cli.forks import Ended, Forks
from tests.tlog.small_log import KEY, SmallLog

VKEY = str(KEY.verifier)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two logs' exports below one folder, files for one of them, and other files."""
    folder, log = tmp_path_factory.mktemp("files"), SmallLog.of(300)
    for path, data in log.files.items():
        (folder / "logs/small" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "logs/small" / path).write_bytes(data)
    (folder / "logs/page").mkdir()
    (folder / "logs/page/checkpoint").write_text("<!doctype html><title>Not this one</title>")
    (folder / "receipt").write_text(log.receipt(270))
    (folder / "proof").write_bytes(log.proof(270))
    (folder / "kept").write_bytes(log.checkpoint(257))
    (folder / "altered").write_bytes(log.checkpoint(257).replace(b"\n257\n", b"\n256\n"))
    (folder / "page.html").write_text("<!doctype html><title>Not found</title>")
    (folder / "empty").write_bytes(b"")
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "answer.json").write_text(json.dumps({"outcome": "no_permission"}))
    return folder


class _Quiet(http.server.SimpleHTTPRequestHandler):
    timeout = 5

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(folder: Path, certificate: Path | None = None) -> Iterator[str]:
    """Serve a folder over HTTP, or over TLS with a certificate; yields the address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The logs, as a web server serves them."""
    with serving(folder / "logs") as address:
        yield address


def untold(ended: Ended, line: str) -> None:
    """Assert exit code 2, a line with these words, and no report."""
    assert (ended.code, ended.out, len(ended.lines)) == (2, "", 1), ended
    assert line in ended.err, ended.err
    assert "evidence" not in ended.err


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("/smal", "there is no log at {}/smal: the answer for its checkpoint is 404"),
        ("", "there is no log at {}: the answer for its checkpoint is 404"),
        ("/small/checkpoint", "the answer for its checkpoint is 404"),
        ("/page", "there is no log at {}/page: its answer is not a checkpoint"),
    ],
)
def test_an_address_without_a_log(forks: Forks, address: str, place: str, line: str) -> None:
    """An address with a typing error, above or below a log, or of another page ends with exit code 2."""
    untold(forks.run("verify", address + place, "--vkey", VKEY), line.format(address))


def test_a_folder_without_a_log(forks: Forks, folder: Path) -> None:
    """A folder above a log or another folder ends with exit code 2; tiles without a checkpoint are a finding."""
    untold(forks.run("verify", folder / "logs", "--vkey", VKEY), "holds no log")
    assert forks.run("verify", folder / "logs/small", "--vkey", VKEY).code == 0


@pytest.mark.parametrize("file", ["page.html", "empty", "binary", "receipt", "proof", "answer.json"])
@pytest.mark.parametrize(
    "option", ["--kept", "--receipt", "--events", "--policy", "--token-file", "receipt", "--proof"]
)
def test_a_file_that_is_something_else(forks: Forks, folder: Path, address: str, option: str, file: str) -> None:
    """Every file in the place of every other file is refused with the reason."""
    if (option, file) in {("--receipt", "receipt"), ("receipt", "receipt"), ("--proof", "proof")}:
        return
    if (option, file) == ("--token-file", "receipt"):
        return  # a receipt is written like a token: the server says what it is
    path = folder / file
    if option == "receipt":
        ended = forks.run("verify", "receipt", path, "--proof", folder / "proof", "--vkey", VKEY)
    elif option == "--proof":
        ended = forks.run("verify", "receipt", folder / "receipt", "--proof", path, "--vkey", VKEY)
    else:
        ended = forks.run("verify", f"{address}/small", "--vkey", VKEY, option, path)
    untold(ended, str(path))


def test_control_what_is_the_right_file_and_does_not_hold_is_a_finding(forks: Forks, folder: Path) -> None:
    """Control: an altered kept checkpoint and a receipt with another signature are findings, exit code 1."""
    kept = forks.run("verify", folder / "logs/small", "--vkey", VKEY, "--kept", folder / "altered")
    assert kept.code == 1, kept
    assert "evidence" in kept.out
    text = (folder / "receipt").read_text()
    (folder / "forged").write_text(text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:])
    forged = forks.run("verify", "receipt", folder / "forged", "--proof", folder / "proof", "--vkey", VKEY)
    assert forged.code == 1, forged
    assert forks.run("verify", folder / "logs/small", "--vkey", VKEY, "--kept", folder / "kept").code == 0


def certificate(folder: Path) -> Path:
    """Make a certificate for this machine that no authority signed."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


def test_a_certificate_that_is_not_trusted_is_said_to_be_none(forks: Forks, folder: Path, tmp_path: Path) -> None:
    """The line names the untrusted certificate; with its authority in the environment the log is read."""
    pem = certificate(tmp_path)
    with serving(folder / "logs", pem) as address:
        place = address.replace("127.0.0.1", "localhost") + "/small"
        untold(forks.run("verify", place, "--vkey", VKEY), "the TLS certificate is not trusted: self")
        untold(
            forks.run("verify", f"{address}/small", "--vkey", VKEY, environment={"SSL_CERT_FILE": str(pem)}),
            "not trusted: IP",
        )
        assert forks.run("verify", place, "--vkey", VKEY, environment={"SSL_CERT_FILE": str(pem)}).code == 0
        untold(forks.run("verify", address.replace("https", "http"), "--vkey", VKEY), "the connection broke")
