"""The answers the registry has to give, in the plainest possible words: the oracle, with statuses beside it.

Written from the rules as they are in docs/design/decisions.md, without a look at ``domain/``. Slow and
repetitive on purpose: each rule is a loop or an ``if`` that can be compared with the sentence it comes from. The forms
of questions and answers are in ``scenario_format``.
"""
# ruff: noqa: SIM110 - plain loops, so that nothing is hidden in an expression

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .status_oracle import (
    consent_status,
    end_of_permission,
    grant_status,
    is_withdrawn,
    remaining_categories,
    status_from,
)

if TYPE_CHECKING:
    from .scenario_format import Agreement, Answer, Approval, Basis, Change, Consent, Grant, Outcome, Request, Scenario

__all__ = [
    "consent_status",
    "decide",
    "flow_obstacles",
    "grant_obstacles",
    "grant_status",
    "is_acceptable_use",
    "remaining_categories",
    "used_options",
]

LONGEST_ANSWER = timedelta(minutes=5)
# What an office that advises may say back: who came.
ATTENDANCE = ("identity", "contact")


def agreement_obstacle(agreement: Agreement, now: datetime) -> str | None:
    """Why an agreement is not in force at ``now``, or None."""
    if agreement["ended"]:
        return "agreement_ended"
    if agreement["valid_from"] is not None and now < agreement["valid_from"]:
        return "agreement_not_begun"
    if agreement["valid_until"] is not None and now >= agreement["valid_until"]:
        return "agreement_over"
    return None


def lists_flow(agreement: Agreement, request: Request, category: str, basis: Basis) -> bool:
    """Whether an agreement, in force or not, has the asked flow for this category on this basis."""
    for flow in agreement["flows"]:
        if flow["basis"] != basis:
            continue
        if flow["sender"] != request["sender"] or flow["recipient"] != request["recipient"]:
            continue
        if flow["purpose"] != request["purpose"]:
            continue
        if category in flow["categories"]:
            return True
    return False


def is_statutory(scenario: Scenario, category: str) -> bool:
    """Whether an agreement in force lists the asked flow as statutory for this category."""
    for agreement in scenario["agreements"]:
        if agreement_obstacle(agreement, scenario["now"]) is not None:
            continue
        if lists_flow(agreement, scenario["request"], category, "statute"):
            return True
    return False


def flow_obstacle(scenario: Scenario, category: str) -> str | None:
    """Why no agreement in force allows the asked flow on consent for this category, or None."""
    why = "flow_not_listed"
    for agreement in scenario["agreements"]:
        if not lists_flow(agreement, scenario["request"], category, "consent"):
            continue
        obstacle = agreement_obstacle(agreement, scenario["now"])
        if obstacle is None:
            return None
        why = obstacle
    return why


def approves(scenario: Scenario, approval: Approval, grant: Grant) -> bool:
    """Whether an approval leaves room for the asked flow, holds now, and was there when the grant was given."""
    request = scenario["request"]
    if approval["sender"] is not None and approval["sender"] != request["sender"]:
        return False
    if approval["recipient"] is not None and approval["recipient"] != request["recipient"]:
        return False
    if approval["purpose"] is not None and approval["purpose"] != request["purpose"]:
        return False
    if approval["revoked"]:
        return False
    if approval["valid_until"] is not None and scenario["now"] >= approval["valid_until"]:
        return False
    # A later approval does not make lawful what was agreed before it.
    return grant["given_at"] is not None and approval["recorded_at"] <= grant["given_at"]


def is_approved(scenario: Scenario, grant: Grant, about: str, name: str) -> bool:
    """Whether a DPO has approved this partner or this purpose for the asked flow, in time for this grant."""
    for approval in scenario["approvals"]:
        if approval["about"] != about or approval["name"] != name:
            continue
        if approves(scenario, approval, grant):
            return True
    return False


def gate_obstacles(scenario: Scenario, grant: Grant) -> list[str]:
    """The approvals that this grant lacks: for an isolated partner on either side, or for the purpose."""
    obstacles = []
    request = scenario["request"]
    sender, recipient = scenario["partners"][request["sender"]], scenario["partners"][request["recipient"]]
    if sender["isolated"] and not is_approved(scenario, grant, "partner", request["sender"]):
        obstacles.append("sender_isolated")
    if recipient["isolated"] and not is_approved(scenario, grant, "partner", request["recipient"]):
        obstacles.append("recipient_isolated")
    needs_approval = scenario["purposes"][request["purpose"]]["needs_approval"]
    if needs_approval and not is_approved(scenario, grant, "purpose", request["purpose"]):
        obstacles.append("purpose_not_approved")
    return obstacles


def asker_advises(scenario: Scenario) -> bool:
    """Whether some agreement, in force or not, brings the asked sender more than attendance for the asked purpose."""
    request = scenario["request"]
    for agreement in scenario["agreements"]:
        for flow in agreement["flows"]:
            if flow["recipient"] != request["sender"]:
                continue
            if flow["purpose"] != request["purpose"]:
                continue
            for category in flow["categories"]:
                if category not in ATTENDANCE:
                    return True
    return False


def flow_obstacles(scenario: Scenario, category: str) -> list[str]:
    """What stands against this category whatever the client has agreed to."""
    obstacles = []
    sender = scenario["partners"][scenario["request"]["sender"]]
    recipient = scenario["partners"][scenario["request"]["recipient"]]
    # docs/design/locks.md: the log never reads "partner suspended, permit"; that holds for either side.
    if sender["suspended"]:
        obstacles.append("sender_suspended")
    if recipient["suspended"]:
        obstacles.append("recipient_suspended")
    if not recipient["selectable"]:
        obstacles.append("recipient_not_selectable")
    if scenario["categories"][category]["default"] == "not_shareable":
        obstacles.append("never_shared")
    narrow = scenario["purposes"][scenario["request"]["purpose"]]["attendance_only"] and asker_advises(scenario)
    if narrow and category not in ATTENDANCE:
        obstacles.append("attendance_only")
    flow = flow_obstacle(scenario, category)
    if flow is not None:
        obstacles.append(flow)
    return obstacles


def is_restricted(category: str, changes: list[Change]) -> bool:
    """Whether a restriction that covers this category has not been lifted for it by a later recorded change."""
    for restriction in changes:
        if restriction["kind"] != "restricted":
            continue
        if restriction["categories"] is not None and category not in restriction["categories"]:
            continue
        lifted = False
        for lifting in changes:
            if lifting["kind"] != "unrestricted" or lifting["recorded_at"] <= restriction["recorded_at"]:
                continue
            if lifting["categories"] is None or category in lifting["categories"]:
                lifted = True
        if not lifted:
            return True
    return False


# After every end that a scenario has.
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def release_ends(consent: Consent, request: Request, category: str, now: datetime) -> list[datetime]:
    """When each release of this consent ends that frees the sender towards the recipient for this category now. One
    without an end of its own ends with its grant: at the end of time.
    """
    ends = []
    for release in consent["releases"]:
        if release["holder"] != request["sender"] or release["towards"] != request["recipient"]:
            continue
        if release["purposes"] is not None and request["purpose"] not in release["purposes"]:
            continue
        if release["categories"] is not None and category not in release["categories"]:
            continue
        if release["withdrawn"]:
            continue
        if release["valid_until"] is None:
            ends.append(END_OF_TIME)
        elif now < release["valid_until"]:
            ends.append(release["valid_until"])
    return ends


def flow_differences(grant: Grant, request: Request) -> list[str]:
    """In what the flow of a grant differs from the one asked about."""
    differences = []
    if grant["sender"] != request["sender"]:
        differences.append("other_sender")
    if grant["recipient"] != request["recipient"]:
        differences.append("other_recipient")
    if grant["purpose"] != request["purpose"]:
        differences.append("other_purpose")
    return differences


def tick_obstacles(scenario: Scenario, grant: Grant, category: str) -> list[str]:
    """What is missing in the way the client said yes to this category."""
    about = scenario["categories"][category]
    # A category that is off goes by an explicit grant of its own and by nothing else.
    if about["default"] == "off" and grant["categories"] != [category]:
        return ["not_its_own_tick"]
    special_flow = scenario["purposes"][scenario["request"]["purpose"]]["special_flow"]
    needs_yes = about["special"] or special_flow or about["default"] == "off"
    if needs_yes and not grant["explicit"]:
        return ["not_explicit"]
    return []


def others_obstacle(grant: Grant, category: str, now: datetime) -> str | None:
    """Why data about other persons may not go by this grant, or None."""
    if grant["third_parties"] == "none":
        return None
    # Nobody said anything of them, or they said no.
    if grant["third_parties"] != "consented":
        return "others_did_not_agree"
    for agreed in grant["others"]:
        if agreed is None or not still_agrees(agreed, category, now):
            return "others_agree_no_longer"
    return None


def still_agrees(agreed: Grant, category: str, now: datetime) -> bool:
    """Whether another person's own grant lets the category go now."""
    if category not in agreed["categories"]:
        return False
    if status_from(agreed, agreed["changes"], now) not in ("given", "renewed"):
        return False
    if now >= end_of_permission(agreed, agreed["changes"]):
        return False
    if is_withdrawn(category, agreed["changes"]) or now < agreed["valid_from"]:
        return False
    return not is_restricted(category, agreed["changes"])


def grant_obstacles(scenario: Scenario, consent: Consent, grant: Grant, category: str) -> list[str]:
    """Why this grant does not permit this category now; empty if it does.

    Every change in the scenario counts, whatever its times: presence decides.
    """
    request = scenario["request"]
    now, changes = scenario["now"], grant["changes"]
    obstacles = flow_differences(grant, request)
    if category not in grant["categories"]:
        obstacles.append("category_not_granted")
    status = status_from(grant, changes, now)
    if status not in {"given", "renewed"}:
        obstacles.append(status)
    elif is_withdrawn(category, changes):
        obstacles.append("category_withdrawn")
    if now < grant["valid_from"]:
        obstacles.append("not_yet_valid")
    if status == "renewed" and now >= end_of_permission(grant, changes):
        obstacles.append("renewed_elsewhere")
    if is_restricted(category, changes):
        obstacles.append("restricted")
    obstacles += gate_obstacles(scenario, grant)
    obstacles += tick_obstacles(scenario, grant, category)
    others = others_obstacle(grant, category, now)
    if scenario["categories"][category]["third_party"] and others is not None:
        obstacles.append(others)
    # A secrecy holder's every category is secret: the name too (§ 203 Abs. 1 StGB).
    bound = scenario["partners"][request["sender"]]["secrecy_holder"]
    if bound and not release_ends(consent, request, category, now):
        obstacles.append("no_release")
    return obstacles


def permitting_grants(scenario: Scenario, category: str) -> list[tuple[Grant, datetime]]:
    """The client's grants that permit this category now, each with its end: that of its release if it is earlier."""
    if flow_obstacles(scenario, category):
        return []
    request = scenario["request"]
    permitting = []
    for consent in scenario["consents"]:
        for grant in consent["grants"]:
            if grant_obstacles(scenario, consent, grant, category) == []:
                end = end_of_permission(grant, grant["changes"])
                if scenario["partners"][request["sender"]]["secrecy_holder"]:
                    ends = release_ends(consent, request, category, scenario["now"])
                    end = min(end, max(ends, default=END_OF_TIME))
                permitting.append((grant, end))
    return permitting


def used_options(scenario: Scenario, category: str) -> tuple[datetime, set[str]]:
    """For a permitted category: the latest end among the grants that permit it, and which of them have that end."""
    permitting = permitting_grants(scenario, category)
    latest = max(end for _, end in permitting)
    return latest, {grant["id"] for grant, end in permitting if end == latest}


def is_acceptable_use(scenario: Scenario, used: set[str]) -> bool:
    """Whether the used grants can be had by choosing, for each permitted category, one with the latest end."""
    options = [used_options(scenario, category)[1] for category in decide(scenario)["permitted"]]
    for choice in itertools.product(*options):
        if set(choice) == used:
            return True
    return False


def outcome_of(asked: list[str], permitted: list[str], not_consent_based: list[str]) -> Outcome:
    """The outcome that the lists of categories amount to."""
    if not_consent_based == asked:
        return "not_consent_based"
    if permitted == asked:
        return "permit"
    if permitted:
        return "partial"
    return "no_permission"


def decide(scenario: Scenario) -> Answer:
    """The answer to "may I send?"."""
    request = scenario["request"]
    permitted, denied, not_consent_based = [], [], []
    expires_at = scenario["now"] + LONGEST_ANSWER
    used = set()
    for category in request["categories"]:
        if request["basis"] == "statute" or is_statutory(scenario, category):
            not_consent_based.append(category)
        elif permitting_grants(scenario, category) == []:
            denied.append(category)
        else:
            permitted.append(category)
            latest, options = used_options(scenario, category)
            expires_at = min(expires_at, latest)
            used.add(min(options))
    return {
        "outcome": outcome_of(request["categories"], permitted, not_consent_based),
        "permitted": permitted,
        "denied": denied,
        "not_consent_based": not_consent_based,
        "expires_at": expires_at,
        "used": used,
        "obligations_expected": permitted != [],
    }
