"""Scenarios and status questions by the thousand: one set of choices, driven by a seed or by Hypothesis.

Every choice is made by ``choose(options)``, whose first option is the plainest, so that Hypothesis shrinks towards
it; an option is repeated to make it more likely. Slugs come from small alphabets and most choices keep close to the
request, so that matches and near-misses are both frequent; times cluster at ``now`` and one microsecond around it.
"""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .scenario_format import (
        Agreement,
        Approval,
        Category,
        Change,
        ChangeKind,
        Consent,
        Flow,
        Grant,
        Partner,
        Purpose,
        Release,
        Request,
        Scenario,
        StatusCase,
    )

T = TypeVar("T")

PARTNERS = ("awo", "jobcenter", "kreis")
PURPOSES = ("employment", "housing")
CATEGORIES = ("contact", "health", "employment")
PAIRS = tuple(itertools.permutations(PARTNERS, 2))
ORDERED_SUBSETS = tuple(
    order for size in range(1, len(CATEGORIES) + 1) for order in itertools.permutations(CATEGORIES, size)
)

US = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NEVER_MIND = timedelta(0)
NOWS = (
    datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 0, 0, 1, tzinfo=UTC),
)
BEGINNINGS = (-300 * DAY,) * 12 + (-MINUTE, -US, NEVER_MIND, NEVER_MIND, US, US, DAY)
ENDS = (300 * DAY,) * 8 + (DAY, 5 * MINUTE + US, 5 * MINUTE, 5 * MINUTE - US, 2 * MINUTE, US, US)
PAST_ENDS = (-DAY, -US, NEVER_MIND, NEVER_MIND)
MOMENTS = (-200 * DAY, -100 * DAY, -DAY, -MINUTE, -US, NEVER_MIND, US, MINUTE, DAY, 100 * DAY)
RECORDED = (*(-n * DAY for n in range(1, 9)), -US, NEVER_MIND, US)
CHANGE_KINDS: tuple[ChangeKind, ...] = (
    "confirmed",
    "renewed",
    "renewed",
    "unrenewed",
    "withdrawn",
    "withdrawn",
    "withdrawn",
    "ended",
    "invalidated",
    "restricted",
    "restricted",
    "unrestricted",
    "unrestricted",
)


class Choose(Protocol):
    """Takes one of the options."""

    def __call__(self, options: Sequence[T], /) -> T:
        """The option taken."""
        ...


def once_in(choose: Choose, times: int) -> bool:
    """True about once in so many times."""
    return choose((False,) * (times - 1) + (True,))


def near(choose: Choose, wanted: T, all_of_them: Sequence[T]) -> T:
    """The wanted value most of the time."""
    return choose((*((wanted,) * 16), *all_of_them))


def partner(choose: Choose) -> Partner:
    """A partner, mostly one that may receive."""
    return {
        "selectable": not once_in(choose, 40),
        "isolated": once_in(choose, 7),
        "suspended": once_in(choose, 40),
        "secrecy_holder": once_in(choose, 7),
    }


def category(choose: Choose) -> Category:
    """A data category."""
    default = choose(("on",) * 18 + ("off", "off", "not_shareable"))
    return {
        "secrecy": once_in(choose, 3),
        "special": once_in(choose, 3),
        "default": "off" if default == "off" else "not_shareable" if default == "not_shareable" else "on",
        "third_party": once_in(choose, 3),
    }


def purpose(choose: Choose) -> Purpose:
    """A purpose, mostly a plain one."""
    return {
        "special_flow": once_in(choose, 8),
        "attendance_only": once_in(choose, 3),
        "needs_approval": once_in(choose, 8),
    }


def request(choose: Choose) -> Request:
    """A question for any sender, recipient, purpose and categories."""
    sender, recipient = choose(PAIRS)
    basis = choose(("consent",) * 24 + ("statute",))
    categories = list(choose(ORDERED_SUBSETS))
    return {
        "sender": sender,
        "recipient": recipient,
        "purpose": choose(PURPOSES),
        "categories": categories,
        "basis": "statute" if basis == "statute" else "consent",
    }


def near_pair(choose: Choose, asked: Request) -> tuple[str, str]:
    """Mostly the asked sender and recipient; else turned round or any other pair."""
    pair = (asked["sender"], asked["recipient"])
    return near(choose, pair, (*PAIRS, pair[::-1]))


def flow(choose: Choose, asked: Request) -> Flow:
    """A flow close to what is asked; statutory ones cover less."""
    sender, recipient = near_pair(choose, asked)
    statutory = once_in(choose, 5)
    subset = choose(ORDERED_SUBSETS)
    categories = subset if statutory else choose((CATEGORIES,) * 6 + (subset, subset, ("contact",)))
    return {
        "sender": sender,
        "recipient": recipient,
        "purpose": near(choose, asked["purpose"], PURPOSES),
        "categories": list(categories),
        "basis": "statute" if statutory else "consent",
    }


def agreement(choose: Choose, asked: Request, now: datetime) -> Agreement:
    """An agreement, mostly in force; its window touches ``now`` often."""
    valid_from = choose((None, *(now + offset for offset in BEGINNINGS)))
    valid_until = choose((None,) * 14 + tuple(now + offset for offset in (DAY, US, NEVER_MIND, -US, -DAY)))
    if valid_from is not None and valid_until is not None and valid_from >= valid_until:
        valid_until = None
    return {
        "valid_from": valid_from,
        "valid_until": valid_until,
        "ended": once_in(choose, 16),
        "flows": [flow(choose, asked) for _ in range(choose((1, 1, 2, 3)))],
    }


def approval(choose: Choose, asked: Request, now: datetime) -> Approval:
    """An approval close to what is asked, mostly older than any grant."""
    sender, recipient = near_pair(choose, asked)
    near_purpose = near(choose, asked["purpose"], PURPOSES)
    about, name = choose(
        (("partner", asked["sender"]), ("partner", asked["recipient"]), ("purpose", near_purpose), ("partner", sender))
    )
    valid_until = choose((None,) * 8 + (now + DAY, now + US, now, now - US))
    return {
        "about": "purpose" if about == "purpose" else "partner",
        "name": name,
        "sender": choose((None, sender)),
        "recipient": choose((None, recipient)),
        "purpose": choose((None, near(choose, asked["purpose"], PURPOSES))),
        "recorded_at": now + choose((-400 * DAY,) * 6 + (-300 * DAY, -300 * DAY + US, -300 * DAY - US, -DAY)),
        "valid_until": valid_until,
        "revoked": once_in(choose, 10),
    }


def change(choose: Choose, kind: ChangeKind, grant: Grant, now: datetime) -> Change:
    """A change of a grant, its recorded time unlike those of the grant's other changes."""
    taken = {earlier["recorded_at"] for earlier in grant["changes"]}
    part = None
    if kind in {"withdrawn", "restricted", "unrestricted"} and choose((False, True, True)):
        part = [slug for slug in choose(ORDERED_SUBSETS) if slug in grant["categories"]] or None
    valid_until = None
    if kind == "renewed":
        valid_until = max(now + choose(ENDS + PAST_ENDS), grant["valid_from"] + US)
    return {
        "kind": kind,
        "categories": part,
        "effective_at": now + choose(MOMENTS),
        "recorded_at": choose([now + offset for offset in RECORDED if now + offset not in taken]),
        "valid_until": valid_until,
    }


def add_others(choose: Choose, asked: Request, now: datetime, made: Grant) -> None:
    """Say something about others' data in the grant, mostly that there are none."""
    said = choose((*("none",) * 7, "plain", "unstated", "not_consented", *("consented",) * 4))
    if said == "unstated":
        made["third_parties"] = "unstated"
    if said == "none":
        made["third_parties"] = "none"
    if said == "not_consented":
        made["third_parties"] = "not_consented"
    if said == "consented":
        made["third_parties"] = "consented"
        for number in range(choose((1, 1, 2))):
            gone = once_in(choose, 10)
            theirs = grant(choose, asked, now, f"{made['id']}-other-{number}", alone=True)
            if once_in(choose, 4):
                theirs["changes"].append(change(choose, "withdrawn", theirs, now))
            made["others"].append(None if gone else theirs)


def grant(choose: Choose, asked: Request, now: datetime, name: str, *, alone: bool = False) -> Grant:
    """A grant close to what is asked, with its changes in any order; `alone`: about nobody else."""
    sender, recipient = near_pair(choose, asked)
    valid_from = now + choose(BEGINNINGS)
    subset = choose(ORDERED_SUBSETS)
    made: Grant = {
        "id": name,
        "sender": sender,
        "recipient": recipient,
        "purpose": near(choose, asked["purpose"], PURPOSES),
        "categories": list(choose((CATEGORIES,) * 6 + (subset, subset, tuple(asked["categories"][:1])))),
        "explicit": not once_in(choose, 4),
        "answer": choose(("given",) * 14 + ("refused", "requested", "requested")),
        "valid_from": valid_from,
        "valid_until": max(now + choose(ENDS * 2 + PAST_ENDS), valid_from + US),
        "changes": [],
        "given_at": choose((valid_from,) * 12 + (valid_from - US, valid_from - DAY, None)),
        "third_parties": None,
        "others": [],
    }
    if not alone:
        add_others(choose, asked, now, made)
    if made["answer"] == "requested" and choose((True, True, False)):
        made["changes"].append(change(choose, "confirmed", made, now))
    for _ in range(choose((0, 0, 0, 0, 1, 1, 2, 3))):
        made["changes"].append(change(choose, choose(CHANGE_KINDS), made, now))
    if choose((False, True)):
        made["changes"].reverse()
    return made


def release(choose: Choose, asked: Request, now: datetime) -> Release:
    """A release close to what is asked."""
    holder, towards = near_pair(choose, asked)
    return {
        "holder": holder,
        "towards": towards,
        "withdrawn": once_in(choose, 4),
        "purposes": choose((None, None, None, None, None, [asked["purpose"]], [choose(PURPOSES)])),
        "categories": choose((None, None, None, None, asked["categories"], [choose(CATEGORIES)])),
        "valid_until": choose((None, None, None, None, None, now, now + US, now + 2 * MINUTE, now + DAY)),
    }


def consent(choose: Choose, asked: Request, now: datetime, name: str) -> Consent:
    """A consent of one to three grants with its releases."""
    return {
        "grants": [grant(choose, asked, now, f"{name}-{n}") for n in range(choose((1, 1, 2, 3)))],
        "releases": [release(choose, asked, now) for _ in range(choose((0, 1, 1, 2, 2)))],
    }


def build_scenario(choose: Choose) -> Scenario:
    """One scenario by these choices."""
    now = choose(NOWS)
    asked = request(choose)
    partners = {slug: partner(choose) for slug in PARTNERS}
    partners[asked["sender"]]["selectable"] = True
    return {
        "now": now,
        "request": asked,
        "partners": partners,
        "categories": {slug: category(choose) for slug in CATEGORIES},
        "agreements": [agreement(choose, asked, now) for _ in range(choose((1, 1, 1, 1, 2, 2, 3, 0)))],
        "purposes": {slug: purpose(choose) for slug in PURPOSES},
        "approvals": [approval(choose, asked, now) for _ in range(choose((0, 1, 1, 2, 3)))],
        "consents": [consent(choose, asked, now, f"grant-{n}") for n in range(choose((1, 1, 2, 2, 2, 3, 3, 0)))],
    }


def build_status_case(choose: Choose) -> StatusCase:
    """Grants of one consent and two instants, drawn from the times that matter to them and a microsecond around."""
    now = choose(NOWS)
    asked = request(choose)
    grants = [grant(choose, asked, now, f"grant-{n}", alone=True) for n in range(choose((1, 1, 2, 3)))]
    instants = {now}
    for made in grants:
        instants.update((made["valid_from"], made["valid_until"]))
        for happened in made["changes"]:
            instants.update((happened["effective_at"], happened["recorded_at"]))
            instants.update(end for end in (happened["valid_until"],) if end is not None)
    close = [instant + offset for instant in sorted(instants) for offset in (NEVER_MIND, -US, US)]
    return {"grants": grants, "at": choose(close), "known_at": choose([now + 400 * DAY, *close])}


def seeded_scenarios(seed: int, count: int) -> Iterator[Scenario]:
    """So many scenarios, the same ones for the same seed."""
    choose = random.Random(seed).choice
    for _ in range(count):
        yield build_scenario(choose)


def seeded_status_cases(seed: int, count: int) -> Iterator[StatusCase]:
    """So many status questions, the same ones for the same seed."""
    choose = random.Random(seed).choice
    for _ in range(count):
        yield build_status_case(choose)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Hypothesis: any scenario."""
    return build_scenario(lambda options: draw(st.sampled_from(options)))


@st.composite
def status_cases(draw: st.DrawFn) -> StatusCase:
    """Hypothesis: any status question."""
    return build_status_case(lambda options: draw(st.sampled_from(options)))
