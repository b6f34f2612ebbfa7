"""`docs/asvs.md` has a row for each requirement of ASVS 5.0.0 at levels 1 and 2, and what it names exists."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/asvs.md"
ANSWERS = {"yes", "partly", "no", "n/a"}
# OWASP ASVS 5.0.0: for each section the levels of its requirements in order, so "112" is n.1 and n.2 of level 1 and n.3
# of level 2. In all 70 of level 1, 183 of level 2, 92 of level 3.
LEVELS = """
1.1 22|1.2 1111122223|1.3 112222222223|1.4 222|1.5 123
2.1 122|2.2 112|2.3 12223|2.4 23
3.1 3|3.2 113|3.3 12223|3.4 11222233|3.5 11122333|3.6 3|3.7 22333
4.1 12233|4.2 23333|4.3 22|4.4 1222
5.1 2|5.2 112333|5.3 113|5.4 222
6.1 122|6.2 111111112222|6.3 11223333|6.4 112233|6.5 22222333|6.6 2223|6.7 33|6.8 2222
7.1 222|7.2 1111|7.3 22|7.4 11222|7.5 223|7.6 22
8.1 1233|8.2 1123|8.3 133|8.4 23
9.1 111|9.2 1222
10.1 22|10.2 223|10.3 22223|10.4 1111122222233333|10.5 22222|10.6 22|10.7 222
11.1 2233|11.2 22233|11.3 11233|11.4 1222|11.5 23|11.6 23|11.7 33
12.1 12233|12.2 11|12.3 22223
13.1 2333|13.2 222223|13.3 2233|13.4 1222233
14.1 22|14.2 12223333|14.3 122
15.1 12233|15.2 12233|15.3 1222222|15.4 3333
16.1 2|16.2 22222|16.3 2222|16.4 222|16.5 2223
17.1 23|17.2 22223333|17.3 22
"""


@dataclass(frozen=True)
class Row:
    """One requirement as the page answers it."""

    identifier: str
    level: int
    words: str
    answer: str
    how: str


def requirements() -> dict[str, int]:
    """Return the level of each requirement of the standard by its id."""
    sections = (word.split() for word in re.split(r"[|\n]", LEVELS) if word)
    return {f"{name}.{at}": int(level) for name, levels in sections for at, level in enumerate(levels, start=1)}


def rows(page: str) -> list[Row]:
    """Return the page's rows in their order."""
    found = re.findall(r"^\| (\d+\.\d+\.\d+) \| (\d) \| (.+?) \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    return [Row(name, int(level), words, answer, how) for name, level, words, answer, how in found]


@cache
def functions(path: Path) -> set[str]:
    """Return the names of a file's tests."""
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))


def mistakes(page: str) -> list[str]:
    """Return what is wrong with the page, in a few words each."""
    wanted = [(name, level) for name, level in requirements().items() if level < 3]
    told = rows(page)
    wrong = [] if [(row.identifier, row.level) for row in told] == wanted else ["not the requirements of the standard"]
    for row in told:
        if row.answer not in ANSWERS:
            wrong.append(f"{row.identifier}: {row.answer} is no answer")
        named = re.findall(r"`((?:tests|src|openapi)/[^`]+|[A-Z]+\.md)`", row.how)
        for path, _, test in (name.partition("::") for name in named):
            if not (ROOT / path).exists() or (test and test not in functions(ROOT / path)):
                wrong.append(f"{row.identifier}: {path}::{test} is not there")
        shown = [name for name in named if not name.startswith(("src/", "openapi/"))] or re.search(
            r"\]\([^)]+\)|as \d+\.\d+", row.how
        )
        if row.answer == "yes" and not shown:
            wrong.append(f"{row.identifier}: nothing shows it")
    return wrong


def test_the_list_is_the_standards() -> None:
    """As many requirements of each level as the standard has."""
    assert Counter(requirements().values()) == {1: 70, 2: 183, 3: 92}


def test_every_requirement_has_its_row() -> None:
    """Each of levels 1 and 2 once, in order; what holds is shown by a test or a page that exists."""
    assert mistakes(PAGE.read_text()) == []


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("| 1.2.4 | 1 |", "| 1.2.4 | 2 |"),
        ("| 17.3.2 | 2 |", "| 17.3.3 | 2 |"),
        ("| yes | `tests/docs/test_installation_page.py", "| surely | `tests/docs/test_installation_page.py"),
        ("test_no_hostile_token_is_accepted", "test_no_hostile_token_is_refused"),
        ("`tests/interop/test_go.py`", "`tests/strangers/test_rust.py`"),
        ("`no-referrer`: `tests/web/test_headers.py::test_every_answer_is_safe_in_a_browser`", "we are sure"),
    ],
)
def test_a_page_that_is_wrong_is_found(said: str, instead: str) -> None:
    """A missing row, a wrong level, an unknown answer, a test that does not exist, a yes that nothing shows."""
    page = PAGE.read_text()
    assert said in page
    assert mistakes(page.replace(said, instead)) != []
