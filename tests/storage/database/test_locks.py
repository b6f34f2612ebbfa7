"""The classes of advisory locks are written once in Python, and the functions of the database use no other."""

import re
from pathlib import Path

from consent_registry.storage.database import locks

MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations"
NAMED = {name: value >> 20 for name, value in vars(locks).items() if name.startswith("LOCK_")}
# A lock that a function of the database takes, with the words of its class in the function's comment or name.
USED = {
    "log.sql": {"LOCK_LOG"},
    "erasure.sql": {"LOCK_CATALOGUE", "LOCK_CLIENT"},
    "partitions.sql": {"LOCK_PARTITIONS"},
}


def used(text: str) -> set[int]:
    """The classes that a text of SQL takes locks of."""
    return {int(number) for number in re.findall(r"advisory_\w*lock\w*\(\(?(\d+) << 20", text)}


def test_classes_differ() -> None:
    """No two locks share a class, or one would wait for the other."""
    assert len(set(NAMED.values())) == len(NAMED) == 7


def test_functions_take_the_locks_that_have_names() -> None:
    """Each function's file takes the locks of its classes, and no file a lock of a class without a name."""
    found = {path.name: used(path.read_text()) for path in MIGRATIONS.glob("functions/**/*.sql")}
    for name, classes in USED.items():
        assert found[name] == {NAMED[lock] for lock in classes}, name
    assert {number for numbers in found.values() for number in numbers} <= set(NAMED.values())


def test_a_class_without_a_name_is_seen() -> None:
    """The control: a lock of another class, with and without a network."""
    assert used("perform pg_advisory_xact_lock((9 << 20) | p_network, 0); select pg_try_advisory_lock(8 << 20, 0)") == {
        9,
        8,
    }
