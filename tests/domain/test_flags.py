"""Flags have plain defaults, and a catalogue with an unknown flag is refused."""

import msgspec
import pytest

from consent_registry.domain.flags import ATTENDANCE, NOT_A_PURPOSE, CategoryFlags, Policies, PurposeFlags
from consent_registry.domain.quotas import Quotas


@pytest.mark.parametrize("flags", [CategoryFlags, PurposeFlags, Policies])
def test_an_unknown_flag_is_refused(flags: type[msgspec.Struct]) -> None:
    """A flag without a rule is refused, because it would promise something that no rule enforces."""
    with pytest.raises(msgspec.ValidationError, match="unheard_of"):
        msgspec.convert({"unheard_of": True}, flags)


@pytest.mark.parametrize("flags", [CategoryFlags, PurposeFlags, Policies])
def test_what_is_not_said_is_not_written(flags: type[msgspec.Struct]) -> None:
    """Events contain only flags that differ from the default, so old events keep their bytes."""
    assert msgspec.to_builtins(flags()) == {}


def test_without_flags_nothing_is_particular() -> None:
    """Every flag has its default until a catalogue sets it."""
    assert msgspec.structs.asdict(CategoryFlags()) == {
        "default": "on",
        "third_party_data": False,
        "minors": False,
        "high_harm": False,
        "social_data": False,
        "proxy_for": None,
    }
    assert msgspec.structs.asdict(PurposeFlags()) == {
        "flow_itself_is_special": False,
        "back_channel": "open",
        "every_participant_named": False,
        "minors": False,
        "dpo_approval": False,
        "separate_sheet": False,
        "notice": None,
    }
    assert msgspec.structs.asdict(Policies()) == {
        "interpreter_required": False,
        "evidence_may_follow": False,
        "longest_months": 24,
        "quotas": Quotas(),
    }


def test_what_may_go_back_and_what_is_no_purpose() -> None:
    """Attendance data are identity and contact (§ 16a SGB II); statistics, fraud control and cooperation are no
    purposes.
    """
    assert sorted(ATTENDANCE) == ["contact", "identity"]
    assert sorted(NOT_A_PURPOSE) == ["fraud-control", "general-cooperation", "networking", "statistics"]
