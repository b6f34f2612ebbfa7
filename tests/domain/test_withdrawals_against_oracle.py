"""Withdrawals and late papers as an oracle sees them that was written from the contract, in every order of entry."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consent_registry.domain.grants import Grant, withdrawn_categories
from consent_registry.domain.withdrawals import (
    ProposedWithdrawal,
    RecordedWithdrawal,
    changed,
    coverage_of,
    take_back,
    take_back_all,
    withdraw,
)
from tests.oracle import withdrawal_oracle
from tests.oracle.withdrawal_oracle import Paper, Told, left

CASES = 4_000
CASES_OF_A_MUTANT = 1_500
CATEGORIES = ("identity", "contact", "health")
PARTNERS = ("north", "south", "east")
# Around midnight in Germany, in summer and in winter, and around the end of summer time.
BASES = tuple(
    datetime.fromisoformat(text)
    for text in ("2026-07-01T21:30:00Z", "2026-11-20T22:30:00Z", "2026-10-24T23:30:00Z", "2027-03-27T22:30:00Z")
)
NOW = datetime(2027, 6, 1, tzinfo=UTC)
Case = tuple[list[Paper], list[Told]]

# The switched-off checks that must be caught, each by one change of the oracle's text.
MUTANTS = {
    "papers recorded after the withdrawal are not held against it": (
        "    if not was_before(paper, told):",
        "    if not was_before(paper, told) or paper.recorded_at > told.received_at:",
    ),
    "papers recorded before it are not taken back": (
        "    if not was_before(paper, told):",
        "    if not was_before(paper, told) or paper.recorded_at <= told.received_at:",
    ),
    "a day is read as an instant": ("    if paper.day_only:", "    if False:"),
    "a day is that in Greenwich": (
        "return german_day(given_at) <= german_day(told.received_at)",
        "return given_at.date() <= told.received_at.date()",
    ),
    "summer time is forgotten": ("timedelta(hours=2)", "timedelta(hours=1)"),
    "the moment of receipt is after": ("return given_at <= told.received_at", "return given_at < told.received_at"),
    "a time ahead of the clock is believed": ("    given_at = min(given_at, paper.recorded_at)\n", ""),
    "everything is a partner's": ("    if told.everything:\n        return True\n", ""),
    "a partner's flows are all flows": ("return told.by in (paper.sender, paper.recipient)", "return True"),
    "a partner sends alone": ("in (paper.sender, paper.recipient)", "in (paper.sender,)"),
    "one consent alone takes the flow": ("    if told.alone:", "    if False:"),
    "a refusal is a flow that was withdrawn": (" or named.refused:", ":"),
    "a flow is its direction": (
        "(named.sender, named.recipient, named.purpose) != (paper.sender, paper.recipient, paper.purpose)",
        "(named.sender, named.recipient) != (paper.sender, paper.recipient)",
    ),
    "a flow is all its categories": ("        if category in named.categories:", "        if True:"),
    "some categories are all": ("    if not is_asked_for(category, told):\n        return False\n", ""),
    "what is named is held to its date": ("told.consent == paper.consent and", "False and"),
}


def generated(choose: random.Random) -> Case:
    """Some papers and withdrawals of one client, near each other in time."""
    base = choose.choice(BASES)

    def moment() -> datetime:
        return base + timedelta(minutes=choose.choice((0, 20, 29, 30, 31, 60, 90, 120)))

    papers = []
    for number in range(choose.randint(1, 4)):
        sender, recipient = choose.sample(PARTNERS, 2) if choose.random() < 0.3 else PARTNERS[:2]
        papers.append(
            Paper(
                name=f"grant-{number}",
                consent=f"consent-{choose.choice((number, number, 0))}",
                sender=sender,
                recipient=recipient,
                purpose=choose.choice(("support", "support", "housing")),
                categories=frozenset(choose.sample(CATEGORIES, choose.randint(1, 3))),
                refused=choose.random() < 0.15,
                given_at=moment(),
                recorded_at=moment(),
                day_only=choose.random() < 0.4,
            )
        )
    consents = [paper.consent for paper in papers]
    withdrawals = []
    for _ in range(choose.randint(1, 3)):
        kind = choose.choice(("consent", "consent", "client", "client", "everything"))
        parts = frozenset(choose.sample(CATEGORIES, 2)) if choose.random() < 0.4 and kind != "everything" else None
        by_consent = kind == "consent"
        withdrawals.append(
            Told(
                received_at=moment(),
                consent=choose.choice(consents) if by_consent else None,
                by=choose.choice(PARTNERS),
                everything=kind == "everything",
                alone=by_consent and choose.random() < 0.25,
                categories=parts,
            )
        )
    return papers, withdrawals


def by_the_rules(case: Case, choose: random.Random) -> dict[str, set[str]]:
    """The categories that remain by the rules, in any order of entry in which a consent is there before it is named."""
    papers, withdrawals = case
    grants: list[Grant] = []
    recorded: list[RecordedWithdrawal] = []
    for act in _order(papers, withdrawals, choose):
        if isinstance(act, Told):
            grants = _withdrawn(act, grants, recorded)
        else:
            new = [_grant(paper) for paper in act]
            grants += changed(new, take_back_all(new, recorded, NOW))
    return {
        grant.grant_id: set()
        if grant.answer == "refused"
        else {CATEGORIES[number] for number in set(grant.category_ids) - withdrawn_categories(grant, grant.changes)}
        for grant in grants
    }


def _order(papers: Sequence[Paper], withdrawals: Sequence[Told], choose: random.Random) -> list[list[Paper] | Told]:
    consents: dict[str, list[Paper]] = {}
    for paper in papers:
        consents.setdefault(paper.consent, []).append(paper)
    order: list[list[Paper] | Told] = [*consents.values()]
    choose.shuffle(order)
    for told in choose.sample(list(withdrawals), len(withdrawals)):
        first = 0 if told.consent is None else 1 + order.index(consents[told.consent])
        order.insert(choose.randint(first, len(order)), told)
    return order


def _grant(paper: Paper) -> Grant:
    return Grant(
        grant_id=paper.name,
        consent_id=paper.consent,
        sender_id=PARTNERS.index(paper.sender),
        recipient_id=PARTNERS.index(paper.recipient),
        purpose_id=("support", "housing").index(paper.purpose),
        category_ids=tuple(sorted(CATEGORIES.index(category) for category in paper.categories)),
        explicit=False,
        answer="refused" if paper.refused else "given",
        valid_from=paper.given_at,
        valid_until=NOW + timedelta(days=1),
        given_at=paper.given_at,
        given_at_precision="day" if paper.day_only else "instant",
        recorded_at=paper.recorded_at,
    )


def _withdrawn(told: Told, grants: Sequence[Grant], recorded: list[RecordedWithdrawal]) -> list[Grant]:
    asked = ProposedWithdrawal(
        target="client" if told.consent is None else "consent",
        name=told.consent or "K",
        channel="phone",
        everything=told.everything,
        only_this_consent=told.alone,
        category_ids=None if told.categories is None else frozenset(map(CATEGORIES.index, told.categories)),
    )
    named = [grant for grant in grants if grant.consent_id == told.consent]
    coverage = coverage_of(asked, named, PARTNERS.index(told.by))
    withdrawal = RecordedWithdrawal(f"w-{len(recorded)}", told.received_at, coverage)
    recorded.append(withdrawal)
    by_name = withdraw(named, told.received_at, NOW, asked.category_ids)
    others = [grant for grant in grants if grant.consent_id != told.consent]
    return changed(grants, [*by_name, *take_back(others, withdrawal, NOW)])


def differences(oracle: Callable[..., Mapping[str, set[str]]], cases: int) -> list[Case]:
    """The cases in which the rules leave something else than the oracle."""
    choose = random.Random(7)
    found = []
    for _ in range(cases):
        case = generated(choose)
        if by_the_rules(case, choose) != dict(oracle(*case)):
            found.append(case)
    return found


def test_what_is_left_is_what_the_oracle_leaves() -> None:
    """In thousands of histories, recorded in random orders; in many something is left, in many something is taken."""
    assert differences(left, CASES) == []
    choose = random.Random(7)
    outcomes = [left(*generated(choose)) for _ in range(500)]
    assert sum(any(outcome.values()) for outcome in outcomes) > 100
    assert sum(not all(outcome.values()) for outcome in outcomes) > 100


@pytest.mark.parametrize("mistake", MUTANTS)
def test_a_mistake_that_is_switched_on_is_caught(mistake: str) -> None:
    """Control: an oracle that lacks one check differs."""
    right, wrong = MUTANTS[mistake]
    text = Path(withdrawal_oracle.__file__).read_text(encoding="utf-8")
    assert text.count(right) == 1, text.count(right)
    names: dict[str, Any] = {"__name__": "wrong_oracle"}
    exec(compile(text.replace(right, wrong), mistake, "exec"), names)  # noqa: S102 - our own text
    assert differences(names["left"], CASES_OF_A_MUTANT)
