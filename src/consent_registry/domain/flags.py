"""What a network's catalogue says about its entries beside their names: the flags that rules hang on (docs/rules.md).

A flag that no rule knows is refused by its name when a network is set up: what is written into a catalogue counts.
"""

from datetime import datetime
from typing import Literal

import msgspec

from consent_registry.domain.quotas import Quotas

# What may go back from an advice office: enough to say who came, nothing of what was said (§ 16a SGB II).
ATTENDANCE = frozenset({"identity", "contact"})
# Things that are done with figures or in general: no purpose a client could agree to (Art. 5 Abs. 1 lit. b DSGVO).
NOT_A_PURPOSE = frozenset({"statistics", "fraud-control", "general-cooperation", "networking"})


class CategoryFlags(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is particular about a data category.

    `default`: `off` is shared only by a grant of its own, `not_shareable` never. `third_party_data` is also about
    others than the client, `minors` about children. `high_harm`, `social_data` and `proxy_for` (what the data let
    one conclude) oblige whoever gets them.
    """

    default: Literal["on", "off", "not_shareable"] = "on"
    third_party_data: bool = False
    minors: bool = False
    high_harm: bool = False
    social_data: bool = False
    proxy_for: str | None = None


class PurposeFlags(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is particular about a purpose.

    `flow_itself_is_special`: that data flow for it says something special about the client (Art. 9 DSGVO).
    `back_channel`: what may go back from the office that advises. `dpo_approval`: no flow without an approval.
    `separate_sheet`: a consent of its own. `notice`: what a client must be told towards a Jobcenter.
    """

    flow_itself_is_special: bool = False
    back_channel: Literal["open", "attendance_only"] = "open"
    every_participant_named: bool = False
    minors: bool = False
    dpo_approval: bool = False
    separate_sheet: bool = False
    notice: Literal["refusal_has_no_effect_on_benefits"] | None = None


class Policies(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A network's own choices where the rules leave one."""

    interpreter_required: bool = False
    evidence_may_follow: bool = False
    quotas: Quotas = Quotas()


class PolicyVersion(msgspec.Struct, frozen=True):
    """A version of a network's policies; `set_by` is a staff reference, None for the version it was set up with."""

    version: int
    policies: Policies
    set_by: str | None
    recorded_at: datetime
