"""The pages as a whole: each says for whom it is, and each can be found."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {str(path.relative_to(ROOT / "docs")): path for path in sorted(ROOT.glob("docs/**/*.md"))}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_first_for_whom_it_is(name: str) -> None:
    """Its title, then a paragraph that begins with its readers."""
    title, paragraph, _ = PAGES[name].read_text(encoding="utf-8").split("\n\n", 2)
    assert title.startswith("# ")
    assert paragraph.startswith("For ")


def test_every_page_is_in_the_navigation_once() -> None:
    """`mkdocs.yml` lists each page, and no other."""
    listed = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(PAGES)


def test_every_page_is_found_from_the_index() -> None:
    """A page is linked from the index, from that of the design pages, or is one of them."""
    linked = set()
    for index in ("index.md", "design/index.md"):
        folder = PAGES[index].parent
        for target in re.findall(r"\]\(([\w./-]+\.md)", PAGES[index].read_text(encoding="utf-8")):
            linked.add((folder / target).resolve())
    assert {name for name, path in PAGES.items() if path.resolve() not in linked} == {"index.md"}
