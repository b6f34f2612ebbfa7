"""The command line: help for every verb, and one line for every mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment without settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
    return subprocess.run(
        [sys.executable, "-m", "consent_registry", *words],
        env={**clean, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["demo", "serve"])
def test_every_verb_explains_itself(verb: str) -> None:
    """The overview lists the verbs, each verb's help lists its options, and options for tests are hidden."""
    assert verb in run("--help").stdout
    shown = run(verb, "--help").stdout
    assert "--port" in shown
    assert "--target" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve"], "set CONSENT_REGISTRY_DATABASE_URL, CONSENT_REGISTRY_KEYS, CONSENT_REGISTRY_ISSUER"),
        (["demo", "--data", "/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_what_cannot_be_used_is_one_line(words: list[str], said: str) -> None:
    """An unusable argument ends with exit code 1 and one line about the cure, without a traceback."""
    result = run(*words)
    assert result.returncode == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("option", "value"), [("--port", "0"), ("--port", "65536"), ("--workers", "0")])
def test_impossible_numbers_are_refused(tmp_path: Path, option: str, value: str) -> None:
    """A number out of range is refused before anything is made."""
    result = run("demo", "--data", str(tmp_path / "data"), option, value)
    assert result.returncode == 2
    assert "Must be" in result.stdout + result.stderr
    assert not (tmp_path / "data").exists()
