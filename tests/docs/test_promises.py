"""`docs/promises.md`: every promise has tests and controls, and each that is named is there."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/promises.md"
MUTANTS = "`make mutants`"  # a control for whatever tests of the domain show
LINK = re.compile(r"\[`([^`]+)`\]\(\.\./([^)]+)\)")


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Return the names of a file's test functions."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def rows(page: str) -> list[tuple[str, str, str]]:
    """Return what follows from the promises, each with its cells of tests and of controls."""
    cells = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [(row[0].strip(), row[1], row[2]) for row in cells if row[0].strip() != "what follows"]


def fault(label: str, path: str) -> str | None:
    """Return what is wrong with one test or control: a module by its name, or a test function in it."""
    file = ROOT / path
    if not file.is_file():
        return f"{path} is not there"
    if label == file.name:
        is_control = file.parent.name == "defects"
        return None if is_control or functions_of(file) else f"{path} is no control and has no test"
    return None if label in functions_of(file) else f"{path} has no test {label}"


def faults(page: str) -> Iterator[str]:
    """Yield everything that is wrong with the page."""
    if re.findall(r"^## (\d)\. ", page, re.MULTILINE) != list("12345678"):
        yield "not eight promises"
    for sentence, *row in rows(page):
        for cell in row:
            if cell.strip() == MUTANTS and "../tests/domain/" in row[0]:
                continue
            named = LINK.findall(cell)
            if not named or len(named) != cell.count("`") // 2:
                yield f"{sentence} names nothing, or something that is no link"
            yield from (wrong for place in named if (wrong := fault(*place)))


def test_every_promise_has_its_tests_and_controls() -> None:
    """Each named test is a function of its file, each named control a test or a module with the defect."""
    page = PAGE.read_text(encoding="utf-8")
    assert list(faults(page)) == []
    assert len(rows(page)) >= 40


def test_every_defect_that_is_built_in_shows_a_promise() -> None:
    """A control below `tests/campaigns/defects/` is named by a promise, or listed here with what it shows instead."""
    others = {
        "__init__.py",
        "single_queue.py",  # fairness: docs/operating.md
        "undescribed_answers.py",  # the description: tests/contract
        "unordered_locks.py",  # the order of locks: docs/design/locks.md
        "wall_clock_sealer.py",  # the sealer's waiting: docs/sealing.md
    }
    page = PAGE.read_text(encoding="utf-8")
    built_in = {path.name for path in (ROOT / "tests/campaigns/defects").glob("*.py")}
    assert {name for name in built_in - others if f"`{name}`" not in page} == set()


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("`test_any_history_equals_the_model`", "`test_any_history_is_fine`"),
        ("../tests/campaigns/defects/cached_facts.py", "../tests/campaigns/defects/forgotten.py"),
        ("## 8. ", "## 9. "),
        ("[`fail_open.py`](../tests/campaigns/defects/fail_open.py)", "`fail_open.py`"),
    ],
)
def test_a_page_that_is_wrong_is_found(said: str, instead: str) -> None:
    """The control: a test by another name, a control that is gone, a promise that is missing, a name without a link."""
    page = PAGE.read_text(encoding="utf-8")
    assert said in page
    assert list(faults(page.replace(said, instead))) != []
