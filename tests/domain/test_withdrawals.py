"""Which grants and categories a withdrawal covers, and which flows continue."""

from collections.abc import Sequence
from datetime import datetime
from itertools import permutations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_registry.domain.grants import Grant, permitted_categories, status_of
from consent_registry.domain.withdrawals import (
    Coverage,
    CoveredFlows,
    EveryFlow,
    FlowsOfPartner,
    NamedAlone,
    ProposedWithdrawal,
    RecordedWithdrawal,
    Withdrawn,
    can_be_withdrawn,
    coverage_of,
    covered_categories,
    covers_flow,
    joined,
    still_given,
    take_back,
    take_back_all,
    was_given_until,
    withdraw,
)
from consent_registry.domain.withdrawals import changed as changed_by
from tests.domain.cases import CONTACT, FAMILY, IDENTITY, MICROSECOND, SUPPORT, change, changed, day, grant, partner

AWO, JOBCENTER, OTHER = partner(1), partner(2), partner(3)


def _after(withdrawn: Withdrawn) -> frozenset[int]:
    return permitted_categories(changed(withdrawn.grant, *withdrawn.grant.changes, withdrawn.change), day(10))


def test_a_withdrawal_takes_everything() -> None:
    """A withdrawal without categories withdraws the whole grant, with the times of receipt and of recording."""
    own = grant(AWO, JOBCENTER, IDENTITY, CONTACT)
    (withdrawn,) = withdraw([own], day(8), day(10))
    assert (withdrawn.change.effective_at, withdrawn.change.recorded_at) == (day(8), day(10))
    assert _after(withdrawn) == frozenset()


def test_a_withdrawal_of_one_category_leaves_the_rest() -> None:
    """A withdrawal of categories covers only those that the grant has and that are not withdrawn yet."""
    own = grant(AWO, JOBCENTER, IDENTITY, CONTACT, FAMILY)
    earlier = changed(own, change("withdrawn", 1, category_ids=frozenset({IDENTITY.category_id})))
    chosen = frozenset({IDENTITY.category_id, CONTACT.category_id, 99})
    (withdrawn,) = withdraw([earlier], day(10), day(10), chosen)
    assert withdrawn.change.category_ids == frozenset({CONTACT.category_id})
    assert _after(withdrawn) == {FAMILY.category_id}


def test_what_is_gone_cannot_be_withdrawn_again() -> None:
    """Refused, withdrawn, ended, expired and void grants, and withdrawn categories, are left out."""
    live = grant(AWO, JOBCENTER, IDENTITY, CONTACT)
    gone = [
        grant(AWO, JOBCENTER, IDENTITY, answer="refused"),
        *(changed(live, change(kind, 1)) for kind in ("withdrawn", "ended", "invalidated")),
        grant(AWO, JOBCENTER, IDENTITY, valid_until=day(5)),
    ]
    assert withdraw(gone, day(10), day(10)) == []
    assert not any(can_be_withdrawn(grant, day(10)) for grant in gone)
    part = changed(live, change("withdrawn", 1, category_ids=frozenset({IDENTITY.category_id})))
    assert withdraw([part], day(10), day(10), frozenset({IDENTITY.category_id})) == []


def test_what_could_still_be_confirmed_can_be_withdrawn() -> None:
    """A withdrawn request stays withdrawn, even if its sender confirms it later."""
    asked = grant(AWO, JOBCENTER, IDENTITY, answer="requested")
    (withdrawn,) = withdraw([asked], day(10), day(10))
    confirmed = changed(asked, withdrawn.change, change("confirmed", 11))
    assert status_of(confirmed, day(12), day(12)) == "withdrawn"


def test_a_grant_that_has_not_begun_can_be_withdrawn() -> None:
    """A grant can be withdrawn before it begins."""
    later = grant(AWO, JOBCENTER, IDENTITY, valid_from=day(50))
    assert len(withdraw([later], day(10), day(10))) == 1


def test_nobody_is_misled_about_what_goes_on() -> None:
    """A withdrawal names the live grants of other consents for the same flow, and no others."""
    own = grant(AWO, JOBCENTER, IDENTITY)
    same_consent = grant(AWO, JOBCENTER, CONTACT, grant_id="sibling")
    elsewhere = grant(AWO, JOBCENTER, IDENTITY, grant_id="other", consent_id="consent-2")
    dead = changed(grant(AWO, JOBCENTER, IDENTITY, grant_id="dead", consent_id="consent-3"), change("ended", 1))
    reverse = grant(JOBCENTER, AWO, IDENTITY, grant_id="reverse", consent_id="consent-2")
    purpose = grant(AWO, JOBCENTER, IDENTITY, grant_id="purpose", consent_id="consent-2", purpose_id=99)
    third = grant(AWO, OTHER, IDENTITY, grant_id="third", consent_id="consent-2")
    everything = [own, same_consent, elsewhere, dead, reverse, purpose, third]
    withdrawn = withdraw([own], day(10), day(10))

    def given_after(named: list[Grant], coverage: Coverage) -> list[str]:
        return [found.grant_id for found in still_given(everything, named, coverage, withdrawn, day(10))]

    assert given_after([own], NamedAlone()) == ["other"]
    assert given_after([own], CoveredFlows({own.flow: frozenset({1})})) == ["other"]
    assert given_after([], NamedAlone()) == []
    # By client no consent is named: whatever it covers and still permits is told, what it withdrew is not.
    assert given_after([], FlowsOfPartner(OTHER.partner_id)) == ["third"]
    assert given_after([], EveryFlow()) == ["sibling", "other", "reverse", "purpose", "third"]
    refused = grant(AWO, JOBCENTER, IDENTITY, answer="refused", consent_id="consent-4")
    assert given_after([refused], NamedAlone()) == []
    assert elsewhere.purpose_id == SUPPORT.purpose_id


GIVEN = {"given_at": day(5), "recorded_at": day(7)}


def test_what_was_given_until_the_receipt_is_taken_back() -> None:
    """The moment of receipt itself counts as before; a moment later does not."""
    own = grant(AWO, JOBCENTER, IDENTITY, **GIVEN)
    assert was_given_until(own, day(5))
    assert was_given_until(own, day(6))
    assert not was_given_until(own, day(5) - MICROSECOND)


def test_a_time_ahead_of_the_clock_counts_as_the_recording() -> None:
    """A paper whose date is later than its recording was given when it was recorded."""
    ahead = grant(AWO, JOBCENTER, IDENTITY, given_at=day(9), recorded_at=day(7))
    assert was_given_until(ahead, day(7))
    assert not was_given_until(ahead, day(7) - MICROSECOND)
    assert not was_given_until(grant(AWO, JOBCENTER, IDENTITY, given_at=day(9)), day(8))


@pytest.mark.parametrize(
    ("given", "received", "before"),
    [
        ("2026-11-20T20:00:00Z", "2026-11-20T08:00:00Z", True),
        ("2026-11-20T22:59:59Z", "2026-11-19T23:00:00Z", True),
        ("2026-11-20T23:00:00Z", "2026-11-20T22:59:59Z", False),
        ("2026-07-20T22:00:00Z", "2026-07-20T21:59:59Z", False),
        ("2026-07-20T21:59:59Z", "2026-07-19T22:00:00Z", True),
        ("2026-11-19T12:00:00Z", "2026-11-20T08:00:00Z", True),
    ],
)
def test_a_paper_with_a_day_and_no_hour_counts_for_its_german_day(given: str, received: str, before: bool) -> None:
    """Its day in Germany, summer and winter, is compared with that of the receipt; the same day counts as before."""
    given_at, received_at = datetime.fromisoformat(given), datetime.fromisoformat(received)
    paper = grant(AWO, JOBCENTER, IDENTITY, given_at=given_at, given_at_precision="day")
    assert was_given_until(paper, received_at) is before


def test_nobody_knows_when_it_was_given() -> None:
    """A grant without a time is taken back: the withdrawal is the last word that anybody knows of."""
    assert was_given_until(grant(AWO, JOBCENTER, IDENTITY), day(-1000))


WHOLE = frozenset({IDENTITY.category_id, CONTACT.category_id})
PART = frozenset({CONTACT.category_id})


def _asked(**members: object) -> ProposedWithdrawal:
    return ProposedWithdrawal(**{"target": "consent", "name": "consent-1", "channel": "phone"} | members)  # type: ignore[arg-type]


def test_a_withdrawal_covers_what_it_names() -> None:
    """By consent or code the flows and categories of what was named, whatever has become of it, and nothing refused."""
    own = grant(AWO, JOBCENTER, IDENTITY, CONTACT)
    gone = changed(grant(AWO, OTHER, IDENTITY, grant_id="gone"), change("withdrawn", 1))
    refused = grant(JOBCENTER, AWO, IDENTITY, answer="refused", grant_id="refused")
    more = grant(AWO, JOBCENTER, FAMILY, grant_id="more")
    named = [own, gone, refused, more]
    whole = CoveredFlows({own.flow: WHOLE | {FAMILY.category_id}, gone.flow: frozenset({IDENTITY.category_id})})
    for target in ("consent", "receipt_code"):
        assert coverage_of(_asked(target=target), named, 1) == whole
        assert coverage_of(_asked(target=target, only_this_consent=True), named, 1) == NamedAlone()
    assert coverage_of(_asked(category_ids=PART), named, 1) == CoveredFlows({own.flow: PART})
    by_grants = _asked(target="client", grant_ids=("grant-1",))
    assert coverage_of(by_grants, [own], 1) == CoveredFlows({own.flow: WHOLE})


def test_a_withdrawal_by_client_covers_the_partners_flows_or_everything() -> None:
    """By client it names no paper: it covers all flows of who took it, or those categories; `everything` all flows."""
    own = grant(AWO, JOBCENTER, IDENTITY, CONTACT)
    assert coverage_of(_asked(target="client"), [own], 7) == FlowsOfPartner(7)
    assert coverage_of(_asked(target="client", category_ids=PART), [own], 7) == FlowsOfPartner(7, PART)
    for target in ("client", "receipt_code"):
        assert coverage_of(_asked(target=target, everything=True), [own], 7) == EveryFlow()
    names = [
        _asked().names_papers,
        _asked(target="receipt_code").names_papers,
        _asked(target="client", grant_ids=("grant-1",)).names_papers,
        _asked(target="client", release_ids=("release-1",)).names_papers,
    ]
    assert names == [True] * 4
    assert not _asked(target="client").names_papers
    assert not _asked(target="receipt_code", everything=True).names_papers


@pytest.mark.parametrize(
    ("coverage", "covered", "of_flow"),
    [
        (EveryFlow(), WHOLE, True),
        (FlowsOfPartner(1), WHOLE, True),
        (FlowsOfPartner(2), WHOLE, True),
        (FlowsOfPartner(2, PART), PART, True),
        (FlowsOfPartner(2, frozenset({99})), frozenset(), True),
        (FlowsOfPartner(3), frozenset(), False),
        (CoveredFlows({(1, 2, SUPPORT.purpose_id): PART | {99}}), PART, True),
        (CoveredFlows({(2, 1, SUPPORT.purpose_id): PART}), frozenset(), False),
        (CoveredFlows({(1, 2, 99): PART}), frozenset(), False),
        (CoveredFlows({}), frozenset(), False),
        (NamedAlone(), frozenset(), False),
    ],
)
def test_what_is_covered_of_a_grant(coverage: Coverage, covered: frozenset[int], of_flow: bool) -> None:
    """Its categories as far as the withdrawal covers them, in its own flow only."""
    own = grant(AWO, JOBCENTER, IDENTITY, CONTACT)
    assert covered_categories(coverage, own) == covered
    assert covers_flow(coverage, own) is of_flow


def test_taking_back_strikes_what_is_covered() -> None:
    """Whole grants as a whole, parts as parts; what is not covered, given later or gone is left out."""
    withdrawal = RecordedWithdrawal("w", day(6), CoveredFlows({(1, 2, SUPPORT.purpose_id): WHOLE}))
    whole = grant(AWO, JOBCENTER, IDENTITY, CONTACT, **GIVEN)
    broader = grant(AWO, JOBCENTER, IDENTITY, FAMILY, grant_id="broader", **GIVEN)
    later = grant(AWO, JOBCENTER, IDENTITY, grant_id="later", given_at=day(6) + MICROSECOND)
    gone = changed(grant(AWO, JOBCENTER, IDENTITY, grant_id="gone", **GIVEN), change("withdrawn", 1))
    apart = grant(JOBCENTER, AWO, IDENTITY, grant_id="apart", **GIVEN)
    found = take_back([whole, broader, later, gone, apart], withdrawal, day(10))
    assert [(item.grant.grant_id, item.change.category_ids, item.withdrawal_id) for item in found] == [
        ("grant-1", None, "w"),
        ("broader", frozenset({IDENTITY.category_id}), "w"),
    ]
    assert {(item.change.effective_at, item.change.recorded_at) for item in found} == {(day(6), day(10))}


def test_the_first_receipt_takes_back_first() -> None:
    """Of several withdrawals on record each takes what those received before it left, in whatever order they come."""
    paper = grant(AWO, JOBCENTER, IDENTITY, CONTACT, FAMILY, **GIVEN)
    first = RecordedWithdrawal("z", day(6), FlowsOfPartner(1, PART))
    second = RecordedWithdrawal("a", day(8), FlowsOfPartner(2, WHOLE))
    third = RecordedWithdrawal("b", day(9), EveryFlow())
    for order in permutations((first, second, third)):
        found = take_back_all([paper], order, day(10))
        assert [(item.withdrawal_id, item.change.category_ids) for item in found] == [
            ("z", PART),
            ("a", frozenset({IDENTITY.category_id})),
            ("b", None),
        ]
        assert status_of(changed_by([paper], found)[0], day(10), day(10)) == "withdrawn"
    again = take_back_all([paper], [third, msgspec.structs.replace(third, withdrawal_id="a")], day(10))
    assert [item.withdrawal_id for item in again] == ["a"]


def test_changes_are_added_to_their_grants() -> None:
    """Each grant keeps its own changes, and gets those that were made to it."""
    plain = grant(AWO, JOBCENTER, IDENTITY)
    broad = changed(grant(AWO, OTHER, IDENTITY, grant_id="broad"), change("restricted", 1))
    item = Withdrawn(plain, change("withdrawn", 2))
    assert changed_by([plain, broad], [item]) == [changed(plain, change("withdrawn", 2)), broad]
    twice = [Withdrawn(broad, change("withdrawn", 2)), Withdrawn(broad, change("withdrawn", 3))]
    (both,) = changed_by([broad], twice)
    assert [(found.kind, found.effective_at) for found in both.changes] == [
        ("restricted", day(1)),
        ("withdrawn", day(2)),
        ("withdrawn", day(3)),
    ]


def test_a_link_makes_one_change_of_a_grant_from_one_moment_on() -> None:
    """What several withdrawals of one moment take is one change; of other moments, and of other grants, others."""
    plain, broad = grant(AWO, JOBCENTER, IDENTITY, CONTACT), grant(AWO, OTHER, IDENTITY, grant_id="broad")

    def item(of: Grant, effective: float, *categories: int) -> Withdrawn:
        return Withdrawn(of, change("withdrawn", effective, category_ids=frozenset(categories) or None))

    found = joined([item(plain, 1, 1), item(plain, 1, 2), item(plain, 2, 3), item(broad, 1, 1), item(broad, 1)])
    assert [(i.grant.grant_id, i.change.effective_at, i.change.category_ids) for i in found] == [
        ("grant-1", day(1), frozenset({1, 2})),
        ("grant-1", day(2), frozenset({3})),
        ("broad", day(1), None),
    ]
    assert joined([item(plain, 1), item(plain, 1, 2)])[0].change.category_ids is None


CATEGORIES = (IDENTITY, CONTACT, FAMILY)
PAPERS = st.builds(
    lambda number, sender, given, recorded, chosen, precision: grant(
        AWO if sender else JOBCENTER,
        JOBCENTER if sender else AWO,
        *sorted(chosen, key=lambda category: category.category_id),
        grant_id=f"grant-{number}",
        consent_id=f"consent-{number}",
        given_at=day(given),
        recorded_at=day(recorded),
        given_at_precision=precision,
    ),
    *(st.integers(0, 99), st.booleans(), st.sampled_from((1, 2, 2.3, 3)), st.sampled_from((2, 3))),
    *(st.sets(st.sampled_from(CATEGORIES), min_size=1), st.sampled_from(("instant", "day"))),
)
FLOW = (1, 2, SUPPORT.purpose_id)
PARTS = st.frozensets(st.sampled_from([category.category_id for category in CATEGORIES]), min_size=1)
COVERAGES = (
    st.just(EveryFlow())
    | st.just(NamedAlone())
    | st.builds(FlowsOfPartner, st.sampled_from((1, 2, 3)), st.none() | PARTS)
    | PARTS.map(lambda parts: CoveredFlows({FLOW: parts}))
)
ACTS = st.lists(
    PAPERS | st.builds(RecordedWithdrawal, st.just("w"), st.sampled_from((1, 2, 2.5, 3)).map(day), COVERAGES),
    min_size=2,
    max_size=4,
)


def _outcome(acts: Sequence[Grant | RecordedWithdrawal]) -> dict[str, frozenset[int]]:
    """The categories of each paper that remain after these acts were recorded in this order."""
    papers: list[Grant] = []
    withdrawals: list[RecordedWithdrawal] = []
    for act in acts:
        if isinstance(act, Grant):
            papers += changed_by([act], take_back_all([act], withdrawals, day(10)))
        else:
            papers = changed_by(papers, take_back(papers, act, day(10)))
            withdrawals.append(act)
    return {paper.grant_id: permitted_categories(paper, day(10)) for paper in papers}


@given(ACTS)
@settings(max_examples=150, deadline=None)
def test_the_order_of_entry_does_not_matter(acts: list[Grant | RecordedWithdrawal]) -> None:
    """The same papers and withdrawals, recorded in every order, leave the same."""
    numbered = [
        msgspec.structs.replace(act, grant_id=f"grant-{number}") if isinstance(act, Grant) else act
        for number, act in enumerate(acts)
    ]
    outcomes = [_outcome(order) for order in permutations(numbered)]
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_an_order_that_matters_would_be_found() -> None:
    """Control: a registry that compares no paper with earlier withdrawals ends differently by the order of entry."""
    paper = grant(AWO, JOBCENTER, IDENTITY, **GIVEN)
    withdrawal = RecordedWithdrawal("w", day(8), EveryFlow())
    assert _outcome([paper, withdrawal]) == _outcome([withdrawal, paper]) == {"grant-1": frozenset()}
    assert permitted_categories(paper, day(10)) == {IDENTITY.category_id}
