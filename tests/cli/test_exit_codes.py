"""Every exception and output error of a verb becomes one line and the exit code in the table of `cli/exit_codes.py`."""

import ast
import errno
import inspect
import json
import os
import ssl
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

import asyncpg
import httpx
import msgspec
import pytest
from cyclopts import App

import consent_registry.cli as verbs_folder
from consent_registry.cli import exit_codes
from consent_registry.cli.exit_codes import ExitCode, gives_verdict, run
from consent_registry.domain.errors import CannotRecord, Fault, NotFound, OutcomeUnknown, Refused, Unusable
from consent_registry.process.standard_streams import OutputFailed
from consent_registry.settings import UnsafeSetting
from consent_registry.tlog.note import NoteRefused
from tests.cli.forks import Forks
from tests.cli.verbs import VERDICTS, every_verb
from tests.support.installation import Registry
from tests.tlog.small_log import KEY, SmallLog

VKEY = str(KEY.verifier)
EVERY_VERB = dict(every_verb())
SECRET = "AWO-1001-canary"
# What a verb may meet, from its own mistakes to the machine's; each names a secret where a message can.
RAISED: list[Exception] = [
    RuntimeError(SECRET),
    KeyError(SECRET),
    AssertionError(SECRET),
    AttributeError(SECRET),
    RecursionError(SECRET),
    MemoryError(),
    NotImplementedError(),
    ExceptionGroup("several", [ValueError(SECRET)]),
    msgspec.ValidationError(SECRET),
    httpx.ConnectError("all attempts failed"),
    httpx.InvalidURL("no url"),
    asyncpg.DataError(f"invalid input for query argument $1: {SECRET!r}"),
    asyncpg.UniqueViolationError(f"Key (reference)=({SECRET}) already exists"),
    asyncpg.InvalidPasswordError("password authentication failed"),
    asyncpg.InterfaceError("the connection is closed"),
    asyncpg.exceptions.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere"),
    ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
    TimeoutError(),
    PermissionError(errno.EACCES, "Permission denied", b"/\xff"),
    ssl.SSLCertVerificationError("certificate verify failed"),
    ssl.SSLError(1, "[SSL] wrong version number"),
    UnicodeEncodeError("ascii", SECRET, 0, 1, "ordinal not in range"),
    UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, "invalid start byte"),
    EOFError(),
    OutputFailed("standard output cannot be written: it is closed"),
    UnsafeSetting("a setting is wrong"),
    NoteRefused("no note"),
    CannotRecord(),
    OutcomeUnknown(),
    NotFound(),
    Unusable("two\nlines"),
    Refused("A rule refuses this.", faults=(Fault("/a", "is wrong.", "rule"), Fault("/b", "too"))),
]
NO_PLACE_IN_A_LINE = ("Traceback", SECRET, *(type(error).__name__ for error in RAISED), "CannotRecord")


def raising(error: Exception) -> App:
    """Make a command with verbs of each kind, all of which raise."""
    app = App(name="command")

    @app.command
    def plain() -> None:
        raise error

    @app.command
    @gives_verdict()
    def verdict() -> ExitCode:
        raise error

    @app.command
    @gives_verdict(when="status")
    def perhaps(*, status: bool = False) -> ExitCode | None:
        raise error if status in {True, False} else RuntimeError

    return app


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_every_exception_is_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception ends a plain verb with 1 and one with a verdict with 2; its line has neither class nor value."""
    for words, code in (("plain", 1), ("verdict", 2), ("perhaps", 1), ("perhaps --status", 2)):
        assert run(raising(error), words.split()) == code, words
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1), said
        assert said.err.startswith("consent-registry: ")
        assert len(said.err) > len("consent-registry: x\n")
        assert not [word for word in NO_PLACE_IN_A_LINE if word in said.err], said.err


def test_control_without_the_wrapper_an_exception_is_python_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Called as the library calls it, the same verb ends with the exception: the interpreter would print it and say 1,
    which is a verdict.
    """
    with pytest.raises(RuntimeError):
        raising(RuntimeError(SECRET))(["verdict"])
    assert run(raising(RuntimeError(SECRET)), ["verdict"]) == ExitCode.CANNOT_BE_TOLD
    assert "an unexpected error at" in capsys.readouterr().err


def test_every_verdict_is_marked() -> None:
    """The verbs with a verdict are those in the list, and each returns an ExitCode."""
    marked = {
        words: getattr(verb, exit_codes._MARK) for words, verb in EVERY_VERB.items() if exit_codes.has_verdict(verb)
    }
    assert marked == VERDICTS
    returning = {words for words, verb in EVERY_VERB.items() if "ExitCode" in str(get_type_hints(verb).get("return"))}
    assert returning == set(VERDICTS)


def test_no_verb_ends_the_process() -> None:
    """No verb calls an exit itself: only `running` chooses the code, and only `__main__` exits."""
    assert [path.name for path in sorted(Path(verbs_folder.__path__[0]).rglob("*.py")) if exits(path.read_text())] == []
    assert exits("import sys\nif 1:\n    sys.exit(1)")
    assert exits("raise SystemExit(1)")


def exits(source: str) -> bool:
    """Whether a module ends the process."""
    names = {
        node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        for node in ast.walk(ast.parse(source))
    }
    return bool(names & {"exit", "_exit", "SystemExit", "quit", "abort"})


@pytest.mark.parametrize("words", [verb for verb in EVERY_VERB if verb not in {"roles", "openapi", "demo"}])
def test_every_verb_without_a_setting_is_one_line(forks: Forks, words: str) -> None:
    """Without settings and with unknown names a verb ends with one line and 1, or 2 if 1 is a verdict."""
    given = [value for name, value in arguments(words).items() if not name.startswith("--")]
    named = [part for name, value in arguments(words).items() if name.startswith("--") for part in (name, value)]
    option = VERDICTS.get(words, "")
    for status in ("", f"--{option}") if option else ("",):
        ended = forks.run(*words.split(), *given, *named, *status.split(), stdin=b"AWO-1001\n")
        assert ended.code == (2 if VERDICTS.get(words) == "" or status else 1), ended
        assert (len(ended.lines), ended.out) == (1, ""), ended
        assert not [word for word in NO_PLACE_IN_A_LINE if word in ended.err], ended


def arguments(words: str) -> dict[str, str]:
    """Return a verb's required arguments, with values that do not exist."""
    demanded = {}
    for name, parameter in inspect.signature(EVERY_VERB[words]).parameters.items():
        if parameter.default is inspect.Parameter.empty:
            option = name if parameter.kind is not inspect.Parameter.KEYWORD_ONLY else f"--{name.replace('_', '-')}"
            demanded[option] = "digest" if words.startswith("keys") and name == "name" else "/proc/nowhere/x"
    return demanded


@pytest.mark.parametrize("words", list(EVERY_VERB))
def test_a_mistyped_setting_is_refused_by_every_verb(forks: Forks, words: str) -> None:
    """The line names the mistyped setting and the intended one; the code is 2 if 1 is a verdict."""
    given = [
        part
        for name, value in arguments(words).items()
        for part in ((name,) if name.startswith("--") else ()) + (value,)
    ]
    ended = forks.run(*words.split(), *given, environment={"CONSENT_REGISTRY_TRUSTED_PROXY": "10.0.0.5"})
    assert ended.code == (2 if VERDICTS.get(words) == "" else 1), ended
    assert ended.err == (
        "consent-registry: CONSENT_REGISTRY_TRUSTED_PROXY is no setting of the registry: unset it, or did you mean "
        "CONSENT_REGISTRY_TRUSTED_PROXIES?\n"
    )


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a log that holds, a receipt with its proof, and the folder of a sealer that never sealed."""
    folder, log = tmp_path_factory.mktemp("evidence"), SmallLog.of(300)
    (folder / "heads").mkdir(mode=0o700)
    for path, data in log.files.items():
        (folder / "log" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "log" / path).write_bytes(data)
    (folder / "receipt").write_text(log.receipt(270))
    (folder / "proof").write_bytes(log.proof(270))
    return folder


@pytest.fixture(scope="module")
def printing(registry: Registry, evidence: Path) -> dict[str, SimpleNamespace]:
    """Return verbs that succeed and print, with a verdict and without one."""
    dsn = registry.installation.dsn
    auditor = {"CONSENT_REGISTRY_AUDITOR_DATABASE_URL": dsn(registry.database, "auditor")}
    sealer = {
        "CONSENT_REGISTRY_SEALER_DATABASE_URL": dsn(registry.database, "sealer"),
        "CONSENT_REGISTRY_SEALER_STATE": str(evidence / "heads"),
        "CONSENT_REGISTRY_KEYS": str(registry.installation.keys),
    }

    def verb(words: str, environment: dict[str, str] | None = None) -> SimpleNamespace:
        return SimpleNamespace(words=words.split(), environment=environment or {})

    return {
        "verify": verb(f"verify {evidence}/log --vkey {VKEY}"),
        "verify --json": verb(f"verify {evidence}/log --vkey {VKEY} --json"),
        "verify receipt": verb(f"verify receipt {evidence}/receipt --proof {evidence}/proof --vkey {VKEY}"),
        "audit replay": verb("audit replay", auditor),
        "audit replay --json": verb("audit replay --json", auditor),
        "audit reconcile": verb("audit reconcile", auditor),
        "seal --status": verb("seal --status", sealer),
        "keys": verb(f"keys {registry.installation.keys}"),
        "roles": verb("roles"),
        "openapi": verb("openapi"),
        "--help": verb("--help"),
        "--version": verb("--version"),
    }


PRINTING = (
    *("verify", "verify --json", "verify receipt", "audit replay", "audit replay --json", "audit reconcile"),
    *("seal --status", "keys", "roles", "openapi", "--help", "--version"),
)


@pytest.mark.parametrize("name", PRINTING)
def test_what_cannot_be_printed_is_one_line(forks: Forks, printing: dict[str, SimpleNamespace], name: str) -> None:
    """A full disk, a closed output and a pipe without reader give one line, and never a verdict."""
    verb = printing[name]
    wanted = 2 if " ".join(word for word in name.split() if not word.startswith("-")) in VERDICTS else 1
    for output, why in (("/dev/full", "No space left"), ("closed", "it is closed"), ("pipe", "Broken pipe")):
        ended = forks.run(*verb.words, output=output, environment=verb.environment)
        assert (ended.code, len(ended.lines)) == (wanted, 1), (output, ended)
        assert f"standard output cannot be written: {why}" in ended.err


@pytest.mark.parametrize("name", PRINTING)
def test_control_what_can_be_printed_is(forks: Forks, printing: dict[str, SimpleNamespace], name: str) -> None:
    """Control: with a usable output the same verbs print; the network was never sealed, which is a verdict."""
    verb = printing[name]
    ended = forks.run(*verb.words, environment=verb.environment)
    assert (ended.code, ended.err) == (1 if name == "seal --status" else 0, ""), ended
    assert ended.out


def test_an_output_that_is_not_utf_8(forks: Forks, tmp_path: Path) -> None:
    """Text that the encoding cannot write gives one line; other text is printed."""
    assert forks.run("roles", encoding="ascii").code == 0
    missing = forks.run("keys", tmp_path / "schlüssel", encoding="ascii")
    assert (missing.code, len(missing.lines)) == (1, 1)
    assert "schl\\xfcssel is missing" in missing.err or "schl\\xfcssel" in missing.err
    made = forks.run("witness", "make", tmp_path / "zeuge", "zeuge-münster.example", encoding="ascii")
    assert (made.code, len(made.lines), made.out) == (1, 1, "")
    assert "cannot be written in ascii: use a UTF-8 locale" in made.err
    assert forks.run("witness", "make", tmp_path / "zwei", "zeuge-münster.example").code == 0


def test_streams_that_are_closed_are_not_given_to_files(forks: Forks, tmp_path: Path) -> None:
    """With all three streams closed a verb works, and its output is in none of its files."""
    ended = forks.run("keys", tmp_path / "keys", "--make", output="closed", stdin=None)
    assert ended.code == 1
    files = list((tmp_path / "keys").iterdir())
    assert len(files) > 1
    for path in files:
        assert isinstance(json.loads(path.read_bytes())["keys"], list), path


def test_the_table_of_exceptions_is_no_copy_of_itself() -> None:
    """The table has more than twenty-five classes of exceptions: the registry's, the driver's, TLS's and Python's."""
    assert len({type(error) for error in RAISED}) > 25
    assert sys.version_info >= (3, 11)
