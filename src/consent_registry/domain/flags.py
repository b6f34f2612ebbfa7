"""Flags of catalogue entries, which switch rules on or off (docs/rules.md).

Setting up a network refuses an unknown flag by name, so a catalogue has no flag without effect.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from consent_registry.domain.quotas import Quotas

# What an advice office may send back: who came, but nothing of what was said (§ 16a SGB II).
ATTENDANCE = frozenset({"identity", "contact"})
# Too general to be a purpose that a client could agree to (Art. 5 Abs. 1 lit. b DSGVO).
NOT_A_PURPOSE = frozenset({"statistics", "fraud-control", "general-cooperation", "networking"})


class CategoryFlags(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The flags of a data category.

    `default`: `off` needs a grant for this category alone; `not_shareable` is never shared. `third_party_data`: the
    data are also about other persons. `minors`: about children. `high_harm`, `social_data` and `proxy_for` (what one
    could infer from the data) put obligations on the recipient.
    """

    default: Literal["on", "off", "not_shareable"] = "on"
    third_party_data: bool = False
    minors: bool = False
    high_harm: bool = False
    social_data: bool = False
    proxy_for: str | None = None


class PurposeFlags(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The flags of a purpose.

    `flow_itself_is_special`: the mere fact of a transfer reveals special data about the client (Art. 9 DSGVO).
    `back_channel`: what an advice office may send back. `dpo_approval`: no flow without an approval. `separate_sheet`:
    needs a consent for this purpose alone. `notice`: what the client must be told if a Jobcenter takes part.
    """

    flow_itself_is_special: bool = False
    back_channel: Literal["open", "attendance_only"] = "open"
    every_participant_named: bool = False
    minors: bool = False
    dpo_approval: bool = False
    separate_sheet: bool = False
    notice: Literal["refusal_has_no_effect_on_benefits"] | None = None


class Policies(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A network's choices where the rules allow more than one. `longest_months`: how long a consent lasts at most."""

    interpreter_required: bool = False
    evidence_may_follow: bool = False
    longest_months: Annotated[int, msgspec.Meta(ge=1, le=120)] = 24
    quotas: Quotas = Quotas()


class PolicyVersion(msgspec.Struct, frozen=True):
    """A version of a network's policies; `set_by` is a staff reference, None for the version it was set up with."""

    version: int
    policies: Policies
    set_by: str | None
    recorded_at: datetime
