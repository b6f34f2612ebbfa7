"""Which partner may do which act on a grant, on which status, and what the act changes."""

import pytest

from consent_registry.domain.grant_changes import (
    CONFIRMATION,
    ENDING,
    INVALIDATION,
    LIFTING,
    RESTRICTION,
    GrantAct,
    change_grants,
    is_open_to,
)
from consent_registry.domain.grants import Change, Grant, Status, status_of
from tests.domain.cases import CONTACT, FAMILY, IDENTITY, START, change, changed, day, grant, partner

SENDER, RECIPIENT, RECORDER = partner(1), partner(2), partner(3)
ACTS = (CONFIRMATION, ENDING, INVALIDATION, RESTRICTION, LIFTING)
ONE, TWO, OTHER = (frozenset({subject.category_id}) for subject in (IDENTITY, CONTACT, FAMILY))
GIVEN = grant(SENDER, RECIPIENT, IDENTITY, CONTACT, recorder_id=RECORDER.partner_id)
ASKED = grant(SENDER, RECIPIENT, IDENTITY, answer="requested")
# A grant with each status on day 10.
WITH_STATUS: dict[Status, Grant] = {
    "requested": ASKED,
    "given": GIVEN,
    "renewed": changed(GIVEN, change("renewed", 5, valid_until=day(200))),
    "refused": grant(SENDER, RECIPIENT, IDENTITY, answer="refused"),
    "withdrawn": changed(GIVEN, change("withdrawn", 5)),
    "ended": changed(GIVEN, change("ended", 5)),
    "expired": grant(SENDER, RECIPIENT, IDENTITY, valid_until=day(5)),
    "invalidated": changed(GIVEN, change("invalidated", 5)),
}
OPEN: dict[str, set[Status]] = {
    "confirmation": {"requested"},
    "ending": {"requested", "given", "renewed"},
    "invalidation": {"requested", "given", "renewed", "withdrawn", "ended", "expired"},
    "restriction": {"given", "renewed"},
    "restriction_lifting": set(),  # nothing is restricted here
}


@pytest.mark.parametrize("act", ACTS, ids=lambda subject: subject.noun)
def test_who_may(act: GrantAct) -> None:
    """Only the sender confirms; recorder and sender invalidate; every partner of the grant may do the other acts."""
    may = {who.partner_id for who in (SENDER, RECIPIENT, RECORDER, partner(4)) if act.may(GIVEN, who.partner_id)}
    assert may == {"confirmation": {1}, "invalidation": {1, 3}}.get(act.noun, {1, 2, 3})


@pytest.mark.parametrize("status", WITH_STATUS)
@pytest.mark.parametrize("act", ACTS, ids=lambda subject: subject.noun)
def test_from_which_status(act: GrantAct, status: Status) -> None:
    """Each act changes only grants with one of its own statuses."""
    subject = WITH_STATUS[status]
    assert status_of(subject, day(10), day(10)) == status
    assert is_open_to(act, subject, day(10)) is (status in OPEN[act.noun])
    assert bool(change_grants(act, [subject], START, day(10))) is (status in OPEN[act.noun])


def test_what_spreads_and_what_goes_back() -> None:
    """An invalidation covers one consent from its start; endings and restrictions also cover consents connected by
    renewals.
    """
    assert [act.noun for act in ACTS if act.spreads] == ["ending", "restriction", "restriction_lifting"]
    assert [act.noun for act in ACTS if act.from_the_start] == ["invalidation"]
    assert [act.kind for act in ACTS] == ["confirmed", "ended", "invalidated", "restricted", "unrestricted"]
    ((_, void),) = change_grants(INVALIDATION, [GIVEN], day(2), day(10))
    assert void == Change("invalidated", day(2), day(10))
    ((_, over),) = change_grants(ENDING, [GIVEN], day(2), day(10))
    assert over == Change("ended", day(10), day(10))


def test_a_restriction_needs_something_that_is_not_restricted() -> None:
    """A fully restricted grant cannot be restricted again; a partly restricted one can."""
    part = changed(GIVEN, change("restricted", 1, category_ids=ONE))
    assert is_open_to(RESTRICTION, part, day(10))
    assert is_open_to(RESTRICTION, part, day(10), ONE | TWO)
    assert is_open_to(RESTRICTION, part, day(10), TWO)
    assert not is_open_to(RESTRICTION, part, day(10), ONE)
    assert not is_open_to(RESTRICTION, part, day(10), ONE | OTHER)
    assert not is_open_to(RESTRICTION, changed(GIVEN, change("restricted", 1)), day(10))


def test_a_lifting_needs_something_that_is_restricted() -> None:
    """A restriction that does not exist, or was lifted, cannot be lifted."""
    part = changed(GIVEN, change("restricted", 1, category_ids=ONE))
    assert is_open_to(LIFTING, part, day(10))
    assert is_open_to(LIFTING, part, day(10), ONE | TWO)
    assert not is_open_to(LIFTING, part, day(10), TWO)
    assert not is_open_to(LIFTING, part, day(10), OTHER)
    lifted = changed(part, *part.changes, change("unrestricted", 2))
    assert not is_open_to(LIFTING, lifted, day(10))


def test_categories_that_the_grant_does_not_hold_change_nothing() -> None:
    """An act on categories changes only grants that have one of them, and only these categories."""
    assert not is_open_to(ENDING, GIVEN, day(10), OTHER)
    assert is_open_to(ENDING, GIVEN, day(10), ONE | OTHER)
    assert change_grants(RESTRICTION, [GIVEN, ASKED], START, day(10), TWO | OTHER) == [
        (GIVEN, Change("restricted", day(10), day(10), TWO))
    ]
