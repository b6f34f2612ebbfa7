"""Every document that a committed text cites is in the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (".ci", "benchmarks", "deploy", "docs", "migrations", "src", "tests", "tools")
WRITTEN = {".py", ".sql", ".md", ".json", ".sh", ".service", ".timer", ".conf", ".css", ".go", ""}
CITED = re.compile(r"(?<![\w/.*-])((?:[\w.-]+/)*[\w-]+\.md)\b")


def texts() -> Iterator[Path]:
    """Yield every file of the project that people write."""
    yield from (path for path in ROOT.iterdir() if path.suffix in {".md", ".toml", ".yml", ".yaml"})
    yield from (ROOT / "Makefile", ROOT / "Containerfile")
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in WRITTEN)


def missing(text: str, folder: Path) -> Iterator[str]:
    """Yield the documents that a text in this folder cites, relative to it, to the root or to `docs/`, and that are not
    there.
    """
    for name in CITED.findall(text):
        if not any((base / name).is_file() for base in (folder, ROOT, ROOT / "docs")):
            yield name


def test_every_cited_document_exists() -> None:
    """In code, tests, pages and build files alike."""
    found = {}
    for path in texts():
        if path != Path(__file__) and (names := sorted(set(missing(path.read_text("utf-8", "replace"), path.parent)))):
            found[str(path.relative_to(ROOT))] = names
    assert found == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("as design.md section 5 says", ["design.md"]),
        ("see docs/design/looks.md", ["docs/design/looks.md"]),
        ("see docs/design/locks.md, [rules](rules.md#form) and README.md", []),
        ("every docs/*.md", []),
    ],
)
def test_what_is_not_there_is_found(text: str, names: list[str]) -> None:
    """The control: a document that nobody committed, a misspelt one; not those that are there, and no pattern."""
    assert list(missing(text, ROOT)) == names
