"""The layout, held by tests."""

import ast
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "src/consent_registry").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 300, 50
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service", "misc", "tools"}
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "urandom", "getenv", "environ"}


def test_layers_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every import contract of pyproject.toml is kept."""
    monkeypatch.chdir(ROOT)
    assert lint_imports() == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_modules_stay_readable(path: Path) -> None:
    """No module is longer than 300 lines, no function longer than 50, and each is named after what it holds."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    assert path.stem not in EMPTY_NAMES
    long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if {"domain", "tlog"} & set(path.parts)],
    ids=lambda path: str(path.relative_to(ROOT / "src")),
)
def test_truth_reads_no_clock_and_no_environment(path: Path) -> None:
    """In domain and tlog time, randomness and the environment come in as arguments."""
    names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not names & CLOCKS
