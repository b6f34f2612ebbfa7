"""Every kind of event has one class, and what nobody classified is kept."""

from consent_registry.domain.events import KINDS
from consent_registry.domain.retentions import PERMANENT, STATE, USE, USE_KINDS, class_of


def test_every_kind_has_exactly_one_class() -> None:
    """No kind is in two classes and none in no class."""
    assert sorted([*USE, *STATE, *PERMANENT]) == sorted(KINDS)


def test_uses_go_by_age_and_what_accounts_for_the_log_never() -> None:
    """Decisions, transfers and reads are uses (design.md section 7); the rest of what happens is state."""
    assert {kind for kind in KINDS if class_of(kind) == "use"} == {"decision", "transfer", "read"}
    assert {kind for kind in KINDS if class_of(kind) == "permanent"} == {"erasure", "retention", "key_rotation"}
    assert [kind for kind in KINDS if KINDS[kind] in USE_KINDS] == ["decision", "transfer", "read"]
    assert len(USE_KINDS) == len(USE)


def test_an_unknown_kind_is_permanent() -> None:
    """A kind that a newer release wrote is never removed by an older one."""
    assert class_of("something new") == "permanent"
    assert {class_of(kind) for kind in KINDS} == {"use", "state", "permanent"}
