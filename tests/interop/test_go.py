"""Our logs, read by programs that others wrote: the Go project's packages for notes and trees, as Debian ships them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tlog.small_log import KEY, OLD_KEY, SmallLog

pytestmark = pytest.mark.system

Verify = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    """Build the program once; it is given a folder, a key, and proofs."""
    folder = tmp_path_factory.mktemp("go")
    # Debian's packages are in a GOPATH; nothing is fetched.
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    source = Path(__file__).with_name("verify.go")
    subprocess.run(["go", "build", "-o", str(folder / "verify"), str(source)], env=environment, check=True)
    return lambda *words: subprocess.run(
        [str(folder / "verify"), *map(str, words)], capture_output=True, text=True, check=False
    )


def export(log: SmallLog, folder: Path) -> Path:
    """Write a log's files."""
    for path, data in log.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
def test_a_log_of_ours(verify: Verify, tmp_path: Path, size: int) -> None:
    """Signature (beside a witness's and another key's), root, tiles, entries, every earlier tree, and our proofs."""
    log = SmallLog.of(size)
    log.files["checkpoint"] = log.checkpoint(size, signers=(OLD_KEY, KEY))
    folder = export(log, tmp_path / "log")
    proofs = []
    for index in sorted({0, size // 2, size - 1}):
        proofs.append(tmp_path / f"{index}.tlog-proof")
        proofs[-1].write_bytes(log.proof(index))
    for key in (KEY, OLD_KEY):
        done = verify(folder, key.verifier, *proofs)
        assert done.stdout.startswith(f"ok {size} "), done.stderr


@pytest.mark.parametrize(
    "path", ["checkpoint", "tile/entries/001", "tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "0.tlog-proof"]
)
def test_control_an_altered_file_is_refused(verify: Verify, tmp_path: Path, path: str) -> None:
    """Control: that program finds a flipped bit in each kind of file, so its consent means something."""
    folder = export(SmallLog.of(600), tmp_path)
    (folder / "0.tlog-proof").write_bytes(SmallLog.of(600).proof(0))
    assert verify(folder, KEY.verifier, folder / "0.tlog-proof").returncode == 0
    data = bytearray((folder / path).read_bytes())
    data[60] ^= 1
    (folder / path).write_bytes(data)
    assert verify(folder, KEY.verifier, folder / "0.tlog-proof").returncode != 0
