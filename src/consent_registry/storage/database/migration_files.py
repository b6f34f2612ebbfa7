"""Reads the files of `migrations/`: numbered ones, each applied once, and functions, which are replaced whole.

Functions that tables need, for example in policies and triggers, are in `functions/for_tables/`.
"""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import msgspec

from consent_registry.domain.errors import Unusable

# Generated from the other files, for readers; never applied.
GENERATED = "schema.sql"


class SchemaFile(msgspec.Struct, frozen=True):
    """A file of the schema: its path below `migrations/`, its text and the SHA-256 of its bytes (64 hex digits)."""

    name: str
    text: str
    sha256: str


class Migration(SchemaFile, frozen=True):
    """A numbered file; `version` is its number."""

    version: int


class FunctionFiles(msgspec.Struct, frozen=True):
    """The files of functions: `for_tables` are applied before the numbered files, `others` after them."""

    for_tables: list[SchemaFile]
    others: list[SchemaFile]

    @property
    def all(self) -> list[SchemaFile]:
        """All files, in the order in which they are applied."""
        return [*self.for_tables, *self.others]


def read_migrations(directory: Path | None = None) -> list[Migration]:
    """The numbered files in order. Raises Unusable unless the numbers begin at 1 without a gap."""
    folder = directory or _installed_directory()
    found = []
    for path in sorted(folder.glob("*.sql")):
        if path.name == GENERATED:
            continue
        match = re.fullmatch(r"(\d{4})_[a-z0-9_]+\.sql", path.name)
        if match is None:
            raise Unusable(f"migration {path.name} is not named NNNN_slug.sql")
        file = _read(folder, path)
        found.append(Migration(file.name, file.text, file.sha256, int(match[1])))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise Unusable(f"migrations in {folder} are not numbered 1, 2, 3 … without a gap")
    return found


def read_functions(directory: Path | None = None) -> FunctionFiles:
    """The files of functions, each folder's in the order of their names."""
    folder = directory or _installed_directory()
    for_tables, others = (
        [_read(folder, path) for path in sorted((folder / place).glob("*.sql"))]
        for place in ("functions/for_tables", "functions")
    )
    return FunctionFiles(for_tables, others)


def _read(folder: Path, path: Path) -> SchemaFile:
    content = path.read_bytes()
    return SchemaFile(path.relative_to(folder).as_posix(), content.decode("utf-8"), hashlib.sha256(content).hexdigest())


def _installed_directory() -> Path:
    packaged = Path(str(files("consent_registry") / "migrations"))
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "migrations"
