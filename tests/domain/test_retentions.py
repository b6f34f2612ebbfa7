"""Every kind of event has one class, and what nobody classified is kept."""

from consent_registry.domain.events import KINDS
from consent_registry.domain.retentions import PERMANENT, STATE, USE, class_of


def test_every_kind_has_exactly_one_class() -> None:
    """No kind is in two classes and none in no class."""
    assert sorted([*USE, *STATE, *PERMANENT]) == sorted(KINDS)


def test_an_unknown_kind_is_permanent() -> None:
    """A kind that a newer release wrote is never removed by an older one."""
    assert class_of("something new") == "permanent"
    assert {class_of(kind) for kind in KINDS} == {"use", "state", "permanent"}
