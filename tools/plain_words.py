"""The house's word list: finds banned words and turns of phrase in docstrings, comments, variable names and documents.

`make check` runs it as `python -m tools.plain_words`. It prints a line for each finding with the plain replacement. A
folder is checked once it is in HELD, so add yours when it is clean.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
# Files and folders that are held to the list, relative to the repository.
HELD = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "benchmarks",
    "docs/architecture.md",
    "docs/asvs.md",
    "docs/counsellors.md",
    "docs/data-protection-officers.md",
    "docs/demonstration.md",
    "docs/design",
    "docs/erasure.md",
    "docs/glossary.md",
    "docs/index.md",
    "docs/installation.md",
    "docs/keys.md",
    "docs/life-of-a-consent.md",
    "docs/network.md",
    "docs/operating.md",
    "docs/promises.md",
    "docs/proxy.md",
    "docs/reconciliation.md",
    "docs/rules.md",
    "docs/sealing.md",
    "docs/silence.md",
    "docs/vendors.md",
    "docs/verifying.md",
    "docs/wire.md",
    "src/consent_registry/__init__.py",
    "src/consent_registry/__main__.py",
    "src/consent_registry/api",
    "src/consent_registry/app.py",
    "src/consent_registry/cli",
    "src/consent_registry/demo",
    "src/consent_registry/domain",
    "src/consent_registry/operations/access",
    "src/consent_registry/operations/background",
    "src/consent_registry/operations/catalogue",
    "src/consent_registry/operations/clients",
    "src/consent_registry/operations/consents",
    "src/consent_registry/operations/decisions",
    "src/consent_registry/operations/erasure",
    "src/consent_registry/operations/keys",
    "src/consent_registry/operations/log",
    "src/consent_registry/operations/oversight",
    "src/consent_registry/operations/runtime",
    "src/consent_registry/process",
    "src/consent_registry/settings.py",
    "src/consent_registry/storage",
    "src/consent_registry/tlog",
    "src/consent_registry/web",
    "tests/__init__.py",
    "tests/api",
    "tests/campaigns/__init__.py",
    "tests/campaigns/clocks",
    "tests/campaigns/crash",
    "tests/campaigns/defects",
    "tests/campaigns/erasure",
    "tests/campaigns/freshness",
    "tests/campaigns/idempotency",
    "tests/campaigns/keys",
    "tests/campaigns/load",
    "tests/campaigns/log",
    "tests/campaigns/silence",
    "tests/campaigns/support",
    "tests/campaigns/tampering",
    "tests/cli",
    "tests/conftest.py",
    "tests/contract",
    "tests/demo",
    "tests/docs",
    "tests/domain",
    "tests/interop",
    "tests/journeys",
    "tests/operations",
    "tests/oracle",
    "tests/process",
    "tests/storage",
    "tests/support",
    "tests/test_architecture.py",
    "tests/test_container.py",
    "tests/test_installation.py",
    "tests/test_reading_partners.py",
    "tests/test_release.py",
    "tests/test_samples.py",
    "tests/tlog",
    "tests/tools",
    "tests/web",
    "tools",
)
_MACHINE = (
    r"(?:account|answer|cache|checkpoint|clock|code|database|digest|document|event|file|function|head|host|key|kernel|leaf"
    r"|log|machine|message|module|PostgreSQL|process|program|proof|proxy|record|registry|response|root|route|row|sealer"
    r"|server|setting|table|test|tile|token|tree|type|value|verb|witness|worker)"
)
# What is banned in prose, and what to write instead.
PHRASES: tuple[tuple[str, str], ...] = (
    (r"\bwho(?:m|se)?(?:so)?ever\b", "name the person or the program"),
    (r"\bthat which\b", "name the thing"),
    (r"\bwhat(?:'s| is| was) left\b", "the rest, the remaining …"),
    (r"\btells\b", "shows, implies, distinguishes, or returns"),
    (r"\b(?:can|could|cannot|to) ?(?:not )?be told\b", "can be decided, can be checked"),
    (rf"\b{_MACHINE} (?:believes?|forgets?|hears?|lies|knows of|wants)\b", "say what the machine does"),
    (r"\b(?:lies|lie) (?:in|at|on|below|behind|beside)\b", "is in, is at"),
    (r"\bstands? (?:at|behind|beside|in|on|there|twice)\b(?! for\b)", "is at, is in; is given twice"),
    (r"\b(?:say|says|said|saying) of (?:it|them)sel(?:f|ves)\b", "name the place: at the route, in the type"),
    (r"\bnothing is said of\b", "is not checked, is not decided"),
    (r"\bwithout a word\b", "name what is missing"),
    (r"\bof ours\b", "the registry's, or name it"),
    (r"\bone's own\b", "its own, your own"),
    (r"\bunless (?:said|told)(?: otherwise)?\b", "the default is …"),
    (r"\bfor good\b", "permanently, finally"),
    (r"\bhe(?:ld|ars?) against\b|\bhold(?:s|ing)? (?:\w+ ){1,3}against\b", "compared with, compare … with"),
    (r"\banew\b", "again"),
    (r"\bheals?\b", "does not make lawful"),
    (r"\bis (?:as it was|what it was before)\b", "say which state it has"),
    (r"\bin the very\b|\bthe very same\b", "the same"),
    (r"\bas good as not\b", "like a missing …"),
)
# Names that say nothing: a loop is over what it names (`for grant in grants`).
EMPTY_NAMES = frozenset({"one", "some", "several", "other"})
_NAME_ADVICE = "name what it is: `for grant in grants`"
_CODE_IN_PROSE = re.compile(r"``?[^`]*``?|\"[^\"\n]*\"|https?://\S+")
_FENCE = re.compile(r"^(```|~~~)")
_FINDERS = tuple((re.compile(pattern, re.IGNORECASE), plain) for pattern, plain in PHRASES)


class Found(NamedTuple):
    """A banned word: where it is, the word, and the plain replacement."""

    path: str
    line: int
    word: str
    plain: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r}: {self.plain}"


def check(held: Sequence[str] = HELD, root: Path = ROOT) -> list[Found]:
    """Every banned word in the held files and folders."""
    return [found for path in _files(held, root) for found in check_text(str(path.relative_to(root)), path.read_text())]


def check_text(path: str, text: str) -> list[Found]:
    """Every banned word in a Python module or a Markdown document, by its name's ending."""
    if path.endswith(".md"):
        return list(_in_prose(path, _document(text)))
    tree = ast.parse(text)
    prose = sorted({*_comments(text), *_docstrings(tree)})
    return sorted({*_in_prose(path, prose), *_in_names(path, tree)}, key=lambda found: found.line)


def _files(held: Sequence[str], root: Path) -> Iterator[Path]:
    for name in held:
        path = root / name
        if path.is_dir():
            yield from sorted(file for ending in ("*.py", "*.md") for file in path.rglob(ending))
        else:
            yield path  # reading it fails if it does not exist: a folder that moved must not go unchecked


def _in_prose(path: str, lines: Sequence[tuple[int, str]]) -> Iterator[Found]:
    for number, line in lines:
        prose = _CODE_IN_PROSE.sub("", line)
        for finder, plain in _FINDERS:
            for match in finder.finditer(prose):
                yield Found(path, number, match[0], plain)


def _in_names(path: str, tree: ast.Module) -> Iterator[Found]:
    compared = {
        argument
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("__")
        for argument in node.args.args
    }  # `__eq__(self, other)` is Python's own name
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in EMPTY_NAMES:
            yield Found(path, node.lineno, node.id, _NAME_ADVICE)
        elif isinstance(node, ast.arg) and node.arg in EMPTY_NAMES and node not in compared:
            yield Found(path, node.lineno, node.arg, _NAME_ADVICE)


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The lines of every string that is a statement: docstrings, and descriptions below constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from enumerate(node.value.value.split("\n"), node.lineno)


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _document(text: str) -> list[tuple[int, str]]:
    """The lines of a document, without its blocks of code."""
    lines, is_code = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if _FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            lines.append((number, line))
    return lines


def main() -> int:
    """Print the findings; returns the exit code, which is 1 if there are any."""
    found = check()
    print("\n".join(map(str, found)) or f"plain words: {len(HELD)} files and folders hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
