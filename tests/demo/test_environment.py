"""The shell files of a demonstration: private, complete, and independent of each other."""

import os
import subprocess
from pathlib import Path

import pytest

from consent_registry.cli.demo import _unset_own_database
from consent_registry.demo.environment import write_environments

FILES = {"app": {"A_URL": "postgresql:///x?host=/a b", "KEYS": "/k"}, "auditor": {"B_URL": "it's $HOME"}}


def read(data: Path, *names: str) -> dict[str, str]:
    """Return a shell's environment after it has read these files."""
    lines = "".join(f". '{data}/{name}.env'\n" for name in names)
    run = subprocess.run(["sh", "-eu", "-c", f"{lines}env -0"], capture_output=True, check=True, env={"A_URL": "old"})
    return dict(word.partition("=")[::2] for word in run.stdout.decode().split("\0") if word)


def test_each_file_gives_its_login_and_takes_the_others_away(tmp_path: Path) -> None:
    """A shell has only the login of the file it read last, and only the owner may read the files."""
    write_environments(tmp_path, FILES)
    for names in (("app",), ("auditor", "app"), ("app", "app")):
        told = read(tmp_path, *names)
        assert {name: told.get(name) for name in ("A_URL", "B_URL", "KEYS")} == {**FILES["app"], "B_URL": None}
    told = read(tmp_path, "app", "auditor")
    assert (told["B_URL"], told.get("A_URL"), told.get("KEYS")) == ("it's $HOME", None, None)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.env")} == {0o600}


@pytest.mark.parametrize(("url", "is_kept"), [("postgresql:///own?host=/s", False), ("postgresql://other/db", True)])
def test_a_shell_that_read_app_env_starts_the_demonstration_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, *, is_kept: bool
) -> None:
    """The demonstration's own database URL in the environment is ignored; any other is used."""
    name = "CONSENT_REGISTRY_DATABASE_URL"
    write_environments(tmp_path, {"app": {name: "postgresql:///own?host=/s"}})
    monkeypatch.setenv(name, url)
    _unset_own_database(tmp_path)
    assert (name in os.environ) is is_kept
