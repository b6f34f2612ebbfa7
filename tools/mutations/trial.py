"""A mutant before the tests of its package: each in a process of its own, forked from one that knows pytest already."""

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
# Packages whose tests need nothing but themselves: all of them are tried; elsewhere those of a module's own name.
PURE = ("domain", "tlog")
# Which tests find most mistakes of a module that has none of its own name; all of its package's tests follow anyway.
FOUND_BY = {
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
# Enough for every mutant that a hundred thousand scenarios find: survivors were looked at with all of them.
SCENARIOS = 2_000
# Seconds of computing, not of waiting: a busy machine kills nobody. A mutant that never ends is found by this, sooner
# where a module's own tests are tried.
PATIENCE, OWN_PATIENCE = 60, 15
# Too long for each mutant, and they say nothing that the others do not.
LEFT_OUT = "not whole_small_scope and not switched_on and not test_boundaries"


def passes(modules: Iterable[str], tests: Sequence[Path] | None = None) -> bool:
    """Whether all tests that these modules' mutants are brought before pass without a mutant."""
    if tests is not None:
        return _pass(None, tests)
    return all(_pass(None, several) for several in {one for module in modules for one in _tests_of(module)})


def survives(mutant: Mutant, tests: Sequence[Path] | None = None) -> bool:
    """Whether tests, its module's and then all of its package unless said otherwise, pass with this mutant."""
    if tests is not None:
        return _pass(mutant, tests)
    own, everything = _tests_of(mutant.module)
    return _pass(mutant, own, OWN_PATIENCE) and _pass(mutant, everything)


def _tests_of(module: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """First a module's own tests, then its package's, the longest last."""
    package, name = module.partition(".")[0], module.rpartition(".")[2]
    paths = sorted((ROOT / "tests" / package).rglob("test_*.py"), key=lambda one: one.stem == "test_against_oracle")
    own = tuple(one for one in paths if one.stem == f"test_{FOUND_BY.get(module, name)}")
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
        one
        for one in sys.modules
        if one.startswith(("consent_registry", "tests.tlog", "tests.domain", "tests.operations"))
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
    """Fewer scenarios for tests that take thousands."""

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        """Set the size that test modules name."""
        for item in items:
            if hasattr(item.module, "CASES"):
                item.module.CASES = SCENARIOS


class _Swap(MetaPathFinder, Loader):
    """Imports the mutant in the place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = f"consent_registry.{mutant.module}"

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Claim this one module."""
        del path, target
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutant's code as the module's."""
        tree = ast.fix_missing_locations(self._mutant.tree())
        exec(compile(tree, f"<{self._mutant.module}>", "exec"), module.__dict__)  # noqa: S102
