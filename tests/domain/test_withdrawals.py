"""Which grants and categories a withdrawal covers, and which flows continue."""

from consent_registry.domain.grants import permitted_categories, status_of
from consent_registry.domain.withdrawals import Withdrawn, can_be_withdrawn, still_given, withdraw
from tests.domain.cases import CONTACT, FAMILY, IDENTITY, SUPPORT, change, changed, day, grant, partner

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
    assert [grant.grant_id for grant in still_given(everything, withdrawn, day(10))] == ["other"]
    assert still_given(everything, [], day(10)) == []
    assert elsewhere.purpose_id == SUPPORT.purpose_id
