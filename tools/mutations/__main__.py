"""`python -m tools.mutations`: checks that a test finds every mutant, or that `survivors.json` explains why none can.

MODULES lists what is tried. The exit code is 1 if a mutant survives without an explanation, or if an explained mutant
is found by a test or does not exist any more.
"""

import argparse
import hashlib
import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tools.mutations.operators import Mutant, mutants_of
from tools.mutations.trial import SOURCE, passes, survives

EXPLAINED: dict[str, str] = json.loads(Path(__file__).with_name("survivors.json").read_text(encoding="utf-8"))

# All modules of domain and tlog; of operations only the token check.
MODULES: Mapping[str, frozenset[str] | None] = {
    "domain": None,
    "tlog": None,
    "operations": frozenset({"access_tokens"}),
}


def every_mutant() -> list[Mutant]:
    """The mutants of all modules, in the order of the files."""
    return [
        mutant
        for package, chosen in MODULES.items()
        for path in sorted((SOURCE / package).rglob("*.py"))
        if chosen is None or path.stem in chosen
        for mutant in mutants_of(module_of(path), path.read_text(encoding="utf-8"))
    ]


def module_of(path: Path) -> str:
    """The module's name below the package that is tried: `domain.events.expected_rows`."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def sample_of(mutants: Sequence[Mutant], size: int) -> list[Mutant]:
    """Choose `size` mutants, from each module in turn. Mutants with the same names give the same choice."""
    turns: Counter[str] = Counter()
    drawn = []
    for mutant in sorted(mutants, key=lambda mutant: hashlib.sha256(mutant.name.encode()).digest()):
        drawn.append((turns[mutant.module], mutant))
        turns[mutant.module] += 1
    return [mutant for _, mutant in sorted(drawn, key=lambda turn_and_mutant: turn_and_mutant[0])][:size]


def complaints(
    tried: Collection[str], survivors: Mapping[str, str], explained: Mapping[str, str], existing: Collection[str]
) -> Iterator[str]:
    """Yield a line for each fault: a survivor without explanation, or an explanation that is empty or out of date."""
    for name, what in survivors.items():
        if name not in explained:
            yield f"survives unexplained: {name}: {what}"
    for name, reason in explained.items():
        if name not in existing:
            yield f"explained, but no mutant any more: {name}"
        elif name in tried and name not in survivors:
            yield f"explained, but found by now: {name}"
        if not reason.strip():
            yield f"no reason is given: {name}"


def main() -> int:
    """Try the mutants, print the numbers for each module and then the faults, and return the exit code."""
    options = _options()
    mutants = every_mutant()
    chosen = [mutant for mutant in mutants if not options.modules or mutant.module in options.modules]
    chosen = sample_of(chosen, options.sample or len(chosen))
    if not passes({mutant.module for mutant in chosen}, options.tests):
        return _say(["the tests do not even pass without a mutant"])
    with multiprocessing.get_context("fork").Pool(options.jobs, _prepare, (chosen, options.tests)) as pool:
        survivors = list(_survivors(chosen, pool.imap(_try, range(len(chosen)))))
    tried, existing = ({mutant.name for mutant in group} for group in (chosen, mutants))
    return _say(list(complaints(tried, {survivor.name: survivor.what for survivor in survivors}, EXPLAINED, existing)))


def _survivors(chosen: Sequence[Mutant], survived: Iterator[bool]) -> Iterator[Mutant]:
    """Yield the mutants that survived, and print a module's numbers as soon as all its mutants were tried."""
    waiting = Counter(mutant.module for mutant in chosen)
    tried, left = Counter(waiting), Counter[str]()
    for mutant, alive in zip(chosen, survived, strict=True):
        module = mutant.module
        waiting[module] -= 1
        if alive:
            left[module] += 1
            yield mutant
        if not waiting[module]:
            killed = tried[module] - left[module]
            sys.stdout.write(f"{module}: {tried[module]} tried, {killed} killed\n")
            sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mutations", description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as domain.grants; the default is all modules")
    parser.add_argument("--sample", type=int, help="the number of mutants to try, always the same ones")
    parser.add_argument("--jobs", type=int, default=1, help="the number of mutants that are tried at the same time")
    parser.add_argument("--tests", type=Path, nargs="+", help="test files to run instead of all tests of a package")
    return parser.parse_args()


def _say(lines: Sequence[str]) -> int:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return int(bool(lines))


_work: list[tuple[list[Mutant], list[Path] | None]] = []


def _prepare(mutants: list[Mutant], tests: list[Path] | None) -> None:
    _work.append((mutants, tests))


def _try(number: int) -> bool:
    mutants, tests = _work[0]
    return survives(mutants[number], tests)


if __name__ == "__main__":
    sys.exit(main())
