"""What `docs/architecture.md` and the design pages name is in the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/consent_registry"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# As documents write them: `operations/runtime/clock.py`, `tests/campaigns/freshness/`, `src/consent_registry/app.py`.
FUNCTION = re.compile(r"`([\w/]+\.py)`, `(\w+)`[,:]")  # a file, and what of it a step is about
NAMED = re.compile(r"`((?:[\w-]+/)+(?:[a-z0-9][\w-]*\.(?:py|sql))?)`")


def missing(text: str) -> Iterator[str]:
    """Yield the files and folders that a document names, by the root or by the package, and that are not there."""
    for name in NAMED.findall(text):
        if not any((base / name).exists() for base in (ROOT, PACKAGE)):
            yield name


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_every_named_file_exists(document: Path) -> None:
    """A page is wrong as soon as a file it names moves."""
    assert list(missing(document.read_text(encoding="utf-8"))) == []


def test_a_file_that_moved_is_found() -> None:
    """The control: a file under another name, a folder that is gone; not a file that is there."""
    page = (
        "`operations/decider.py`, `doors/`, `operations/runtime/clock.py`, `tests/docs/`, `src/consent_registry/app.py`"
    )
    assert list(missing(page)) == ["operations/decider.py", "doors/"]


def test_every_named_function_is_in_its_file() -> None:
    """Where a step names a function beside its file it is there."""
    named = FUNCTION.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert len(named) >= 5
    for path, name in named:
        assert re.search(rf"^(?:async )?(?:def|class) {name}\b", (PACKAGE / path).read_text(), re.MULTILINE), (
            path,
            name,
        )


def test_both_walks_are_whole() -> None:
    """Each walk begins at the door, passes the domain, and ends with the log; its steps are numbered without a gap."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for walk, door in (("A decision", "api/decisions.py"), ("A withdrawal", "api/withdrawals.py")):
        section = page.split(f"\n## {walk}, line by line\n")[1].split("\n## ")[0]
        steps = [int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)]
        assert steps == list(range(1, len(steps) + 1))
        for name in (door, "domain/", "storage/log/append.py", "operations/runtime/response_delay.py", "COMMIT"):
            assert name in section
