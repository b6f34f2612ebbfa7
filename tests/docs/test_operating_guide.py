"""`docs/operating.md` says what the program says: its table of refusals is compared with the code and with the dangers
that are tried, and its settings with those that are read.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from consent_registry import settings
from consent_registry.cli.audit import AUDITOR_URL
from consent_registry.cli.erasure import ERASER_URL, MIGRATOR_URL
from consent_registry.cli.witness_server import FOLDER
from tests.cli.dangers import DANGERS

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/operating.md"
SOURCE = ROOT / "src/consent_registry"
# Where `serve` refuses from, and the functions in there that other verbs use alone.
REFUSING = (
    "settings.py",
    "process/connections.py",
    "storage/database/connections.py",
    "storage/start_checks.py",
    "storage/database/login_checks.py",
    "storage/database/definer_checks.py",
    "storage/database/row_security_checks.py",
    "storage/database/partitions.py",
)
OTHER_VERBS = {"require_safe_for_sealing", "require_safe_for_erasing", "require_no_real_network", "read_migrations"}


def lines() -> list[str]:
    """Return the first column of the table of refusals."""
    table = GUIDE.read_text().partition("| it says |")[2].partition("\n\n")[0]
    return [re.split(r" \| ", row)[0].removeprefix("| ").strip("`").strip() for row in table.splitlines()[2:]]


def pattern(line: str) -> re.Pattern[str]:
    """Return what matches a line in which `…` stands for anything."""
    return re.compile(".+".join(re.escape(part) for part in line.strip("`").split("…")).strip())


def refusals(name: str) -> Iterator[str]:
    """Yield every line that a module refuses with, `…` for what is put in while running."""
    tree = ast.parse((SOURCE / name).read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        for node in ast.walk(function):
            if function.name in OTHER_VERBS or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in {"Unusable", "UnsafeSetting"}:
                yield said(node.args[0])


def said(text: ast.expr) -> str:
    """Return a text as it is written in the source."""
    if isinstance(text, ast.JoinedStr):
        return "".join(said(part) for part in text.values)
    if isinstance(text, ast.FormattedValue):
        is_prefix = isinstance(text.value, ast.Name) and text.value.id == "PREFIX"
        return settings.PREFIX if is_prefix else "…"
    assert isinstance(text, ast.Constant), ast.dump(text)
    return str(text.value)


def fitting(text: str) -> list[str]:
    """Return the lines of the guide that this one is, or could become when the program fills it in."""
    return [line for line in lines() if is_same(line, text)]


def is_same(line: str, text: str) -> bool:
    """Whether one of the two is the other with something filled in."""
    return bool(pattern(line).fullmatch(text.strip("`")) or pattern(text).fullmatch(line.strip("`")))


def test_every_refusal_is_in_the_guide() -> None:
    """What the code can say, and what it said to each danger that was tried."""
    known = [text for name in REFUSING for text in refusals(name)]
    assert len(known) > 20
    assert [text for text in known if not fitting(text)] == []
    assert [danger.line for danger in DANGERS if not fitting(danger.line)] == []


def test_nothing_in_the_guide_is_made_up() -> None:
    """Each line of the guide is one that a danger was refused with, or one that is in the code."""
    code = [text for path in SOURCE.rglob("*.py") for text in refusals(str(path.relative_to(SOURCE)))]
    told = [danger.line for danger in DANGERS] + code
    assert [line for line in lines() if not any(is_same(line, text) for text in told)] == []
    assert len(lines()) == len(set(lines())) > 40


def test_every_setting_is_in_the_guide() -> None:
    """The names that the settings have, and no others."""
    told = set(re.findall(r"^\| `(CONSENT_REGISTRY_[A-Z_]+)` \|", GUIDE.read_text(), re.MULTILINE))
    read = {
        settings.PREFIX + name.upper()
        for kind in (settings.Settings, settings.ConnectionLimits, settings.SealerSettings)
        for name in kind.__struct_fields__
    }
    named = {settings.PREFIX + name for name in settings.known_names()} - {FOLDER}  # which a witness's parts hand on
    assert told == named
    assert told == read | {settings.PREFIX + name for name in settings.OTHER_NAMES} - {FOLDER}
    assert {AUDITOR_URL, ERASER_URL, MIGRATOR_URL} <= told


def test_every_name_in_the_source_is_known() -> None:
    """Whatever reads the environment reads a name that the registry knows, so none is refused that has an effect."""
    sources = {path: path.read_text() for path in SOURCE.rglob("*.py")}
    named = {name for text in sources.values() for name in re.findall(r"CONSENT_REGISTRY_([A-Z_]+[A-Z])", text)}
    assert len(named) > 10
    assert named <= settings.known_names()
