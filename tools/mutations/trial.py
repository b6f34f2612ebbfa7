"""Runs the tests of a package with a mutant, in a child process that is forked after pytest was imported."""

import ast
import importlib.util
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
from hypothesis import Phase
from tests.oracle import oracle, samples, scenarios, small_scope  # noqa: F401 - imported once, for every child

from tools.mutations.operators import Mutant

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "consent_registry"
# Packages whose tests need no database: all tests of the package are run. Elsewhere only a module's own tests are run.
PURE = ("domain", "tlog")
# For modules without a test file of the same name: the test file that finds most of their mistakes. It runs first.
FOUND_BY = {
    "domain.law.dated": "norms",
    "domain.law.form_rows": "form",
    **{
        f"domain.law.rules.{name}": "rules"
        for name in (
            *("acts", "all_rules", "elsewhere", "findings", "findings_to_come"),
            *("flows", "givers", "remarks", "rule", "texts"),
        )
    },
    "tlog.checkpoint": "note",
    "tlog.event_bundle": "verify_events",
    "tlog.frontier": "tile",
    "tlog.policy": "proof",
    "tlog.tile_proofs": "tile",
    "tlog.verify": "findings",
    "tlog.verify_quorum": "findings",
    "tlog.verify_receipts": "findings",
    "tlog.witness": "cosignature",
}
# Enough to find every mutant that a hundred thousand scenarios find; this was checked for the survivors.
SCENARIOS = 2_000
# Seconds of processor time, so that a busy machine ends no test. They end a mutant that loops for ever. For a module's
# own tests the limit is lower.
PATIENCE, OWN_PATIENCE = 60, 15
# These take too long for each mutant, and find nothing that the others do not find.
LEFT_OUT = "not whole_small_scope and not switched_on and not test_boundaries"


def passes(modules: Iterable[str], tests: Sequence[Path] | None = None) -> bool:
    """Whether all tests for these modules pass without a mutant."""
    if tests is not None:
        return _pass(None, tests)
    return all(_pass(None, paths) for paths in {paths for module in modules for paths in _tests_of(module)})


def survives(mutant: Mutant, tests: Sequence[Path] | None = None) -> bool:
    """Whether these tests pass with this mutant. The default is its module's tests and then all of its package."""
    if tests is not None:
        return _pass(mutant, tests)
    own, everything = _tests_of(mutant.module)
    return _pass(mutant, own, OWN_PATIENCE) and _pass(mutant, everything)


def _tests_of(module: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The test files of a module, and those of its package, the slowest last."""
    package, name = module.partition(".")[0], module.rpartition(".")[2]
    paths = sorted((ROOT / "tests" / package).rglob("test_*.py"), key=lambda path: path.stem == "test_against_oracle")
    own = tuple(path for path in paths if path.stem == f"test_{FOUND_BY.get(module, name)}")
    return own, tuple(paths) if package in PURE else ()


def _pass(mutant: Mutant | None, tests: Sequence[Path], patience: int = PATIENCE) -> bool:
    if not tests:
        return True
    child = os.fork()
    if not child:
        signal.setitimer(signal.ITIMER_PROF, patience)
        os._exit(_try_in_child(mutant, tests))
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return False
    code = os.WEXITSTATUS(status)
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}:
        raise RuntimeError(f"the tests could not be run: pytest ended with {code}")
    return code == pytest.ExitCode.OK


def _try_in_child(mutant: Mutant | None, tests: Sequence[Path]) -> int:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    for name in [
        name
        for name in sys.modules
        if name.startswith(("consent_registry", "tests.tlog", "tests.domain", "tests.operations"))
    ]:
        del sys.modules[name]
    if mutant is not None:
        sys.meta_path.insert(0, _Swap(mutant))
    quick = hypothesis.settings(
        max_examples=50, derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate]
    )
    hypothesis.settings.register_profile("mutation", quick)
    hypothesis.settings.load_profile("mutation")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-x", "-q", "-c", os.devnull, f"--rootdir={ROOT}", "--noconftest", "--import-mode=importlib"]
    without = ["--assert=plain", "-p", "no:cacheprovider", "-k", LEFT_OUT, "-m", "not campaign"]
    return int(pytest.main([*options, *without, *map(str, tests)], plugins=[_Fewer()]))


class _Fewer:
    """A pytest plugin that reduces the number of scenarios in tests with thousands of them."""

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        """Set the constant CASES of each test module in which it is a number."""
        for item in items:
            if isinstance(getattr(item.module, "CASES", None), int):
                item.module.CASES = SCENARIOS


class _Swap(MetaPathFinder, Loader):
    """An importer that loads the mutant in place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = f"consent_registry.{mutant.module}"

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Find the mutant's module; None for other modules."""
        del path, target
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutant's code as the module's."""
        tree = ast.fix_missing_locations(self._mutant.tree())
        exec(compile(tree, f"<{self._mutant.module}>", "exec"), module.__dict__)  # noqa: S102
