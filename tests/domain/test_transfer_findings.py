"""Which transfers become findings: at exact boundaries, by table, and against a second implementation."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_registry.domain.decisions import Outcome
from consent_registry.domain.findings import CLOCKS_DIFFER, Finding, FindingKind
from consent_registry.domain.transfer_findings import (
    RecordedDecision,
    SentTransfer,
    StopKind,
    StoppingChange,
    UsedGrant,
    judge_transfer,
)

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
STEP = timedelta(microseconds=1)
MINUTES = timedelta(minutes=1)
EXPIRES = AT + 5 * MINUTES
ALL = frozenset({"a", "b"})


def decided(
    permitted: str = "ab", *, outcome: Outcome = "permit", statutory: str = "", grants: str = "g", **members: datetime
) -> RecordedDecision:
    """A decision about categories named by letters, on grants named by letters."""
    return RecordedDecision(
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


def sent(categories: str = "ab", at: datetime = AT, reported_at: datetime = AT + 4 * MINUTES) -> SentTransfer:
    """A transfer of categories named by letters."""
    return SentTransfer("t", "d", tuple(categories), at, reported_at)


def stopped(
    at: datetime,
    recorded_at: datetime | None = None,
    categories: frozenset[str] = ALL,
    kind: StopKind = "withdrawn",
    of: str = "",
) -> StoppingChange:
    """A stop of a grant, by default a withdrawal that was recorded at once."""
    return StoppingChange(categories, at, recorded_at or at, kind, of)


def kinds(findings: list[Finding]) -> list[str]:
    """The kinds of findings, in order."""
    return [finding.kind for finding in findings]


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
    """A transfer beyond its permit, or without one, is a finding; statutory categories never are."""
    found = judge_transfer(
        sent(categories), decided(permitted, outcome=outcome, statutory=statutory, grants=""), NOTHING
    )
    assert kinds(found) == ([] if kind is None else [kind])
    for finding in found:
        assert (finding.surplus, finding.categories) == (tuple(surplus), tuple(categories))
        assert (finding.decision_id, finding.log_index, finding.client_id, finding.finding_id) == (
            "d",
            7,
            "c",
            f"{kind}:t",
        )
        assert finding.known_at == finding.times["reported_at"] == AT + 4 * MINUTES
        assert finding.times["transferred_at"] == finding.times["decided_at"] == AT
        assert (finding.times["expires_at"], finding.numbers, finding.consent_id) == (EXPIRES, {}, None)


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
    assert [finding.categories for finding in found] == [("a", "b")] * len(found)


@pytest.mark.parametrize("at", [at for at, _ in TIMES])
def test_where_nothing_was_permitted_no_time_counts(at: datetime) -> None:
    """Categories without a permit cannot be early or late."""
    refused = decided("", outcome="no_permission", grants="")
    assert kinds(judge_transfer(sent("a", at), refused, NOTHING)) == ["transfer_without_permit"]
    assert kinds(judge_transfer(sent("x", at), decided("ab"), NOTHING)) == ["transfer_broader"]


def test_only_what_was_permitted_is_late() -> None:
    """A late and too broad transfer makes two findings, each with its own categories."""
    late, broader = judge_transfer(sent("ax", EXPIRES), decided(), NOTHING)[::-1]
    assert (late.kind, late.categories, late.surplus) == ("transfer_after_expiry", ("a",), ())
    assert (broader.kind, broader.categories, broader.surplus) == ("transfer_broader", ("a", "x"), ("x",))


RECEIVED = AT + MINUTES


@pytest.mark.parametrize("step", [-1, 0, 1])
@pytest.mark.parametrize("gap", [timedelta(0), 2 * MINUTES, timedelta(days=2)])
def test_the_moment_of_receipt_counts(step: int, gap: timedelta) -> None:
    """A transfer at or after the receipt of a withdrawal is a finding, whenever the withdrawal was recorded; a
    microsecond before it is none. It is known once report and withdrawal are recorded.
    """
    grants = {"g": UsedGrant(ALL, (stopped(RECEIVED, RECEIVED + gap),))}
    found = judge_transfer(sent("ab", RECEIVED + step * STEP), decided(), grants)
    assert kinds(found) == ([] if step < 0 else ["transfer_after_withdrawal"])
    for finding in found:
        assert finding.known_at == max(AT + 4 * MINUTES, RECEIVED + gap)
        assert (finding.times["received_at"], finding.times["recorded_at"]) == (RECEIVED, RECEIVED + gap)
        assert finding.categories == ("a", "b")


def test_only_withdrawn_categories_count() -> None:
    """A withdrawal of one category affects only that category of a transfer."""
    only_a = {"g": UsedGrant(ALL, (stopped(AT, categories=frozenset("a")),))}
    (found,) = judge_transfer(sent("ba"), decided(), only_a)
    assert found.categories == ("a",)
    assert judge_transfer(sent("b"), decided(), only_a) == []
    assert kinds(judge_transfer(sent("x"), decided(), only_a)) == ["transfer_broader"]


def test_a_grant_that_still_holds_carries_the_category() -> None:
    """A category is a finding only if every used grant with it was stopped."""
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
    """Grants deleted by retention make no finding."""
    assert judge_transfer(sent(), decided(grants="gh"), {}) == []


def test_the_word_known_first_makes_the_finding() -> None:
    """Of two withdrawals before a transfer the one recorded first is named; a later receipt does not count."""
    first, second = stopped(AT, AT + 5 * MINUTES), stopped(AT - MINUTES, AT + 6 * MINUTES)
    after = stopped(AT + STEP, AT + STEP)
    (found,) = judge_transfer(sent(), decided(), {"g": UsedGrant(ALL, (after, second, first))})
    assert (found.times["received_at"], found.known_at) == (AT, AT + 5 * MINUTES)


@pytest.mark.parametrize("recorded_at", [AT - MINUTES, AT + 3 * MINUTES, AT + timedelta(days=9)])
@pytest.mark.parametrize("given_at", [AT - timedelta(days=9), AT, AT + STEP])
def test_a_void_grant_counts_whenever_something_was_sent(given_at: datetime, recorded_at: datetime) -> None:
    """A transfer on a void grant is a finding at any time, known once report and invalidation are recorded."""
    grants = {"g": UsedGrant(ALL, (stopped(given_at, recorded_at, kind="invalidated"),))}
    (found,) = judge_transfer(sent("ab"), decided(), grants)
    assert (found.kind, found.categories, found.finding_id) == (
        "transfer_on_void_grant",
        ("a", "b"),
        "transfer_on_void_grant:t",
    )
    assert found.known_at == max(AT + 4 * MINUTES, recorded_at)
    assert (found.times["effective_at"], found.times["recorded_at"]) == (given_at, recorded_at)
    assert "received_at" not in found.times
    assert judge_transfer(sent("x"), decided("abx"), grants) == []


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_an_ending_counts_from_its_moment(step: int) -> None:
    """A transfer at or after an ending is a finding; a microsecond before it is none."""
    grants = {"g": UsedGrant(ALL, (stopped(RECEIVED, kind="ended"),))}
    found = judge_transfer(sent("ab", RECEIVED + step * STEP), decided(), grants)
    assert kinds(found) == ([] if step < 0 else ["transfer_after_ending"])
    assert [finding.times["effective_at"] for finding in found] == [RECEIVED] * len(found)


LIFTED = RECEIVED + 2 * MINUTES
RESTRICTED: list[tuple[datetime, bool]] = [
    (RECEIVED - STEP, False),
    (RECEIVED, True),
    (LIFTED - STEP, True),
    (LIFTED, False),
    (LIFTED + STEP, False),
    (LIFTED + MINUTES - STEP, False),
    (LIFTED + MINUTES, True),
]


@pytest.mark.parametrize(("at", "is_restricted"), RESTRICTED)
def test_a_restriction_counts_until_it_is_lifted(at: datetime, *, is_restricted: bool) -> None:
    """A transfer under a restriction is a finding from its moment until its lifting; a second restriction counts by
    itself.
    """
    stops = [stopped(RECEIVED, kind="restricted"), stopped(LIFTED, kind="unrestricted")]
    again = stopped(LIFTED + MINUTES, kind="restricted")
    for order in ((*stops, again), (again, *reversed(stops))):
        found = judge_transfer(sent("ab", at), decided(), {"g": UsedGrant(ALL, order)})
        assert kinds(found) == (["transfer_under_restriction"] if is_restricted else [])
        for finding in found:
            assert finding.times["effective_at"] == (RECEIVED if at < LIFTED else LIFTED + MINUTES)


@pytest.mark.parametrize(
    "lifting",
    [
        stopped(LIFTED, categories=frozenset("b"), kind="unrestricted"),
        stopped(LIFTED, kind="unrestricted", of="other"),
        stopped(RECEIVED - STEP, kind="unrestricted"),
        stopped(EXPIRES, kind="unrestricted"),
    ],
)
def test_what_does_not_lift_a_restriction(lifting: StoppingChange) -> None:
    """A lifting of another category, of another grant, before the restriction, or after the transfer does not count."""
    restriction = stopped(RECEIVED, kind="restricted")
    (found,) = judge_transfer(sent("a", LIFTED), decided(), {"g": UsedGrant(ALL, (restriction, lifting))})
    assert (found.kind, found.categories) == ("transfer_under_restriction", ("a",))
    # A lifting takes nothing away, and lifts nothing but restrictions.
    assert judge_transfer(sent("a", EXPIRES - STEP), decided(), {"g": UsedGrant(ALL, (lifting,))}) == []
    gone = {"g": UsedGrant(ALL, (stopped(AT),)), "h": UsedGrant(ALL, (lifting,))}
    assert judge_transfer(sent("a", EXPIRES - STEP), decided(grants="gh"), gone) == []
    for kind in ("withdrawn", "ended", "invalidated"):
        both = (stopped(RECEIVED - MINUTES, kind=kind), stopped(RECEIVED, kind="unrestricted"))
        assert len(judge_transfer(sent("a", LIFTED), decided(), {"g": UsedGrant(ALL, both)})) == 1


def test_a_lifting_at_the_same_moment_lifts() -> None:
    """A restriction lifted at its own moment never applied."""
    both = (stopped(RECEIVED, kind="restricted"), stopped(RECEIVED, kind="unrestricted"))
    assert judge_transfer(sent("ab", RECEIVED), decided(), {"g": UsedGrant(ALL, both)}) == []


def test_two_grants_that_fell_in_two_ways() -> None:
    """If two grants were stopped in two ways, there is a finding for each way, known once both grants were stopped;
    while one permits, there is none.
    """
    withdrawn, ended = stopped(AT - MINUTES, AT + 5 * MINUTES), stopped(AT, AT + 6 * MINUTES, kind="ended")
    both = {"g": UsedGrant(ALL, (withdrawn,)), "h": UsedGrant(ALL, (ended,))}
    after, ending = judge_transfer(sent(), decided(grants="gh"), both)
    assert (after.kind, ending.kind) == ("transfer_after_withdrawal", "transfer_after_ending")
    assert after.known_at == ending.known_at == AT + 6 * MINUTES
    assert (after.times["received_at"], after.times["recorded_at"]) == (AT - MINUTES, AT + 5 * MINUTES)
    assert (ending.times["effective_at"], ending.times["recorded_at"]) == (AT, AT + 6 * MINUTES)
    assert judge_transfer(sent(), decided(grants="gh"), both | {"h": UsedGrant(ALL)}) == []
    # Of several that made one fall the first counts.
    again = stopped(AT - MINUTES, AT + 5 * MINUTES + STEP)
    twice = both | {"g": UsedGrant(ALL, (again, withdrawn))}
    assert judge_transfer(sent(), decided(grants="gh"), twice) == [after, ending]
    # Each category is looked at for itself, and the facts are those of the one known first.
    only_a = {"g": UsedGrant(ALL, (stopped(AT, AT + 9 * MINUTES),)), "h": UsedGrant(frozenset("a"), (ended,))}
    after, ending = judge_transfer(sent(), decided(grants="gh"), only_a)
    assert (after.categories, ending.categories) == (("a", "b"), ("a",))
    assert (after.known_at, ending.known_at) == (AT + 9 * MINUTES, AT + 9 * MINUTES)


def test_what_is_recorded_later_changes_no_earlier_finding() -> None:
    """An invalidation weeks after a finding leaves that finding as it was and adds a second one, known from the
    invalidation on.
    """
    withdrawn = stopped(AT, AT + 5 * MINUTES)
    void = stopped(AT - timedelta(days=30), AT + timedelta(days=20), kind="invalidated")
    (before,) = judge_transfer(sent(), decided(), {"g": UsedGrant(ALL, (withdrawn,))})
    first, second = judge_transfer(sent(), decided(), {"g": UsedGrant(ALL, (void, withdrawn))})
    assert first == before
    assert (second.kind, second.known_at) == ("transfer_on_void_grant", AT + timedelta(days=20))
    assert second.times["recorded_at"] == AT + timedelta(days=20)


letters = st.sets(st.sampled_from("abx"), min_size=1).map(lambda chosen: "".join(sorted(chosen)))
instants = st.integers(-3, 8).map(lambda step: AT + step * MINUTES)
LATER = ("withdrawn", "invalidated")
# A withdrawal and an invalidation may be recorded later than they count from; the partners' own acts count at once.
stops = st.builds(
    lambda at, later, categories, kind, of: stopped(
        at, at + later * MINUTES if kind in LATER else at, frozenset(categories), kind, of
    ),
    instants,
    st.integers(0, 3),
    letters,
    st.sampled_from(["withdrawn", "withdrawn", "invalidated", "ended", "restricted", "unrestricted"]),
    st.sampled_from(["", "", "other"]),
)
used_grants = st.dictionaries(
    st.sampled_from("ghi"),
    st.builds(UsedGrant, letters.map(frozenset), st.lists(stops, max_size=3).map(tuple)),
)
outcomes = st.sampled_from(["permit", "partial", "no_permission", "not_consent_based"])


TOLD_AS = {
    "withdrawn": "transfer_after_withdrawal",
    "invalidated": "transfer_on_void_grant",
    "restricted": "transfer_under_restriction",
    "ended": "transfer_after_ending",
}


def ways(grant: UsedGrant, category: str, at: datetime) -> set[str]:
    """The ways in which a grant was stopped for a category at a moment."""
    about = [stop for stop in grant.stops if category in stop.categories]
    found = {"invalidated"} if any(stop.kind == "invalidated" for stop in about) else set()
    by_then = [stop for stop in about if stop.effective_at <= at]
    found |= {stop.kind for stop in by_then if stop.kind in {"withdrawn", "ended"}}
    for of in {stop.of for stop in by_then}:
        words = [stop for stop in by_then if stop.of == of and stop.kind in {"restricted", "unrestricted"}]
        last = max(words, key=lambda decision: (decision.effective_at, decision.kind), default=None)
        if last is not None and last.kind == "restricted":
            found.add("restricted")
    return found


def second_opinion(
    report: SentTransfer, decision: RecordedDecision, grants: Mapping[str, UsedGrant]
) -> set[tuple[str, tuple[str, ...]]]:
    """A second implementation of docs/reconciliation.md, category by category: kinds and their categories."""
    concerned: dict[str, list[str]] = {}
    for category in report.categories if decision.outcome != "not_consent_based" else ():
        if category in decision.permitted:
            if (decision.decided_at - report.transferred_at).total_seconds() > 60:
                concerned.setdefault("transfer_before_permit", []).append(category)
            if not report.transferred_at < decision.expires_at:
                concerned.setdefault("transfer_after_expiry", []).append(category)
            covering = [
                grants[name] for name in decision.grant_ids if name in grants and category in grants[name].categories
            ]
            gone = [ways(each, category, report.transferred_at) for each in covering]
            if covering and all(gone):
                for way in set.union(*gone):
                    concerned.setdefault(TOLD_AS[way], []).append(category)
        elif category not in decision.not_consent_based:
            kind = "transfer_broader" if decision.permitted else "transfer_without_permit"
            concerned.setdefault(kind, []).append(category)
    return {(kind, tuple(clients)) for kind, clients in concerned.items()}


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
    """For any small history the findings agree with the second implementation, and none is known before its report or
    its cause was recorded.
    """
    decision = decided(
        "".join(sorted(permitted)),
        outcome=outcome,
        statutory="".join(sorted(statutory - permitted)),
        grants="ghi",
    )
    report = sent(categories, at, reported_at)
    found = judge_transfer(report, decision, grants)
    assert {(each.kind, each.surplus or each.categories) for each in found} == second_opinion(report, decision, grants)
    assert len({each.finding_id for each in found}) == len(found)
    for each in found:
        assert each.known_at >= reported_at
        # Nobody reports what is yet to be sent, so a lifting that counts for it was there before the report.
        if each.kind in TOLD_AS.values() and (at <= reported_at or not lifts(grants)):
            told = {name: known_by(grant, each.known_at) for name, grant in grants.items()}
            assert each.kind in {kind for kind, _ in second_opinion(report, decision, told)}
            if each.known_at > reported_at:
                before = {name: known_by(grant, each.known_at - STEP) for name, grant in grants.items()}
                assert each.kind not in {kind for kind, _ in second_opinion(report, decision, before)}


def known_by(grant: UsedGrant, at: datetime) -> UsedGrant:
    """The grant with only the stops recorded by a moment."""
    return UsedGrant(grant.categories, tuple(stop for stop in grant.stops if stop.recorded_at <= at))


def lifts(grants: Mapping[str, UsedGrant]) -> bool:
    """Whether a history contains a lifting."""
    return any(stop.kind == "unrestricted" for grant in grants.values() for stop in grant.stops)


def test_the_second_opinion_sees_a_wrong_rule() -> None:
    """Control: judged by recording instead of receipt, a transfer in between would be missed."""
    gap = {"g": UsedGrant(ALL, (stopped(RECEIVED, RECEIVED + 2 * MINUTES),))}
    wrong = {"g": UsedGrant(ALL, (stopped(RECEIVED + 2 * MINUTES),))}
    report = sent("ab", RECEIVED + MINUTES)
    assert {
        (finding.kind, finding.categories) for finding in judge_transfer(report, decided(), wrong)
    } != second_opinion(report, decided(), gap)


def test_the_second_opinion_sees_a_void_grant_judged_by_its_time() -> None:
    """Control: if an invalidation counted from its recording, earlier transfers would be missed."""
    void = {"g": UsedGrant(ALL, (stopped(AT - MINUTES, EXPIRES, kind="invalidated"),))}
    wrong = {"g": UsedGrant(ALL, (stopped(EXPIRES, kind="ended"),))}
    report = sent("ab")
    assert {
        (finding.kind, finding.categories) for finding in judge_transfer(report, decided(), wrong)
    } != second_opinion(report, decided(), void)
