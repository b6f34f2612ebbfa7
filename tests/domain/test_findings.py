"""What is a finding, at the very edges, by table and against a second opinion written from the words of the rules."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.domain.decisions import Outcome
from consent_registry.domain.findings import (
    CLOCKS_DIFFER,
    EVIDENCE_AFTER,
    GROUNDS,
    KINDS,
    REPORT_AFTER,
    SEVERITIES,
    Decided,
    Finding,
    FindingKind,
    Period,
    Permit,
    Sent,
    Stopped,
    UsedGrant,
    judge_transfer,
    on_undone_link,
    order_of,
    pressing_order,
    unproven,
    unreported,
)

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
STEP = timedelta(microseconds=1)
MINUTES = timedelta(minutes=1)
EXPIRES = AT + 5 * MINUTES
ALL = frozenset({"a", "b"})


def decided(
    permitted: str = "ab", *, outcome: Outcome = "permit", statutory: str = "", grants: str = "g", **members: datetime
) -> Decided:
    """A decision about categories named by letters, on grants named by letters."""
    return Decided(
        decision_id="d",
        log_index=7,
        client_id="c",
        outcome=outcome,
        decided_at=members.get("at", AT),
        expires_at=members.get("expires_at", EXPIRES),
        recipient="r",
        purpose="p",
        permitted=tuple(permitted),
        not_consent_based=tuple(statutory),
        grant_ids=tuple(grants),
    )


def sent(categories: str = "ab", at: datetime = AT, reported_at: datetime = AT + 4 * MINUTES) -> Sent:
    """A transfer of categories named by letters."""
    return Sent("t", "d", tuple(categories), at, reported_at)


def stopped(received_at: datetime, recorded_at: datetime | None = None, categories: frozenset[str] = ALL) -> Stopped:
    """A withdrawal, recorded when it was received unless said otherwise."""
    return Stopped(categories, received_at, recorded_at or received_at)


def kinds(some: list[Finding]) -> list[str]:
    """Their kinds in the order told."""
    return [one.kind for one in some]


NOTHING: Mapping[str, UsedGrant] = {"g": UsedGrant(ALL)}
SURPLUS: list[tuple[str, Outcome, str, str, FindingKind | None, str]] = [
    # permitted, outcome, on a statute, sent, kind, surplus
    ("ab", "permit", "", "ab", None, ""),
    ("ab", "permit", "", "a", None, ""),
    ("ab", "permit", "", "abx", "transfer_broader", "x"),
    ("ab", "permit", "", "xay", "transfer_broader", "xy"),
    ("a", "partial", "", "ab", "transfer_broader", "b"),
    ("a", "partial", "b", "ab", None, ""),
    ("a", "partial", "b", "abx", "transfer_broader", "x"),
    ("", "no_permission", "", "a", "transfer_without_permit", "a"),
    ("", "no_permission", "b", "b", None, ""),
    ("", "no_permission", "b", "ab", "transfer_without_permit", "a"),
    ("", "not_consent_based", "ab", "ab", None, ""),
    ("", "not_consent_based", "ab", "abx", None, ""),
]


@pytest.mark.parametrize(("permitted", "outcome", "statutory", "categories", "kind", "surplus"), SURPLUS)
def test_what_was_not_permitted(
    permitted: str, outcome: Outcome, statutory: str, categories: str, kind: FindingKind | None, surplus: str
) -> None:
    """Beyond the permit, or without one; what rests on a statute is never surplus."""
    found = judge_transfer(
        sent(categories), decided(permitted, outcome=outcome, statutory=statutory, grants=""), NOTHING
    )
    assert kinds(found) == ([] if kind is None else [kind])
    for one in found:
        assert (one.surplus, one.categories) == (tuple(surplus), tuple(categories))
        assert (one.decision_id, one.log_index, one.client_id, one.finding_id) == ("d", 7, "c", f"{kind}:t")
        assert one.known_at == one.times["reported_at"] == AT + 4 * MINUTES
        assert one.times["transferred_at"] == one.times["decided_at"] == AT
        assert (one.times["expires_at"], one.numbers, one.consent_id) == (EXPIRES, {}, None)


TIMES: list[tuple[datetime, FindingKind | None]] = [
    (AT - CLOCKS_DIFFER - STEP, "transfer_before_permit"),
    (AT - CLOCKS_DIFFER, None),
    (AT - CLOCKS_DIFFER + STEP, None),
    (AT, None),
    (EXPIRES - STEP, None),
    (EXPIRES, "transfer_after_expiry"),
    (EXPIRES + STEP, "transfer_after_expiry"),
]


@pytest.mark.parametrize(("at", "kind"), TIMES)
def test_before_and_after_the_permit(at: datetime, kind: FindingKind | None) -> None:
    """A permit ends at `expires_at`, to the microsecond; a sender's clock may be a minute behind."""
    found = judge_transfer(sent("ab", at), decided(), NOTHING)
    assert kinds(found) == ([] if kind is None else [kind])
    assert [one.categories for one in found] == [("a", "b")] * len(found)


@pytest.mark.parametrize("at", [at for at, _ in TIMES])
def test_where_nothing_was_permitted_no_time_counts(at: datetime) -> None:
    """Without a permit, and for what goes beyond it, there is none to be early or late for."""
    refused = decided("", outcome="no_permission", grants="")
    assert kinds(judge_transfer(sent("a", at), refused, NOTHING)) == ["transfer_without_permit"]
    assert kinds(judge_transfer(sent("x", at), decided("ab"), NOTHING)) == ["transfer_broader"]


def test_only_what_was_permitted_is_late() -> None:
    """Of a transfer that is late and broader each finding names its own part."""
    late, broader = judge_transfer(sent("ax", EXPIRES), decided(), NOTHING)[::-1]
    assert (late.kind, late.categories, late.surplus) == ("transfer_after_expiry", ("a",), ())
    assert (broader.kind, broader.categories, broader.surplus) == ("transfer_broader", ("a", "x"), ("x",))


RECEIVED = AT + MINUTES


@pytest.mark.parametrize("step", [-1, 0, 1])
@pytest.mark.parametrize("gap", [timedelta(0), 2 * MINUTES, timedelta(days=2)])
def test_the_moment_of_receipt_counts(step: int, gap: timedelta) -> None:
    """Sent at the very moment of receipt or later is a finding, whether the withdrawal was recorded by then or days
    after; sent a microsecond before is none. It is known once both report and withdrawal are.
    """
    grants = {"g": UsedGrant(ALL, (stopped(RECEIVED, RECEIVED + gap),))}
    found = judge_transfer(sent("ab", RECEIVED + step * STEP), decided(), grants)
    assert kinds(found) == ([] if step < 0 else ["transfer_after_withdrawal"])
    for one in found:
        assert one.known_at == max(AT + 4 * MINUTES, RECEIVED + gap)
        assert (one.times["received_at"], one.times["recorded_at"]) == (RECEIVED, RECEIVED + gap)
        assert one.categories == ("a", "b")


def test_only_withdrawn_categories_count() -> None:
    """A withdrawal of one category leaves the other; of something that was not sent, everything."""
    only_a = {"g": UsedGrant(ALL, (stopped(AT, categories=frozenset("a")),))}
    (found,) = judge_transfer(sent("ba"), decided(), only_a)
    assert found.categories == ("a",)
    assert judge_transfer(sent("b"), decided(), only_a) == []
    assert kinds(judge_transfer(sent("x"), decided(), only_a)) == ["transfer_broader"]


def test_a_grant_that_still_holds_carries_the_category() -> None:
    """Where two used grants cover a category, both must have been withdrawn; what others cover does not matter."""
    gone, holds = UsedGrant(ALL, (stopped(AT, AT + MINUTES),)), UsedGrant(frozenset("a"))
    (found,) = judge_transfer(sent(), decided(grants="gh"), {"g": gone, "h": holds})
    assert found.categories == ("b",)
    later = UsedGrant(frozenset("a"), (stopped(AT, AT + 9 * MINUTES),))
    (found,) = judge_transfer(sent("a"), decided(grants="gh"), {"g": gone, "h": later})
    assert (found.categories, found.known_at) == (("a",), AT + 9 * MINUTES)
    (found,) = judge_transfer(sent("ab"), decided(grants="gh"), {"g": gone, "h": later})
    assert (found.categories, found.times["recorded_at"]) == (("a", "b"), AT + MINUTES)
    assert judge_transfer(sent(), decided(grants="h"), {"g": gone, "h": holds}) == []


def test_grants_that_are_gone_tell_nothing() -> None:
    """After retention nobody can say that they were withdrawn."""
    assert judge_transfer(sent(), decided(grants="gh"), {}) == []


def test_the_word_known_first_makes_the_finding() -> None:
    """Of two withdrawals that cover a transfer the one recorded first is told; one received later counts not."""
    first, second = stopped(AT, AT + 5 * MINUTES), stopped(AT - MINUTES, AT + 6 * MINUTES)
    after = stopped(AT + STEP, AT + STEP)
    (found,) = judge_transfer(sent(), decided(), {"g": UsedGrant(ALL, (after, second, first))})
    assert (found.times["received_at"], found.known_at) == (AT, AT + 5 * MINUTES)


letters = st.sets(st.sampled_from("abx"), min_size=1).map(lambda some: "".join(sorted(some)))
instants = st.integers(-3, 8).map(lambda step: AT + step * MINUTES)
stops = st.builds(
    lambda received, later, categories: stopped(received, received + later * MINUTES, frozenset(categories)),
    instants,
    st.integers(0, 3),
    letters,
)
used_grants = st.dictionaries(
    st.sampled_from("ghi"),
    st.builds(UsedGrant, letters.map(frozenset), st.lists(stops, max_size=3).map(tuple)),
)
outcomes = st.sampled_from(["permit", "partial", "no_permission", "not_consent_based"])


def was_withdrawn(grant: UsedGrant, category: str, at: datetime) -> bool:
    """Whether a withdrawal of this category had been received by then."""
    return any(category in one.categories and one.received_at <= at for one in grant.withdrawals)


def second_opinion(report: Sent, one: Decided, grants: Mapping[str, UsedGrant]) -> set[tuple[str, tuple[str, ...]]]:
    """The rules category by category, as docs/reconciliation.md words them: kind and the categories concerned."""
    concerned: dict[str, list[str]] = {}
    for category in report.categories if one.outcome != "not_consent_based" else ():
        if category in one.permitted:
            if (one.decided_at - report.transferred_at).total_seconds() > 60:
                concerned.setdefault("transfer_before_permit", []).append(category)
            if not report.transferred_at < one.expires_at:
                concerned.setdefault("transfer_after_expiry", []).append(category)
            covering = [
                grants[name] for name in one.grant_ids if name in grants and category in grants[name].categories
            ]
            gone = [
                any(
                    category in stop.categories and stop.received_at <= report.transferred_at
                    for stop in each.withdrawals
                )
                for each in covering
            ]
            if covering and all(gone):
                concerned.setdefault("transfer_after_withdrawal", []).append(category)
        elif category not in one.not_consent_based:
            kind = "transfer_broader" if one.permitted else "transfer_without_permit"
            concerned.setdefault(kind, []).append(category)
    return {(kind, tuple(some)) for kind, some in concerned.items()}


@given(
    letters, instants, instants, st.sets(st.sampled_from("ab")), st.sets(st.sampled_from("ab")), outcomes, used_grants
)
def test_small_histories_against_the_second_opinion(
    categories: str,
    at: datetime,
    reported_at: datetime,
    permitted: set[str],
    statutory: set[str],
    outcome: Outcome,
    grants: dict[str, UsedGrant],
) -> None:
    """Whatever was permitted, sent and withdrawn, when and in which order: the same kinds about the same categories,
    and a finding is known neither before its report nor before any word that it needs.
    """
    one = decided(
        "".join(sorted(permitted)),
        outcome=outcome,
        statutory="".join(sorted(statutory - permitted)),
        grants="ghi",
    )
    report = sent(categories, at, reported_at)
    found = judge_transfer(report, one, grants)
    assert {(each.kind, each.surplus or each.categories) for each in found} == second_opinion(report, one, grants)
    assert len({each.finding_id for each in found}) == len(found)
    for each in found:
        assert each.known_at >= reported_at
        if each.kind == "transfer_after_withdrawal":
            told = {name: known_by(one, each.known_at) for name, one in grants.items()}
            assert "transfer_after_withdrawal" in {kind for kind, _ in second_opinion(report, one, told)}
            if each.known_at > reported_at:
                before = {name: known_by(one, each.known_at - STEP) for name, one in grants.items()}
                assert "transfer_after_withdrawal" not in {kind for kind, _ in second_opinion(report, one, before)}


def known_by(grant: UsedGrant, at: datetime) -> UsedGrant:
    """The grant with the withdrawals that were recorded by a moment."""
    return UsedGrant(grant.categories, tuple(one for one in grant.withdrawals if one.recorded_at <= at))


def test_the_second_opinion_sees_a_wrong_rule() -> None:
    """Control: judged by the time of recording instead of receipt, the gap's transfer would be missed."""
    gap = {"g": UsedGrant(ALL, (stopped(RECEIVED, RECEIVED + 2 * MINUTES),))}
    wrong = {"g": UsedGrant(ALL, (stopped(RECEIVED + 2 * MINUTES),))}
    report = sent("ab", RECEIVED + MINUTES)
    assert {(one.kind, one.categories) for one in judge_transfer(report, decided(), wrong)} != second_opinion(
        report, decided(), gap
    )


def test_a_permit_is_due_and_an_evidence_is() -> None:
    """What is overdue is known to be when it fell due, and about its permit, or its consent."""
    permit = Permit("d", 7, "c", AT)
    one = unreported(permit, AT + REPORT_AFTER)
    assert (one.kind, one.finding_id, one.known_at) == ("permit_unreported", "permit_unreported:d", AT + REPORT_AFTER)
    assert one.times == {"decided_at": AT, "due_at": AT + REPORT_AFTER}
    assert (one.decision_id, one.log_index, one.client_id, one.consent_id) == ("d", 7, "c", None)
    other = unproven("k", "c", AT, AT + EVIDENCE_AFTER)
    assert (other.kind, other.finding_id) == ("evidence_missing", "evidence_missing:k")
    assert (other.consent_id, other.client_id, other.decision_id, other.log_index) == ("k", "c", None, None)
    assert other.times == {"recorded_at": AT, "due_at": AT + EVIDENCE_AFTER}
    assert other.known_at == AT + EVIDENCE_AFTER
    third = on_undone_link(permit, "u", AT - MINUTES, AT + MINUTES)
    assert (third.kind, third.known_at) == ("permit_on_undone_link", AT + MINUTES)
    assert third.times == {"decided_at": AT, "linked_at": AT - MINUTES, "unlinked_at": AT + MINUTES}
    assert (third.finding_id, third.decision_id, third.log_index) == ("permit_on_undone_link:d:u", "d", 7)
    again = on_undone_link(permit, "v", AT - MINUTES, AT + 2 * MINUTES)
    assert (again.finding_id, again.decision_id) == ("permit_on_undone_link:d:v", "d")


def test_the_periods_of_grace() -> None:
    """Two weeks for a report and for a paper; a minute between two clocks."""
    assert (timedelta(days=14), timedelta(days=14)) == (REPORT_AFTER, EVIDENCE_AFTER)
    assert timedelta(seconds=60) == CLOCKS_DIFFER


@pytest.mark.parametrize(("at", "inside"), [(AT - STEP, False), (AT, True), (EXPIRES - STEP, True), (EXPIRES, False)])
def test_a_period_ends_before_its_end(at: datetime, *, inside: bool) -> None:
    """So periods that follow each other share nothing and leave nothing out."""
    assert Period(AT, EXPIRES).holds(at) is inside


def test_what_presses_most_comes_first() -> None:
    """By severity, then what became known last, then by id; each kind has its ground."""
    late = unreported(Permit("b", 1, None, AT), AT)
    same = unreported(Permit("a", 1, None, AT), AT)
    later = unreported(Permit("c", 1, None, AT), AT + STEP)
    link = on_undone_link(Permit("d", 1, None, AT), "u", AT, AT + 2 * STEP)
    (urgent,) = judge_transfer(sent("x"), decided(), NOTHING)
    assert sorted([link, late, same, later, urgent], key=pressing_order) == [urgent, later, same, late, link]
    assert order_of(late.ground.severity, late.known_at, late.finding_id) == pressing_order(late)
    assert SEVERITIES == ("urgent", "overdue", "to_clarify")
    assert set(KINDS) == set(FindingKind.__args__)  # type: ignore[attr-defined]
    assert all(GROUNDS[kind].norm for kind in KINDS)


def test_how_much_each_kind_presses() -> None:
    """What was sent against the client's will is urgent, what is late is overdue, and the rest may have its reason."""
    assert {severity: [kind for kind in KINDS if GROUNDS[kind].severity == severity] for severity in SEVERITIES} == {
        "urgent": ["transfer_without_permit", "transfer_after_withdrawal", "transfer_broader"],
        "overdue": ["permit_unreported", "evidence_missing"],
        "to_clarify": [
            "transfer_before_permit",
            "transfer_after_expiry",
            "permit_on_undone_link",
            "lookups_refused",
            "lookups_without_transfer",
            "receipt_codes_guessed",
            "link_codes_guessed",
        ],
    }
    assert {one.severity for one in GROUNDS.values()} == set(SEVERITIES)
