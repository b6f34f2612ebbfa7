"""Runs the command in forks of one process that has everything imported: a row of a table costs milliseconds.

A fork finds its three streams as a new interpreter would: closed ones are None, and the rest of a buffer at the end
and cannot be written is exit code 120.
"""

import io
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import IO

STREAM_FAILS = 120
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a verb ended: its exit code and its outputs."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Return the lines on standard error."""
        return self.err.splitlines()


class Forks:
    """The process that forks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        *words: object,
        output: str = "",
        encoding: str = "utf-8",
        stdin: bytes | None = b"",
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Ended:
        """Run the command: `output` is where standard output goes ("" keeps it, "closed", "pipe" for one that nobody
        reads, or a path); `stdin` is what standard input holds, None when it is closed.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if stdin is not None:
                (folder / "in").write_bytes(stdin)
            task = {
                "words": [os.fsencode(str(word)).hex() for word in words],
                "output": output,
                "encoding": encoding,
                "environment": dict(environment),
                "folder": name,
            }
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            out, err = (
                (folder / stream).read_bytes() if (folder / stream).exists() else b"" for stream in ("out", "err")
            )
        return Ended(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


@contextmanager
def forking() -> Iterator[Forks]:
    """Run the forking process during a block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cli.forks"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()


def _serve(requests: IO[str], answers: IO[str]) -> None:
    import consent_registry.cli as verbs

    for module in pkgutil.iter_modules(verbs.__path__, "consent_registry.cli."):
        import_module(module.name)
    for line in requests:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_child(task))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _child(task: dict[str, object]) -> int:
    folder = Path(str(task["folder"]))
    for name in [variable for variable in os.environ if variable.startswith("CONSENT_REGISTRY_")]:
        del os.environ[name]
    environment = task["environment"]
    assert isinstance(environment, dict)
    os.environ.update(environment)
    words = task["words"]
    assert isinstance(words, list)
    sys.argv = ["consent-registry", *(os.fsdecode(bytes.fromhex(word)) for word in words)]
    _streams(folder, str(task["output"]), str(task["encoding"]))
    return _run()


def _streams(folder: Path, output: str, encoding: str) -> None:
    _onto(0, folder / "in", os.O_RDONLY) if (folder / "in").exists() else os.close(0)
    _onto(2, folder / "err", os.O_WRONLY | os.O_CREAT)
    if output == "closed":
        os.close(1)
    elif output == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        os.close(writer)
    else:
        _onto(1, Path(output) if output else folder / "out", os.O_WRONLY | os.O_CREAT)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), "utf-8") if (folder / "in").exists() else None
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding, "backslashreplace", line_buffering=True)
    closed = output == "closed"
    raw = None if closed else io.BufferedWriter(io.FileIO(1, "w", closefd=False))
    sys.stdout = sys.__stdout__ = None if raw is None else io.TextIOWrapper(raw, encoding)  # type: ignore[misc]


def _onto(descriptor: int, path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    os.dup2(handle, descriptor)
    os.close(handle)


def _run() -> int:
    from consent_registry.__main__ import main

    code: object = 1
    try:
        main()
    except SystemExit as error:
        code = error.code
    except BaseException:  # noqa: BLE001 - what the interpreter would do
        import traceback

        traceback.print_exc()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return STREAM_FAILS
    return code if isinstance(code, int) else 0 if code is None else 1


if __name__ == "__main__":
    _serve(sys.stdin, sys.stdout)
