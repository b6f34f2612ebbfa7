"""The plainest scenario that is a permit, to be changed by a test that needs another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from .oracle import decide

if TYPE_CHECKING:
    from .scenario_format import Approval, Category, Change, ChangeKind, Flow, Grant, Release, Scenario

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
US = timedelta(microseconds=1)
DAY = timedelta(days=1)
SENDER, RECIPIENT, OTHER = "awo-paderborn", "jobcenter-kreis-paderborn", "diakonie-paderborn-hoexter"
PURPOSE, OTHER_PURPOSE = "employment", "housing"
CONTACT, HEALTH = "contact", "health"
STOPPING: tuple[ChangeKind, ...] = ("withdrawn", "ended", "invalidated", "restricted")


def plain_flow(*categories: str) -> Flow:
    """A consent flow from sender to recipient for the purpose."""
    return {
        "sender": SENDER,
        "recipient": RECIPIENT,
        "purpose": PURPOSE,
        "categories": list(categories or (CONTACT, HEALTH)),
        "basis": "consent",
    }


def plain_grant(name: str = "grant", *categories: str) -> Grant:
    """A given grant for the same flow, from a year ago until in a year."""
    return {
        "id": name,
        "sender": SENDER,
        "recipient": RECIPIENT,
        "purpose": PURPOSE,
        "categories": list(categories or (CONTACT, HEALTH)),
        "explicit": False,
        "answer": "given",
        "valid_from": NOW - 365 * DAY,
        "valid_until": NOW + 365 * DAY,
        "changes": [],
        "given_at": NOW - 365 * DAY,
        "third_parties": None,
        "others": [],
    }


def plain_category() -> Category:
    """A category that nothing is particular about."""
    return {"secrecy": False, "special": False, "default": "on", "third_party": False}


def plain_approval(about: Literal["partner", "purpose"], name: str) -> Approval:
    """An approval from before the plain grant was given, without limits."""
    return {
        "about": about,
        "name": name,
        "sender": None,
        "recipient": None,
        "purpose": None,
        "recorded_at": NOW - 400 * DAY,
        "valid_until": None,
        "revoked": False,
    }


def plain_change(kind: ChangeKind, at: datetime = NOW - DAY, *categories: str) -> Change:
    """A change that took effect and was recorded at the same time; a renewal is for two years from now."""
    return {
        "kind": kind,
        "categories": list(categories) or None,
        "effective_at": at,
        "recorded_at": at,
        "valid_until": NOW + 730 * DAY if kind == "renewed" else None,
    }


def plain_scenario() -> Scenario:
    """The sender asks for ``contact``; agreement and grant hold it and nothing stands against it: a permit."""
    return {
        "now": NOW,
        "request": {
            "sender": SENDER,
            "recipient": RECIPIENT,
            "purpose": PURPOSE,
            "categories": [CONTACT],
            "basis": "consent",
        },
        "partners": {
            slug: {"selectable": True, "isolated": False, "suspended": False, "secrecy_holder": False}
            for slug in (SENDER, RECIPIENT, OTHER)
        },
        "categories": {slug: plain_category() for slug in (CONTACT, HEALTH)},
        "purposes": {
            slug: {"special_flow": False, "attendance_only": False, "needs_approval": False}
            for slug in (PURPOSE, OTHER_PURPOSE)
        },
        "agreements": [{"valid_from": None, "valid_until": None, "ended": False, "flows": [plain_flow()]}],
        "approvals": [],
        "consents": [{"grants": [plain_grant()], "releases": []}],
    }


def outcome(scenario: Scenario) -> str:
    """The oracle's outcome alone."""
    return decide(scenario)["outcome"]


def plain_release(holder: str, towards: str, *, withdrawn: bool = False) -> Release:
    """A release in force, without limits of its own."""
    return {
        "holder": holder,
        "towards": towards,
        "withdrawn": withdrawn,
        "purposes": None,
        "categories": None,
        "valid_until": None,
    }
