"""The layout, held by tests."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "src/consent_registry").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 300, 50
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service", "misc", "tools"}
# Folders of tests that follow the code.
MIRRORED = ("api", "cli", "demo", "domain", "operations", "process", "storage", "tlog", "web")
# Tests in them of what several modules do together, or of no module at all.
STORIES = {
    "api/test_docs_in_a_browser.py",
    "api/test_flooding_acts.py",
    "api/test_foreign.py",
    "api/test_foreign_rows.py",
    "api/test_instants_on_the_wire.py",
    "api/test_oversight.py",
    "api/test_token_edges.py",
    "cli/test_command_line.py",
    "cli/test_lasting_verbs.py",
    "cli/test_mistaken_evidence.py",
    "cli/test_operators_verbs.py",
    "cli/test_start_refusals.py",
    "demo/test_data.py",
    "demo/test_permit_example.py",
    "domain/events/test_new_member.py",
    "domain/test_against_oracle.py",
    "domain/test_boundaries.py",
    "domain/test_values.py",
    "domain/test_withdrawals_against_oracle.py",
    "domain/law/test_form_table.py",
    "operations/erasure/test_erasure_races.py",
    "operations/erasure/test_retention_refusals.py",
    "operations/erasure/test_retention_rules.py",
    "operations/test_associated_data.py",
    "operations/test_entries_for_others.py",
    "process/test_two_commands.py",
    "storage/database/test_event_kinds.py",
    "storage/database/test_schema.py",
    "storage/test_client_columns.py",
    "storage/test_demo_on_postgresql_15.py",
    "storage/test_privileges.py",
    "storage/test_statement_plans.py",
    "storage/test_ways_up.py",
    "tlog/test_all_proofs.py",
    "tlog/test_findings.py",
    "web/test_bad_input.py",
    "web/test_headers.py",
    "web/test_hostile_bodies.py",
    "web/test_raw_requests.py",
}
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


def defined_names(text: str) -> list[str]:
    """The public names of the classes and type aliases that a module defines. Type variables have one letter."""
    names = []
    for node in ast.parse(text).body:
        match node:
            case ast.ClassDef(name=name):
                names.append(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name[0].isupper() and not name.isupper():
                    names.append(name)
    return [name for name in names if not name.startswith("_")]


def names_defined_twice(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Public class and alias names that several of these modules define, with the modules."""
    modules: dict[str, list[str]] = {}
    for module, text in texts.items():
        for name in defined_names(text):
            modules.setdefault(name, []).append(module)
    return {name: defining for name, defining in modules.items() if len(defining) > 1}


def test_no_name_has_two_meanings() -> None:
    """A class or type alias has a name that no other module gives to a class or type alias."""
    assert names_defined_twice({str(path.relative_to(ROOT / "src")): path.read_text() for path in MODULES}) == {}
    first = "class Partner: ...\nSlug = Annotated[str, 1]\nT = TypeVar('T')\nSIZE: int = 1\nclass _Line: ..."
    second = "Partner = str\nSlug: TypeAlias = str\nT = TypeVar('T')\nSIZE: int = 2\nclass _Line: ..."
    assert names_defined_twice({"a": first, "b": second}) == {"Partner": ["a", "b"], "Slug": ["a", "b"]}


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if {"domain", "tlog"} & set(path.parts)],
    ids=lambda path: str(path.relative_to(ROOT / "src")),
)
def test_truth_reads_no_clock_and_no_environment(path: Path) -> None:
    """In domain and tlog time, randomness and the environment come in as arguments."""
    names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not names & CLOCKS


def test_a_modules_tests_are_found_by_its_name() -> None:
    """Where tests follow the code, each file is named after a module or a package at the same place, or is a story."""
    named, others = set[str](), set[str]()
    for path in (path for layer in MIRRORED for path in (ROOT / "tests" / layer).rglob("test_*.py")):
        place = path.relative_to(ROOT / "tests")
        module = ROOT / "src/consent_registry" / place.parent / path.stem.removeprefix("test_")
        (named if module.is_dir() or module.with_suffix(".py").is_file() else others).add(place.as_posix())
    assert others == STORIES
    assert len(named) > len(others)
