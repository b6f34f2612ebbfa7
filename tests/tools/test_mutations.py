"""Mutation testing: a share of all mutants, the list of explained survivors, and that a blind test is noticed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from tools.mutations.__main__ import EXPLAINED, MODULES, complaints, every_mutant, module_of, sample_of
from tools.mutations.operators import mutants_of
from tools.mutations.trial import SOURCE

ROOT = Path(__file__).parents[2]
# Of thousands: at least one of each module, as many as a minute or two allow. `make mutants` tries all.
SHARE = 100
MODULE = '''
def may(age: int, known: bool = False) -> bool:
    """Whether one may."""
    return age >= 18 and known
'''


def campaign(*options: str) -> subprocess.CompletedProcess[str]:
    """The campaign in a process of its own."""
    command = [sys.executable, "-m", "tools.mutations", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_mutants_of_a_small_module() -> None:
    """Comparison, both sides of the `and`, its kind, the figure, the default and the return, and no annotation."""
    assert [mutant.name.removeprefix("small may: ") for mutant in mutants_of("small", MODULE)] == [
        "False → True",
        "return left out",
        "and → or",
        "operand 1 of 2 left out",
        "operand 2 of 2 left out",
        ">= → >",
        "18 → 19",
        "18 → 17",
    ]


def test_names_outlive_renaming() -> None:
    """A mutant of another function, or at another place, has another name; what values are called is in none."""
    renamed = MODULE.replace("age", "years").replace("known", "seen")
    names = [mutant.name for mutant in mutants_of("small", MODULE)]
    assert [mutant.name for mutant in mutants_of("small", renamed)] == names
    twice = [mutant.name for mutant in mutants_of("small", MODULE.replace("and known", "and known and age >= 12"))]
    assert {"small may: >= → >", "small may: >= → > (2)"} <= set(twice)
    assert not set(names) & {mutant.name for mutant in mutants_of("small", MODULE.replace("may", "must"))}


@pytest.mark.campaign
def test_every_mutant_is_a_program() -> None:
    """What cannot even be compiled would be found by any test, and prove none."""
    for mutant in every_mutant():
        alone = ast.Module([mutant.wrong_statement()], type_ignores=[])
        compile(ast.fix_missing_locations(alone), mutant.name, "exec")


def test_every_explained_survivor_is_a_mutant() -> None:
    """A name in the list that fits nothing any more must leave it, and every name says one mutant only."""
    names = [mutant.name for mutant in every_mutant()]
    assert len(names) > 2_500
    assert len(set(names)) == len(names)
    assert list(complaints([], {}, EXPLAINED, names)) == []


def test_what_a_list_of_survivors_is_blamed_for() -> None:
    """An unexplained survivor, one found by now, one that is gone, and one without a reason."""
    explained = {"a": "equal", "b": "equal", "c": "equal", "d": " "}
    assert list(complaints({"a", "b", "x"}, {"a": "1 → 2", "x": "2 → 3"}, explained, {"a", "b", "d", "x"})) == [
        "survives unexplained: x: 2 → 3",
        "explained, but found by now: b",
        "explained, but no mutant any more: c",
        "no reason is given: d",
    ]


def test_no_module_is_left_out() -> None:
    """Neither of all mutants nor of the share: whatever module there is, or comes, is tried."""
    modules = {
        module_of(path)
        for package, chosen in MODULES.items()
        for path in (SOURCE / package).rglob("*.py")
        if (chosen is None or path.stem in chosen)
        # Where there is no function there are names alone, and often nothing to get wrong.
        if any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(path.read_text())))
    }
    tried = {mutant.module for mutant in every_mutant()}
    assert tried >= modules
    assert {mutant.module for mutant in sample_of(every_mutant(), SHARE)} == tried


@pytest.mark.campaign
def test_no_mutant_of_the_share_survives_unexplained() -> None:
    """The same mutants each time, one after the other; each survivor is in the list with a reason."""
    assert len(sample_of(every_mutant(), SHARE)) == SHARE
    done = campaign("--sample", str(SHARE))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.campaign
def test_blind_tests_let_mutants_survive() -> None:
    """Control: before tests that look elsewhere the mutants of decisions survive, and the campaign fails."""
    done = campaign("domain.decisions", "--sample", "3", "--tests", "tests/domain/test_instants.py")
    assert done.returncode == 1
    assert done.stdout.count("survives unexplained") == 3, done.stdout + done.stderr
