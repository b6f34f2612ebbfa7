"""The judge of the clock campaign finds what it is there to find."""

from datetime import UTC, datetime, timedelta

from tests.campaigns.clocks.clocks import Asked, faults

AT = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_honest_answers_are_none() -> None:
    """Permitted before the end, denied after it, also when the clock was set back before it."""
    honest = [
        Asked("before", AT, AT, AT + HOUR, "permit"),
        Asked("after", AT, AT, AT - HOUR, "no_permission"),
        Asked("set back", AT - 2 * HOUR, AT, AT - HOUR, "no_permission"),
        Asked("at the end", AT, AT, AT, "permit"),
    ]
    assert faults(honest) == []


def test_every_fault_is_found() -> None:
    """Permitted after the end, permitted again after the clock was set back, denied before the end, not answered."""
    found = faults(
        [
            Asked("after", AT, AT, AT - HOUR, "permit"),
            Asked("set back", AT - 2 * HOUR, AT, AT - HOUR, "permit"),
            Asked("before", AT, AT, AT + HOUR, "no_permission"),
            Asked("silent", AT, AT, AT + HOUR, None),
        ]
    )
    assert [fault.partition(":")[0] for fault in found] == ["after", "set back", "before", "silent"]
