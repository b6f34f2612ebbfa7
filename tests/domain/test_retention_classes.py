"""Every kind of event has one retention class."""

from consent_registry.domain.events.all_kinds import NUMBERS
from consent_registry.domain.retention_classes import PERMANENT, STATE, USE, USE_KINDS


def test_every_kind_has_exactly_one_class() -> None:
    """Every kind of event is in exactly one retention class."""
    assert sorted([*USE, *STATE, *PERMANENT]) == sorted(NUMBERS)


def test_uses_go_by_age_and_what_accounts_for_the_log_never() -> None:
    """Decisions, transfers and reads are uses (docs/design/erasure.md); the rest of what happens is state."""
    assert set(USE) == {"decision", "transfer", "read"}
    assert set(PERMANENT) == {"erasure", "retention", "key_rotation"}
    assert [kind for kind in NUMBERS if NUMBERS[kind] in USE_KINDS] == ["decision", "transfer", "read"]
    assert len(USE_KINDS) == len(USE)
