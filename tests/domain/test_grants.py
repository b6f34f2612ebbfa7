"""The status of grants and consents on both time axes, against cases worked out by hand."""

import msgspec
import pytest

from consent_registry.domain import grants
from consent_registry.domain.catalogue import Partner
from consent_registry.domain.grants import (
    Change,
    ChangeKind,
    Grant,
    covers_others,
    end_of_permission,
    lacks_evidence,
    permitted_categories,
    status_of,
    status_of_consent,
    status_since,
)
from tests.domain.cases import (
    CONTACT,
    FAMILY,
    IDENTITY,
    MICROSECOND,
    START,
    change,
    changed,
    day,
    partner,
)
from tests.domain.cases import grant as make

AWO, JOBCENTER, OTHER = partner(1, "awo"), partner(2, "jobcenter"), partner(3, "other")
ONE, TWO, THREE = (frozenset({made.category_id}) for made in (IDENTITY, CONTACT, FAMILY))


@pytest.fixture
def grant() -> Grant:
    """A grant of three categories, valid from day 0 until day 100."""
    return make(AWO, JOBCENTER, IDENTITY, CONTACT, FAMILY)


def test_a_grant_counts_from_its_first_moment_and_not_at_its_last(grant: Grant) -> None:
    """A grant permits from valid_from and no longer at valid_until, to the microsecond."""
    everything = ONE | TWO | THREE
    assert permitted_categories(grant, START - MICROSECOND) == frozenset()
    assert permitted_categories(grant, START) == everything
    assert permitted_categories(grant, day(100) - MICROSECOND) == everything
    assert permitted_categories(grant, day(100)) == frozenset()
    assert (status_of(grant, day(100) - MICROSECOND, day(100)), status_of(grant, day(100), day(100))) == (
        "given",
        "expired",
    )


def test_partial_withdrawals_add_up(grant: Grant) -> None:
    """A grant stays given until its last category is withdrawn."""
    parts = [change("withdrawn", number, category_ids=part) for number, part in ((1, ONE), (2, TWO), (3, THREE))]
    for gone, (status, left) in enumerate(
        [("given", ONE | TWO | THREE), ("given", TWO | THREE), ("given", THREE), ("withdrawn", frozenset())]
    ):
        now = changed(grant, *parts[:gone])
        assert status_of(now, day(9), day(9)) == status
        assert permitted_categories(now, day(9)) == left
    assert status_since(changed(grant, *parts), day(9), day(9)) == day(3)


def test_a_withdrawal_of_a_foreign_category_withdraws_nothing(grant: Grant) -> None:
    """A withdrawal of categories that the grant does not have does not count towards its whole."""
    foreign = changed(grant, change("withdrawn", 1, category_ids=frozenset({7, 8, 9})))
    assert status_of(foreign, day(2), day(2)) == "given"
    assert permitted_categories(foreign, day(2)) == ONE | TWO | THREE


def test_a_whole_withdrawal_after_a_partial_one_ends_the_rest(grant: Grant) -> None:
    """A withdrawal without categories withdraws all remaining ones."""
    whole = changed(grant, change("withdrawn", 1, category_ids=ONE), change("withdrawn", 5))
    assert status_of(whole, day(6), day(6)) == "withdrawn"
    assert permitted_categories(whole, day(6)) == frozenset()


def test_restricted_is_given_but_passes_nothing(grant: Grant) -> None:
    """A restriction (Art. 18 DSGVO) stops transfers of its categories until it is lifted, and does not end
    the grant.
    """
    restricted = changed(grant, change("restricted", 1, category_ids=ONE))
    assert status_of(restricted, day(2), day(2)) == "given"
    assert permitted_categories(restricted, day(2)) == TWO | THREE
    all_of_it = changed(restricted, *restricted.changes, change("restricted", 2))
    assert permitted_categories(all_of_it, day(3)) == frozenset()
    lifted = changed(grant, *all_of_it.changes, change("unrestricted", 3, category_ids=TWO))
    assert permitted_categories(lifted, day(4)) == TWO
    assert permitted_categories(changed(grant, *lifted.changes, change("unrestricted", 4)), day(5)) == ONE | TWO | THREE


def test_the_restriction_recorded_last_is_the_last_word(grant: Grant) -> None:
    """The restriction or lifting recorded last decides, whatever the order of the database's rows."""
    rows = (change("unrestricted", 5), change("restricted", 1))
    assert permitted_categories(changed(grant, *rows), day(6)) == ONE | TWO | THREE


def test_a_renewal_moves_the_end(grant: Grant) -> None:
    """The renewal recorded last sets the grant's end, later or earlier."""
    renewed = changed(grant, change("renewed", 110, valid_until=day(300)))
    assert status_of(renewed, day(105), day(105)) == "expired"
    assert status_of(renewed, day(120), day(120)) == "renewed"
    assert permitted_categories(renewed, day(300) - MICROSECOND) == frozenset()
    assert status_of(renewed, day(300), day(300)) == "expired"
    again = changed(grant, change("renewed", 150, valid_until=day(200)), *renewed.changes)
    assert status_of(again, day(200), day(200)) == "expired"
    assert status_since(again, day(250), day(250)) == day(200)


def test_a_renewed_grant_permits_to_its_own_end_only(grant: Grant) -> None:
    """A renewed grant permits until its own end; after that the renewing grant does. A shorter renewal ends
    it earlier.
    """
    renewed = changed(grant, change("renewed", 50, valid_until=day(300)))
    assert permitted_categories(renewed, day(100) - MICROSECOND) == ONE | TWO | THREE
    assert permitted_categories(renewed, day(100)) == frozenset()
    assert status_of(renewed, day(100), day(100)) == "renewed"
    assert end_of_permission(renewed, renewed.changes) == day(100)
    shorter = changed(grant, change("renewed", 50, valid_until=day(60)))
    assert end_of_permission(shorter, shorter.changes) == day(60)
    assert permitted_categories(shorter, day(60) - MICROSECOND) == ONE | TWO | THREE
    assert permitted_categories(shorter, day(60)) == frozenset()


def test_a_void_renewal_renewed_nothing(grant: Grant) -> None:
    """An undone renewal has no effect on the status, also for past times, but what was known before stays."""
    void = changed(grant, change("renewed", 50, valid_until=day(300)), change("unrenewed", 50, 120))
    assert status_of(void, day(130), day(130)) == "expired"
    assert status_of(void, day(60), day(130)) == "given"
    assert status_of(void, day(60), day(60)) == "renewed"
    again = changed(grant, *void.changes, change("renewed", 125, valid_until=day(400)))
    assert status_of(again, day(130), day(130)) == "renewed"


def test_two_time_axes(grant: Grant) -> None:
    """A withdrawal of day 8 recorded on day 10 counts from day 8, but was not known before day 10."""
    withdrawn = changed(grant, change("withdrawn", 8, 10))
    assert status_of(withdrawn, day(9), day(9)) == "given"  # then, as known then
    assert status_of(withdrawn, day(9), day(11)) == "withdrawn"  # then, as known now
    assert status_of(withdrawn, day(7), day(11)) == "given"  # before it was declared
    assert status_of(withdrawn, day(10), day(10)) == "withdrawn"  # from its recording


def test_presence_decides_in_the_present(grant: Grant) -> None:
    """A recorded withdrawal counts now, even if its date is in the future."""
    withdrawn = changed(grant, change("withdrawn", 50, 10))
    assert permitted_categories(withdrawn, day(20)) == frozenset()
    assert status_of(withdrawn, day(20), day(20)) == "withdrawn"


def test_an_invalidation_voids_from_the_start(grant: Grant) -> None:
    """A known invalidation counts for every time, and does not change what was known before it."""
    void = changed(grant, change("invalidated", 30))
    assert status_of(void, day(1), day(31)) == "invalidated"
    assert status_of(void, day(1), day(29)) == "given"
    assert permitted_categories(void, day(31)) == frozenset()


def test_a_requested_grant_waits_for_its_sender() -> None:
    """A grant recorded by its recipient permits nothing until its sender confirms it."""
    asked = make(AWO, JOBCENTER, IDENTITY, answer="requested", recorder_id=JOBCENTER.partner_id)
    assert (status_of(asked, day(1), day(1)), permitted_categories(asked, day(1))) == ("requested", frozenset())
    confirmed = changed(asked, change("confirmed", 2))
    assert (status_of(confirmed, day(3), day(3)), permitted_categories(confirmed, day(3))) == ("given", ONE)


@pytest.mark.parametrize(
    ("kinds", "answer", "at", "expected"),
    [
        (["invalidated", "withdrawn", "ended"], "given", 200, "invalidated"),
        (["withdrawn", "ended"], "refused", 200, "refused"),
        (["withdrawn", "ended"], "given", 200, "withdrawn"),
        (["withdrawn"], "requested", 10, "withdrawn"),
        (["ended"], "given", 200, "ended"),
        ([], "given", 200, "expired"),
        ([], "requested", 200, "expired"),
        (["confirmed"], "requested", 200, "expired"),
        (["confirmed"], "requested", 10, "given"),
        ([], "refused", 10, "refused"),
    ],
)
def test_the_strongest_ground_is_the_status(
    kinds: list[ChangeKind], answer: grants.Answer, at: int, expected: str
) -> None:
    """A void grant counts as invalidated, not as withdrawn, a withdrawn one not as expired, and so on by precedence."""
    made = make(AWO, JOBCENTER, IDENTITY, answer=answer, changes=tuple(change(kind, 5) for kind in kinds))
    assert status_of(made, day(at), day(at)) == expected


def test_a_consent_is_given_while_any_of_its_grants_is(grant: Grant) -> None:
    """A consent is given while one of its grants is; then it has the status of the grant that ended last."""
    withdrawn = changed(grant, change("withdrawn", 20))
    ended = changed(grant, change("ended", 40))
    renewed = changed(grant, change("renewed", 90, valid_until=day(300)))
    assert status_of_consent([withdrawn, grant, ended], day(50), day(50)) == "given"
    assert status_of_consent([withdrawn, renewed], day(95), day(95)) == "renewed"
    assert status_of_consent([withdrawn, ended], day(50), day(50)) == "ended"
    assert status_of_consent([withdrawn, grant], day(150), day(150)) == "expired"
    together = changed(grant, change("ended", 20))
    assert status_of_consent([together, withdrawn], day(50), day(50)) == "withdrawn"


@pytest.mark.parametrize(
    ("answer", "changes", "seen_by"),
    [
        ("given", (), {AWO, JOBCENTER}),
        ("given", (change("withdrawn", 1),), {AWO, JOBCENTER}),  # Art. 19 DSGVO
        ("refused", (), {JOBCENTER}),
        ("requested", (), {AWO, JOBCENTER}),
        ("requested", (change("withdrawn", 1),), {JOBCENTER}),
        ("requested", (change("confirmed", 1), change("withdrawn", 2)), {AWO, JOBCENTER}),
    ],
)
def test_who_learns_of_a_grant(answer: grants.Answer, changes: tuple[Change, ...], seen_by: set[Partner]) -> None:
    """A refusal recorded by the recipient is visible to it alone; a request also to the sender."""
    made = make(AWO, JOBCENTER, IDENTITY, answer=answer, recorder_id=JOBCENTER.partner_id, changes=changes)
    status = status_of(made, day(5), day(5))
    assert {who for who in (AWO, JOBCENTER, OTHER) if made.is_visible_to(who.partner_id, status)} == seen_by


@pytest.mark.parametrize("recorder", [AWO, JOBCENTER, OTHER], ids=["sender", "recipient", "neither"])
@pytest.mark.parametrize(
    ("answer", "sides"),
    [("given", {AWO, JOBCENTER}), ("requested", {AWO}), ("refused", set())],
    ids=["given", "requested", "refused"],
)
def test_who_reads_the_rows_of_a_grant(answer: grants.Answer, sides: set[Partner], recorder: Partner) -> None:
    """A partner that may see a grant may read its rows, whatever changes the grant has."""
    confirmed = (change("confirmed", 1),) if recorder is JOBCENTER else ()
    for changes in ((), (change("withdrawn", 1),), confirmed):
        made = make(AWO, JOBCENTER, IDENTITY, answer=answer, recorder_id=recorder.partner_id, changes=changes)
        assert made.readers == {who.partner_id for who in {recorder, *sides}}
        status = status_of(made, day(5), day(5))
        assert {
            who.partner_id for who in (AWO, JOBCENTER, OTHER) if made.is_visible_to(who.partner_id, status)
        } <= made.readers


def test_a_recipient_does_not_see_what_its_sender_was_refused() -> None:
    """A recipient does not see a refusal or a request that the sender recorded."""
    for answer in ("refused", "requested"):
        made = make(AWO, JOBCENTER, IDENTITY, answer=answer)
        assert not made.is_visible_to(JOBCENTER.partner_id, status_of(made, day(5), day(5)))


def test_withdrawals_that_do_not_add_up_are_found(grant: Grant) -> None:
    """Control: if only the last partial withdrawal counted, earlier withdrawn categories would be permitted again."""
    parts = [change("withdrawn", 1, category_ids=ONE), change("withdrawn", 2, category_ids=TWO)]
    assert permitted_categories(changed(grant, *parts), day(3)) == THREE
    assert permitted_categories(changed(grant, parts[-1]), day(3)) == ONE | THREE


def test_both_sides_see_what_a_third_recorded() -> None:
    """Sender and recipient see a given grant that a third partner recorded."""
    made = make(AWO, JOBCENTER, IDENTITY, recorder_id=OTHER.partner_id)
    assert all(made.is_visible_to(who.partner_id, "given") for who in (AWO, JOBCENTER, OTHER))
    assert not made.is_visible_to(99, "given")
    assert (
        Grant("g", "c", 1, 2, 3, (1,), answer="given", explicit=True, valid_from=START, valid_until=START).recorder_id
        == 0
    )


@pytest.mark.parametrize("kind", ["ended", "invalidated"])
def test_what_ended_twice_ended_the_first_time(kind: ChangeKind, grant: Grant) -> None:
    """Of two endings or invalidations the earlier date counts, whichever was recorded first."""
    twice = changed(grant, change(kind, 40, 50), change(kind, 20, 60))
    assert status_since(twice, day(70), day(70)) == day(20)


@pytest.mark.parametrize(
    ("said", "covered"),
    [(None, False), ("unstated", False), ("none", True), ("not_consented", False), ("consented", False)],
)
def test_only_who_is_said_to_have_agreed_is_looked_for(said: grants.ThirdParties | None, covered: bool) -> None:
    """If other persons are recorded as having agreed, their grants must be on record. If there are none, no grants are
    needed. If nothing was said, they did not agree.
    """
    made = make(AWO, JOBCENTER, FAMILY, third_parties=said, third_party_grants=("gone",))
    assert covers_others(made, FAMILY.category_id, day(1)) is covered


def test_a_refusal_is_no_yes_whatever_was_confirmed() -> None:
    """A refused grant stays refused even if a row confirms it."""
    said = [
        changed(make(AWO, JOBCENTER, IDENTITY, answer=answer), *changes).was_given
        for answer in ("given", "requested", "refused")
        for changes in ((), (change("confirmed", 1),))
    ]
    assert said == [True, True, False, True, False, False]


def test_a_grant_of_nothing_was_not_withdrawn() -> None:
    """A grant without categories is withdrawn only by a withdrawal."""
    assert status_of(make(AWO, JOBCENTER), day(1), day(1)) == "given"


def test_a_renewal_without_an_end_moves_none(grant: Grant) -> None:
    """A renewal without an end leaves the grant's own end."""
    renewed = changed(grant, change("renewed", 1))
    assert grants.end_of_validity(renewed, renewed.changes) == grant.valid_until


def test_evidence_is_lacking_until_it_comes(grant: Grant) -> None:
    """A grant of a consent without evidence lacks it until the change that says that it came; no other change does."""
    waiting = msgspec.structs.replace(grant, evidence_follows=True)
    assert [lacks_evidence(grant), lacks_evidence(waiting)] == [False, True]
    others = [change("confirmed", 1), change("restricted", 2), change("renewed", 3, valid_until=day(9))]
    assert lacks_evidence(changed(waiting, *others))
    assert not lacks_evidence(changed(waiting, *others, change("evidenced", 4)))
    assert not lacks_evidence(changed(grant, change("evidenced", 4)))
