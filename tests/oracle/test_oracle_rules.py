"""The oracle itself, compared with cases worked by hand from docs/design/decisions.md and docs/design/consents.md."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from .oracle import consent_status, decide, grant_status, is_acceptable_use, remaining_categories
from .samples import (
    CONTACT,
    DAY,
    HEALTH,
    NOW,
    OTHER_PURPOSE,
    PURPOSE,
    RECIPIENT,
    SENDER,
    STOPPING,
    US,
    outcome,
    plain_change,
    plain_grant,
    plain_release,
    plain_scenario,
)

if TYPE_CHECKING:
    from .scenario_format import ChangeKind, Release

LATER = NOW + 9 * DAY


# --- the check --------------------------------------------------------------------------------------------------------


def test_release_must_be_live_of_the_sender_towards_the_recipient_and_in_the_same_consent() -> None:
    """Any category of a secrecy holder goes with a live release of this direction in this consent."""
    scenario = plain_scenario()
    assert outcome(scenario) == "permit"
    scenario["partners"][SENDER]["secrecy_holder"] = True
    assert outcome(scenario) == "no_permission"
    scenario["consents"][0]["releases"] = [plain_release(RECIPIENT, SENDER)]
    assert outcome(scenario) == "no_permission"
    scenario["consents"][0]["releases"] = [plain_release(SENDER, RECIPIENT, withdrawn=True)]
    assert outcome(scenario) == "no_permission"
    live = plain_release(SENDER, RECIPIENT)
    scenario["consents"].append({"grants": [plain_grant("elsewhere", HEALTH)], "releases": [live]})
    assert outcome(scenario) == "no_permission"
    scenario["consents"][0]["releases"].append(live)
    assert outcome(scenario) == "permit"
    live["purposes"], live["categories"], live["valid_until"] = [PURPOSE], [CONTACT], NOW + US
    assert (outcome(scenario), decide(scenario)["expires_at"]) == ("permit", NOW + US)
    for limit, value in (("purposes", [OTHER_PURPOSE]), ("categories", [HEALTH]), ("valid_until", NOW)):
        narrowed = {**live, limit: value}
        scenario["consents"][0]["releases"][-1] = cast("Release", narrowed)
        assert outcome(scenario) == "no_permission", limit


def test_partner_that_may_not_take_part_is_denied() -> None:
    """A suspended partner on either side and a recipient that is not selectable get no consent-based category."""
    scenario = plain_scenario()
    scenario["partners"][SENDER]["suspended"] = True
    assert outcome(scenario) == "no_permission"
    scenario = plain_scenario()
    scenario["partners"][RECIPIENT]["suspended"] = True
    assert outcome(scenario) == "no_permission"
    scenario = plain_scenario()
    scenario["partners"][RECIPIENT]["selectable"] = False
    assert outcome(scenario) == "no_permission"


def test_grant_is_valid_from_its_beginning_until_just_before_its_end() -> None:
    """valid_from belongs to the validity, valid_until does not."""
    scenario = plain_scenario()
    grant = scenario["consents"][0]["grants"][0]
    grant["valid_from"], grant["valid_until"] = NOW, NOW + US
    assert decide(scenario)["expires_at"] == NOW + US
    grant["valid_from"], grant["valid_until"] = NOW - US, NOW
    assert outcome(scenario) == "no_permission"
    grant["valid_from"], grant["valid_until"] = NOW + US, NOW + DAY
    assert outcome(scenario) == "no_permission"


@pytest.mark.parametrize("kind", STOPPING)
@pytest.mark.parametrize("recorded_at", [NOW - DAY, NOW + US])
def test_presence_decides_not_time(kind: ChangeKind, recorded_at: datetime) -> None:
    """What stops a grant and is visible counts, even if it takes effect, or is dated, after now."""
    scenario = plain_scenario()
    change = plain_change(kind, recorded_at)
    change["effective_at"] = LATER
    scenario["consents"][0]["grants"][0]["changes"] = [change]
    assert outcome(scenario) == "no_permission"


def test_restriction_denies_until_a_later_recorded_lifting() -> None:
    """A lifting recorded before the restriction, or for another category, lifts nothing."""
    scenario = plain_scenario()
    grant = scenario["consents"][0]["grants"][0]
    restricted = plain_change("restricted", NOW - 5 * DAY)
    grant["changes"] = [plain_change("unrestricted", NOW - 6 * DAY), restricted]
    assert outcome(scenario) == "no_permission"
    grant["changes"].append(plain_change("unrestricted", NOW - 4 * DAY, HEALTH))
    assert outcome(scenario) == "no_permission"
    grant["changes"].append(plain_change("unrestricted", NOW - 3 * DAY))
    assert outcome(scenario) == "permit"
    assert grant_status(grant, NOW, NOW) == "given"


def test_partial_withdrawal_takes_its_categories_and_leaves_the_rest() -> None:
    """Withdrawn categories are denied and gone from the remaining ones; another grant may still permit them."""
    scenario = plain_scenario()
    scenario["request"]["categories"] = [HEALTH, CONTACT]
    grant = scenario["consents"][0]["grants"][0]
    grant["changes"] = [plain_change("withdrawn", NOW - DAY, HEALTH)]
    assert decide(scenario)["denied"] == [HEALTH]
    assert remaining_categories(grant, NOW, NOW) == [CONTACT]
    assert remaining_categories(grant, NOW - 2 * DAY, NOW) == [CONTACT, HEALTH]
    assert grant_status(grant, NOW, NOW) == "given"
    scenario["consents"][0]["grants"].append(plain_grant("second"))
    assert outcome(scenario) == "permit"


def test_used_grants_are_those_with_the_latest_end_and_ties_may_go_either_way() -> None:
    """For one category of two equal grants either may be named, but not both and not a shorter one."""
    scenario = plain_scenario()
    grants = [plain_grant("first"), plain_grant("second"), plain_grant("short")]
    grants[2]["valid_until"] = NOW + DAY
    scenario["consents"][0]["grants"] = grants
    assert is_acceptable_use(scenario, {"first"})
    assert is_acceptable_use(scenario, {"second"})
    assert not is_acceptable_use(scenario, {"first", "second"})
    assert not is_acceptable_use(scenario, {"short"})
    assert not is_acceptable_use(scenario, set())


# --- statuses ---------------------------------------------------------------------------------------------------------


def test_withdrawal_counts_in_the_past_from_its_effect_and_once_known() -> None:
    """Both time axes: before its effect the grant was given, and before it was recorded nobody could know."""
    grant = plain_grant()
    change = plain_change("withdrawn", NOW - 4 * DAY)
    change["recorded_at"] = NOW - 2 * DAY
    grant["changes"] = [change]
    assert grant_status(grant, NOW - 5 * DAY, NOW) == "given"
    assert grant_status(grant, NOW - 4 * DAY, NOW) == "withdrawn"
    assert grant_status(grant, NOW - 3 * DAY, NOW - 3 * DAY) == "given"
    assert grant_status(grant, NOW - 3 * DAY, NOW - 2 * DAY) == "withdrawn"
    change["effective_at"] = LATER
    assert grant_status(grant, NOW, NOW) == "withdrawn"
    assert grant_status(grant, NOW, NOW + US) == "given"


def test_withdrawals_by_parts_that_leave_nothing_are_a_withdrawal() -> None:
    """When every category has been withdrawn one by one, the grant is withdrawn."""
    grant = plain_grant()
    grant["changes"] = [plain_change("withdrawn", NOW - DAY, HEALTH), plain_change("withdrawn", NOW - US, CONTACT)]
    assert grant_status(grant, NOW, NOW) == "withdrawn"
    assert grant_status(grant, NOW - DAY, NOW) == "given"
    assert remaining_categories(grant, NOW, NOW) == []


def test_latest_recorded_renewal_sets_the_end() -> None:
    """A renewal moves the end, also to an earlier one, and the one recorded last wins; it revives what had expired."""
    grant = plain_grant()
    grant["valid_until"] = NOW - 10 * DAY
    assert grant_status(grant, NOW - 5 * DAY, NOW) == "expired"
    grant["changes"] = [plain_change("renewed", NOW - 2 * DAY), plain_change("renewed", NOW - 3 * DAY)]
    grant["changes"][1]["valid_until"] = NOW - DAY
    assert grant_status(grant, NOW - 5 * DAY, NOW) == "expired"
    assert grant_status(grant, NOW, NOW) == "renewed"
    grant["changes"][0]["valid_until"] = NOW
    assert grant_status(grant, NOW - US, NOW - US) == "renewed"
    assert grant_status(grant, NOW, NOW) == "expired"


def test_a_renewal_is_another_paper() -> None:
    """A renewed paper permits to the end it was signed for, or to that of a shorter renewal, and never beyond."""
    scenario = plain_scenario()
    grant = scenario["consents"][0]["grants"][0]
    grant["changes"] = [plain_change("renewed")]
    assert outcome(scenario) == "permit"
    grant["valid_until"] = NOW
    assert grant_status(grant, NOW, NOW) == "renewed"
    assert outcome(scenario) == "no_permission"
    grant["valid_until"], grant["changes"][0]["valid_until"] = NOW + DAY, NOW + US
    assert decide(scenario)["expires_at"] == NOW + US


def test_a_void_renewal_renewed_nothing() -> None:
    """The grant has its own end and status again, as of when it was said to be renewed."""
    grant = plain_grant()
    grant["changes"] = [plain_change("renewed", NOW - 2 * DAY), plain_change("unrenewed", NOW - 2 * DAY)]
    grant["changes"][1]["recorded_at"] = NOW - DAY
    assert grant_status(grant, NOW, NOW) == "given"
    assert grant_status(grant, NOW + 400 * DAY, NOW + 400 * DAY) == "expired"
    assert grant_status(grant, NOW - 2 * DAY, NOW) == "given"
    assert grant_status(grant, NOW - 2 * DAY, NOW - 2 * DAY) == "renewed"


def test_precedence_of_statuses() -> None:
    """invalidated, refused, withdrawn, ended, expired, requested, renewed, given: the first that applies."""
    grant = plain_grant()
    grant["answer"], grant["valid_until"] = "requested", NOW
    assert grant_status(grant, NOW, NOW) == "expired"
    assert grant_status(grant, NOW - US, NOW) == "requested"
    grant["changes"] = [plain_change("renewed")]
    assert grant_status(grant, NOW, NOW) == "requested"
    grant["changes"].append(plain_change("confirmed"))
    assert grant_status(grant, NOW, NOW) == "renewed"
    grant["changes"].append(plain_change("ended"))
    assert grant_status(grant, NOW, NOW) == "ended"
    grant["changes"].append(plain_change("withdrawn"))
    assert grant_status(grant, NOW, NOW) == "withdrawn"
    grant["answer"] = "refused"
    assert grant_status(grant, NOW, NOW) == "refused"
    grant["changes"].append(plain_change("invalidated"))
    assert grant_status(grant, NOW, NOW) == "invalidated"


def test_consent_is_given_while_a_grant_lives_and_then_what_came_last() -> None:
    """Given while any grant is; else what its grants end with, the latest where they differ."""
    grants = [plain_grant("first"), plain_grant("second"), plain_grant("third")]
    grants[0]["changes"] = [plain_change("withdrawn", NOW - 3 * DAY)]
    assert consent_status(grants, NOW, NOW) == "given"
    grants[1]["valid_until"] = NOW - 2 * DAY
    grants[2]["answer"] = "refused"
    assert consent_status(grants, NOW, NOW) == "expired"
    grants[0]["changes"][0]["effective_at"] = NOW - DAY
    assert consent_status(grants, NOW, NOW) == "withdrawn"
    grants[2]["answer"], grants[2]["changes"] = "given", [plain_change("renewed", NOW - 9 * DAY)]
    assert consent_status(grants, NOW, NOW) == "renewed"
    assert consent_status([plain_grant()], datetime(2026, 11, 1, tzinfo=UTC), NOW) == "given"
