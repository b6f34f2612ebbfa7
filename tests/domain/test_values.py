"""All values of the domain are immutable."""

import importlib
import pkgutil

import msgspec
import pytest

from consent_registry import domain

MODULES = [
    importlib.import_module(module.name) for module in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}.")
]
VALUES = {
    value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == module.__name__
}


@pytest.mark.parametrize("value", sorted(VALUES, key=str))
def test_a_value_cannot_be_changed(value: type[msgspec.Struct]) -> None:
    """Every struct of the domain is frozen."""
    assert value.__struct_config__.frozen


def test_there_are_values() -> None:
    """Control: the values were found."""
    assert len(VALUES) > 20
    assert {"consent_registry.domain.law.norms", "consent_registry.domain.grants"} <= {v.__module__ for v in VALUES}
