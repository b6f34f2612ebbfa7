"""`docs/glossary.md` explains each word once, and the names it gives for words of the code are in the code."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")


def rows(section: str) -> list[list[str]]:
    """Return the cells of the section's table, without its head."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_each_word_is_explained_once() -> None:
    """In all three tables together, with its German term where it is the field's."""
    words = [word for section in ("The field", "The log", "Words of the code") for word, *_ in rows(section)]
    assert [word for word, times in Counter(words).items() if times > 1] == []
    assert len(words) > 60
    assert all(len(row) == 3 and all(row) for row in rows("The field"))


def test_names_of_the_code_are_in_the_code() -> None:
    """A name that was changed there is changed here."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = [name for _, names, _ in rows("Words of the code") for name in re.findall(r"`(\w+)`", names)]
    assert [name for name in named if not re.search(rf"\b{name}\b", code)] == []
    assert len(named) > 15
