"""Flags: what an entry is without them, and that nobody writes one that no rule knows."""

import msgspec
import pytest

from consent_registry.domain.flags import ATTENDANCE, NOT_A_PURPOSE, CategoryFlags, Policies, PurposeFlags
from consent_registry.domain.quotas import Quotas


@pytest.mark.parametrize("flags", [CategoryFlags, PurposeFlags, Policies])
def test_an_unknown_flag_is_refused(flags: type[msgspec.Struct]) -> None:
    """A flag that no rule hangs on would promise what nobody keeps."""
    with pytest.raises(msgspec.ValidationError, match="unheard_of"):
        msgspec.convert({"unheard_of": True}, flags)


@pytest.mark.parametrize("flags", [CategoryFlags, PurposeFlags, Policies])
def test_what_is_not_said_is_not_written(flags: type[msgspec.Struct]) -> None:
    """A plain entry carries no flags into an event, so that older events have the bytes of newer ones."""
    assert msgspec.to_builtins(flags()) == {}


def test_without_flags_nothing_is_particular() -> None:
    """Every flag is off, or its plain word, until a catalogue says otherwise."""
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
        "quotas": Quotas(),
    }


def test_what_may_go_back_and_what_is_no_purpose() -> None:
    """Attendance says who came (§ 16a SGB II); nobody agrees to statistics, fraud control or working together."""
    assert sorted(ATTENDANCE) == ["contact", "identity"]
    assert sorted(NOT_A_PURPOSE) == ["fraud-control", "general-cooperation", "networking", "statistics"]
