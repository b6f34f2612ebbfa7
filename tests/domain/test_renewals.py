"""What can be renewed, what a renewal changes, and when a renewal is undone."""

import random

import msgspec
import pytest

from consent_registry.domain.grants import Grant, status_of
from consent_registry.domain.releases import RecordedRelease, lacks_release, status_of_release
from consent_registry.domain.renewals import related_grants, related_releases, renew, renewable, unrenew
from consent_registry.domain.withdrawals import NamedAlone, still_given, withdraw
from tests.domain.cases import CONTACT, FAMILY, IDENTITY, MICROSECOND, change, changed, day, partner
from tests.domain.cases import grant as make
from tests.oracle.renewal_oracle import Tick, taken_back_with

AWO, JOBCENTER = partner(1, "awo"), partner(2, "jobcenter")
CASES = 20_000


@pytest.fixture
def old() -> Grant:
    """A grant of two categories, from day 0 until day 100."""
    return make(AWO, JOBCENTER, IDENTITY, CONTACT, grant_id="old", consent_id="first")


def again(old: Grant, name: str = "new", **facts: object) -> Grant:
    """A grant of a consent that renews the old one's, by default from day 50 until day 300."""
    plain = {"grant_id": name, "consent_id": "second", "renews": old.consent_id}
    return msgspec.structs.replace(old, **plain | {"valid_from": day(50), "valid_until": day(300)} | facts)


@pytest.mark.parametrize(
    ("kind", "found"),
    [("withdrawn", None), ("ended", None), ("invalidated", None), ("renewed", None), ("restricted", True)],
)
def test_only_what_is_given_is_renewed(old: Grant, kind: str, found: object) -> None:
    """A renewal revives no ended grant, a renewed grant is renewed by its newest act, and a restricted one can be
    renewed.
    """
    facts = {"valid_until": day(200)} if kind == "renewed" else {}
    earlier = [changed(old, change(kind, 10, **facts))]  # type: ignore[arg-type]
    assert (renewable(earlier, old.flow, day(50)) is not None) is bool(found)
    assert bool(renew(earlier, [again(old)], day(50), day(50))) is bool(found)


def test_what_may_be_renewed_is_what_is_left(old: Grant) -> None:
    """A renewal covers neither withdrawn categories nor another flow, and nothing after the end of validity."""
    earlier = [changed(old, change("withdrawn", 10, category_ids=frozenset({CONTACT.category_id})))]
    found = renewable(earlier, old.flow, day(50))
    assert found is not None
    assert (found.category_ids, found.until) == (frozenset({IDENTITY.category_id}), day(100))
    assert renewable(earlier, (1, 3, old.purpose_id), day(50)) is None
    assert renewable([old], old.flow, day(100) - MICROSECOND) is not None
    assert renewable([old], old.flow, day(100)) is None
    short = msgspec.structs.replace(old, grant_id="short", valid_until=day(70))
    both = renewable([old, short], old.flow, day(50))
    assert both is not None
    assert both.until == day(70)
    for answer in ("refused", "requested"):
        assert renewable([msgspec.structs.replace(old, answer=answer)], old.flow, day(50)) is None


def test_a_renewal_names_the_grant_that_lasts_longest(old: Grant) -> None:
    """Of two new grants for a flow the longer one renews; a grant for another flow renews nothing."""
    shorter, another = (
        again(old, "short", valid_until=day(200)),
        again(old, "other", purpose_id=99, valid_until=day(900)),
    )
    ((renewed, renewal),) = renew([old], [shorter, again(old), another], day(48), day(50))
    assert (renewed, renewal.kind, renewal.by_grant_id, renewal.valid_until) == (old, "renewed", "new", day(300))
    assert (renewal.effective_at, renewal.recorded_at) == (day(48), day(50))
    assert status_of(changed(old, renewal), day(150), day(150)) == "renewed"


def test_a_void_renewal_falls_alone(old: Grant) -> None:
    """An invalid renewal is undone from its date; another renewal stays, and none is undone twice."""
    ((_, renewal),) = renew([old], [again(old)], day(48), day(50))
    renewed = changed(old, renewal)
    assert unrenew([renewed], [again(old, "another")], day(60)) == []
    ((_, fallen),) = unrenew([renewed], [again(old)], day(60))
    assert (fallen.kind, fallen.effective_at, fallen.recorded_at) == ("unrenewed", day(48), day(60))
    assert unrenew([changed(old, renewal, fallen)], [again(old)], day(70)) == []
    assert status_of(changed(old, renewal, fallen), day(70), day(70)) == "given"


@pytest.mark.parametrize("shown", ["old", "new"])
def test_whichever_paper_is_shown_the_yes_is_taken_back(old: Grant, shown: str) -> None:
    """A withdrawal of either grant withdraws both, so nothing is permitted for the flow."""
    grants = [changed(old, *(renewal for _, renewal in renew([old], [again(old)], day(50), day(50)))), again(old)]
    chosen = [grant for grant in grants if grant.grant_id == shown]
    withdrawn = withdraw([*chosen, *related_grants(chosen, grants)], day(60), day(60))
    assert {withdrawal.grant.grant_id for withdrawal in withdrawn} == {"old", "new"}
    assert still_given(grants, grants, NamedAlone(), withdrawn, day(60)) == []
    independent = again(old, "apart", consent_id="third", renews=None)
    assert still_given([*grants, independent], grants, NamedAlone(), withdrawn, day(60)) == [independent]


def test_the_same_yes_as_the_oracle_sees_it() -> None:
    """In twenty thousand generated sets of consents that renew each other, a withdrawal reaches the grants that the
    oracle names.
    """
    choose = random.Random(11).choice
    fell = 0
    for _ in range(CASES):
        papers = [f"paper-{number}" for number in range(choose((2, 3, 4, 5)))]
        renews = {paper: choose((None, *papers[:number])) for number, paper in enumerate(papers)}
        ticks = [
            Tick(f"{paper}-{number}", paper, renews[paper], choose((1, 1, 2)), choose((False, False, False, True)))
            for paper in papers
            for number in range(choose((1, 2)))
        ]
        random.Random(len(ticks)).shuffle(ticks)
        chosen = [tick for tick in ticks if tick.paper == ticks[0].paper]
        mine = {tick.name: _grant(tick) for tick in ticks}
        found = related_grants([mine[tick.name] for tick in chosen], list(mine.values()))
        assert [grant.grant_id for grant in found] == taken_back_with(chosen, ticks), ticks
        fell += bool(found)
    assert CASES / 10 < fell < CASES


def _grant(tick: Tick) -> Grant:
    plain = make(AWO, JOBCENTER, FAMILY, grant_id=tick.name, consent_id=tick.paper, purpose_id=tick.flow)
    return msgspec.structs.replace(plain, renews=tick.renews, answer="refused" if tick.refused else "given")


def _release(consent_id: str, **facts: object) -> RecordedRelease:
    plain = RecordedRelease(f"release of {consent_id}", consent_id, AWO.partner_id, JOBCENTER.partner_id, (1, 2))
    return msgspec.structs.replace(plain, **facts)


def test_a_release_lasts_as_long_as_what_it_serves(old: Grant) -> None:
    """A release is withdrawn by itself, or else has the status of the grants of its consent that it serves."""
    release, another = _release("first"), again(old)
    assert status_of_release(release, [old, another], day(99), day(99)) == "given"
    assert status_of_release(release, [old, another], day(100), day(100)) == "expired"
    ended = changed(old, change("ended", 20))
    assert status_of_release(release, [ended, another], day(30), day(30)) == "ended"
    assert status_of_release(release, [ended, another], day(10), day(30)) == "given"
    gone = msgspec.structs.replace(release, changes=(change("withdrawn", 40, 45),))
    assert (release.live, gone.live) == (True, False)
    assert status_of_release(gone, [old], day(45), day(45)) == "withdrawn"
    assert status_of_release(gone, [old], day(42), day(50)) == "withdrawn"
    assert status_of_release(gone, [old], day(39), day(50)) == "given"
    assert status_of_release(gone, [old], day(42), day(42)) == "given"
    assert status_of_release(gone, [old], day(40), day(50)) == "withdrawn"
    announced = msgspec.structs.replace(release, changes=(change("withdrawn", 50, 45),))
    assert status_of_release(announced, [old], day(46), day(46)) == "withdrawn"  # presence decides


def test_a_release_says_no_more_than_its_grants(old: Grant) -> None:
    """Only a partner that takes part in a release and sees one of its grants sees the release."""
    release = _release("first")
    assert release.is_visible_to(AWO.partner_id, [old])
    assert release.is_visible_to(AWO.partner_id, [again(old), old])
    assert not release.is_visible_to(AWO.partner_id, [])
    assert not release.is_visible_to(AWO.partner_id, [again(old)])
    assert not release.is_visible_to(3, [old])


def test_a_renewed_release_falls_with_it(old: Grant) -> None:
    """A withdrawal of a release also reaches that of the same holder and side in a consent connected by a renewal."""
    first, second, apart = _release("first"), _release("second"), _release("third")
    turned = _release("second", holder_id=2, towards_id=1)
    grants = [old, again(old), again(old, "apart", consent_id="third", renews=None)]
    assert related_releases([first], [first, second, turned, apart], grants) == [second]
    assert related_releases([second], [first, second, turned, apart], grants) == [first]
    assert related_releases([apart], [first, second, turned, apart], grants) == []


def test_a_grant_lacks_a_release_where_none_frees_what_it_still_gives(old: Grant) -> None:
    """Every category needs a release in force; what was withdrawn needs none any more."""
    served = msgspec.structs.replace(old, release_ids=("release of first",))
    release, (first, *others) = _release("first"), served.category_ids
    assert lacks_release(served, [], day(20), day(20))
    assert not lacks_release(served, [release], day(20), day(20))
    assert lacks_release(old, [release], day(20), day(20))  # it serves another grant
    gone = msgspec.structs.replace(release, changes=(change("withdrawn", 10),))
    assert lacks_release(served, [gone], day(20), day(20))
    assert not lacks_release(served, [gone], day(5), day(20))
    part = msgspec.structs.replace(release, category_ids=frozenset({first}))
    assert lacks_release(served, [part], day(20), day(20)) == bool(others)
    struck = msgspec.structs.replace(served, changes=(change("withdrawn", 10, category_ids=frozenset(others)),))
    assert not lacks_release(struck, [part], day(20), day(20))
    over = msgspec.structs.replace(release, valid_until=day(15))
    assert [lacks_release(served, [over], day(at), day(at)) for at in (14, 15)] == [False, True]
