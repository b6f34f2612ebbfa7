"""Mutation testing: every small mistake is found by a test, or is none, and `survivors.json` says why.

What is tried stands in MODULES. Ends with 1 when a mutant survives unexplained, or one that is
explained is found by now or is no mutant any more.
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

# Of domain and tlog every module, of operations the token check.
MODULES: Mapping[str, frozenset[str] | None] = {
    "domain": None,
    "tlog": None,
    "operations": frozenset({"access_tokens"}),
}


def every_mutant() -> list[Mutant]:
    """The mutants of all modules, in the order of the files."""
    return [
        one
        for package, chosen in MODULES.items()
        for path in sorted((SOURCE / package).rglob("*.py"))
        if chosen is None or path.stem in chosen
        for one in mutants_of(module_of(path), path.read_text(encoding="utf-8"))
    ]


def module_of(path: Path) -> str:
    """The module's name below the package that is tried: `domain.events.expected_rows`."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def sample_of(mutants: Sequence[Mutant], size: int) -> list[Mutant]:
    """So many of them, from each module in turn, the same ones as long as they have their names."""
    turns: Counter[str] = Counter()
    drawn = []
    for one in sorted(mutants, key=lambda one: hashlib.sha256(one.name.encode()).digest()):
        drawn.append((turns[one.module], one))
        turns[one.module] += 1
    return [one for _, one in sorted(drawn, key=lambda turn_and_one: turn_and_one[0])][:size]


def complaints(
    tried: Collection[str], survivors: Mapping[str, str], explained: Mapping[str, str], existing: Collection[str]
) -> Iterator[str]:
    """What is wrong with these survivors, with what they are, and with these explanations, a line each."""
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
    """Try the mutants and say what became of them, module by module."""
    options = _options()
    mutants = every_mutant()
    chosen = [one for one in mutants if not options.modules or one.module in options.modules]
    chosen = sample_of(chosen, options.sample or len(chosen))
    if not passes({one.module for one in chosen}, options.tests):
        return _say(["the tests do not even pass without a mutant"])
    with multiprocessing.get_context("fork").Pool(options.jobs, _prepare, (chosen, options.tests)) as pool:
        survivors = list(_survivors(chosen, pool.imap(_try, range(len(chosen)))))
    tried, existing = ({mutant.name for mutant in group} for group in (chosen, mutants))
    return _say(list(complaints(tried, {survivor.name: survivor.what for survivor in survivors}, EXPLAINED, existing)))


def _survivors(chosen: Sequence[Mutant], survived: Iterator[bool]) -> Iterator[Mutant]:
    """Those that survived; each module is told of as soon as all of its mutants were tried."""
    waiting = Counter(one.module for one in chosen)
    tried, left = Counter(waiting), Counter[str]()
    for one, alive in zip(chosen, survived, strict=True):
        waiting[one.module] -= 1
        if alive:
            left[one.module] += 1
            yield one
        if not waiting[one.module]:
            killed = tried[one.module] - left[one.module]
            sys.stdout.write(f"{one.module}: {tried[one.module]} tried, {killed} killed\n")
            sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mutations", description=__doc__)
    parser.add_argument("modules", nargs="*", help="as domain.grants; all of them unless said otherwise")
    parser.add_argument("--sample", type=int, help="how many mutants to try, always the same ones")
    parser.add_argument("--jobs", type=int, default=1, help="how many at the same time")
    parser.add_argument("--tests", type=Path, nargs="+", help="files of tests instead of all of a package")
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
