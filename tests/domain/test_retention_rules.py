"""When retention's rules let something go: at the border of each period, and with what it is tied to."""

from datetime import UTC, datetime, timedelta

import pytest

from consent_registry.domain.events.all_kinds import NUMBERS
from consent_registry.domain.retention_rules import (
    ClientRecord,
    OldUse,
    PastChange,
    PastConsent,
    PastGrant,
    PastTransfer,
    PersonRecord,
    RetentionPeriods,
    StateEntry,
    due_consents,
    due_uses,
    is_unused,
    last_reliance,
    periods_at,
    proof_periods,
)

# In Germany the year 2026 begins an hour before it does in UTC.
NEW_YEAR = datetime(2025, 12, 31, 23, tzinfo=UTC)
PERIODS = periods_at(1, 3, datetime(2026, 5, 1, tzinfo=UTC))
MOMENT = timedelta(microseconds=1)
OLD = datetime(2020, 1, 1, tzinfo=UTC)
ENDED = datetime(2021, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("now", "year"), [(NEW_YEAR - MOMENT, 2025), (NEW_YEAR, 2026), (NEW_YEAR + MOMENT, 2026)])
def test_periods_end_with_a_calendar_year_in_germany(now: datetime, year: int) -> None:
    """What ended before the n-th year before this one began is due."""
    assert periods_at(1, 3, now) == RetentionPeriods(
        use_years=1,
        consent_years=3,
        uses_before=datetime(year - 2, 12, 31, 23, tzinfo=UTC),
        consents_before=datetime(year - 4, 12, 31, 23, tzinfo=UTC),
    )


@pytest.mark.parametrize(("years", "expected"), [((1, 3), 2025), ((3, 1), 2025), ((2, 2), 2024)])
def test_the_shortest_period_keeps_everything_younger(years: tuple[int, int], expected: int) -> None:
    """Whichever of the two periods is shorter."""
    periods = periods_at(*years, datetime(2026, 5, 1, tzinfo=UTC))
    assert periods.youngest_removable == datetime(expected - 1, 12, 31, 23, tzinfo=UTC)


def use(at: datetime, kind: str = "decision", client: str | None = "A") -> OldUse:
    """A use at place 7."""
    return OldUse(7, NUMBERS[kind], at, client)


def test_uses_go_by_age_unless_they_are_held() -> None:
    """Each kind of use, also about nobody; nothing else, and nothing of who is held."""
    before = PERIODS.uses_before - MOMENT
    for kind in ("decision", "transfer", "read"):
        assert due_uses([use(before, kind)], PERIODS, {"B"}) == [7]
        assert due_uses([use(before, kind, None)], PERIODS, {"B"}) == [7]
        assert due_uses([use(PERIODS.uses_before, kind)], PERIODS, ()) == []
        assert due_uses([use(before, kind)], PERIODS, {"A"}) == []
    for kind in ("consent", "erasure"):
        assert due_uses([use(before, kind)], PERIODS, ()) == []
    assert due_uses([OldUse(7, 32_000, before, None)], PERIODS, ()) == []


def change(
    kind: str, at: datetime, act: str = "act", *, whole: bool = True, until: datetime | None = None
) -> PastChange:
    """A change of a grant."""
    return PastChange(act, kind, whole, until, at)


def grant(*changes: PastChange, answer: str = "given", until: datetime = ENDED, name: str = "g") -> PastGrant:
    """A grant that ended by itself in 2021."""
    return PastGrant(name, answer, until, changes)


SOON, LATE = ENDED - timedelta(days=30), ENDED + timedelta(days=30)


@pytest.mark.parametrize(
    ("given", "end"),
    [
        (grant(), ENDED),
        (grant(answer="requested"), ENDED),
        (grant(answer="refused"), OLD),
        (grant(change("withdrawn", LATE), answer="refused"), OLD),
        (grant(change("withdrawn", SOON)), SOON),
        (grant(change("ended", SOON)), SOON),
        (grant(change("invalidated", SOON)), SOON),
        (grant(change("withdrawn", LATE), change("ended", SOON)), SOON),
        (grant(change("withdrawn", SOON, whole=False)), ENDED),
        (grant(change("restricted", SOON)), ENDED),
        (grant(change("renewed", SOON, until=LATE)), LATE),
        (grant(change("renewed", SOON, until=SOON)), ENDED),
        (grant(change("renewed", SOON, until=LATE), change("ended", SOON)), SOON),
        (grant(until=OLD - timedelta(days=1)), OLD),
    ],
)
def test_reliance_ends_with_the_last_grant(given: PastGrant, end: datetime) -> None:
    """Each way in which a grant ends; never before the consent was recorded."""
    assert last_reliance(PastConsent("c", OLD, (given,)), ()) == end
    assert last_reliance(PastConsent("c", OLD), ()) == OLD
    longer = grant(until=LATE + timedelta(days=1), name="h")
    assert last_reliance(PastConsent("c", OLD, (given, longer)), ()) == longer.valid_until


def test_a_transfer_is_reliance_on_its_grants() -> None:
    """Under a decision on one of the consent's grants, or one of which nobody knows any more on which."""
    consent = PastConsent("c", OLD, (grant(name="g"), grant(name="h")))
    assert last_reliance(consent, [PastTransfer(LATE, ("x", "h"))]) == LATE
    assert last_reliance(consent, [PastTransfer(LATE, None)]) == LATE
    assert last_reliance(consent, [PastTransfer(LATE, ("x",)), PastTransfer(LATE, ())]) == ENDED


def entry(place: int, name: str, *, at: datetime = OLD, kind: str = "consent", **tied: str) -> StateEntry:
    """An entry of the client."""
    return StateEntry(place, name, NUMBERS[kind], at, **tied)


def record(*consents: PastConsent, entries: tuple[StateEntry, ...] = ()) -> ClientRecord:
    """A client with these consents, each with its own entry, and more entries."""
    own = tuple(entry(place, consent.consent_id) for place, consent in enumerate(consents))
    return ClientRecord("A", consents, (), own + entries)


def found(of: ClientRecord, periods: RetentionPeriods = PERIODS) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """What is due of a client, by consents and places."""
    return [(group.consents, group.places) for group in due_consents(of, periods, ())]


def test_a_consent_goes_when_its_period_has_passed() -> None:
    """At the border of the period, and not while a hold is open."""
    for until, due in ((PERIODS.consents_before - MOMENT, [(("c",), (0,))]), (PERIODS.consents_before, [])):
        assert found(record(PastConsent("c", OLD, (grant(until=until),)))) == due
    assert due_consents(record(PastConsent("c", OLD)), PERIODS, {"A"}) == []
    assert [group.client_id for group in due_consents(record(PastConsent("c", OLD)), PERIODS, {"B"})] == ["A"]
    assert found(record()) == []


def test_consents_that_share_nothing_go_by_themselves() -> None:
    """One that goes on keeps no other."""
    goes_on = PastConsent("d", OLD, (grant(until=NEW_YEAR),))
    assert found(record(PastConsent("c", OLD), goes_on, PastConsent("b", OLD))) == [(("b",), (2,)), (("c",), (0,))]


@pytest.mark.parametrize("of_release", [False, True])
def test_what_one_act_changed_goes_together(*, of_release: bool) -> None:
    """Consents that one act touched, by grants or releases, with its entry and padding: all or none."""
    changed = {"grants": (grant(change("restricted", OLD, "act")),)}
    tied = {"release_acts": ("act",)} if of_release else changed
    act = (entry(7, "act", kind="withdrawal"), entry(8, "p", kind="padding", act="act"))
    both = PastConsent("c", OLD, **changed), PastConsent("d", OLD, **tied)  # type: ignore[arg-type]
    assert found(record(*both, entries=act)) == [(("c", "d"), (0, 1, 7, 8))]
    goes_on = PastConsent("e", OLD, (grant(change("restricted", OLD, "act"), until=NEW_YEAR),))
    assert found(record(*both, goes_on, entries=act)) == []


def test_a_consent_waits_for_the_one_that_renewed_it() -> None:
    """The later consent's own entry implies the earlier one's change: by the change's act, or by one more entry."""
    later = PastConsent("d", OLD, (grant(until=NEW_YEAR),))
    renewed = PastConsent("c", OLD, (grant(change("renewed", OLD, "d", until=ENDED)),))
    assert found(record(renewed, later)) == []
    assert found(record(renewed, PastConsent("d", OLD))) == [(("c", "d"), (0, 1))]
    told = (entry(7, "r", kind="renewal", act="d", consent="c"),)
    assert found(record(PastConsent("c", OLD), later, entries=told)) == []


def test_entries_that_name_a_consent_go_with_it() -> None:
    """Evidence, a receipt code; what names no consent stays with the client."""
    entries = (entry(7, "x", kind="evidence", consent="c"), entry(8, "y", kind="client"))
    assert found(record(PastConsent("c", OLD), entries=entries)) == [(("c",), (0, 7))]


@pytest.mark.parametrize(
    ("at", "kind", "due"),
    [
        (PERIODS.youngest_removable - MOMENT, NUMBERS["receipt_code"], True),
        (PERIODS.youngest_removable, NUMBERS["receipt_code"], False),
        (OLD, NUMBERS["erasure"], False),
        (OLD, 32_000, False),
    ],
)
def test_a_consent_waits_for_its_youngest_entry(at: datetime, kind: int, *, due: bool) -> None:
    """An entry younger than the shortest period keeps it, and so does one of a kind that is never let go."""
    told = (StateEntry(7, "x", kind, at, None, "c"),)
    assert bool(found(record(PastConsent("c", OLD), entries=told))) is due


def person(**members: object) -> PersonRecord:
    """Somebody who has nothing left."""
    usual = {"client_id": "A", "recorded_at": OLD, "consents": 0, "kinds": (NUMBERS["client"],), "last_event_at": OLD}
    return PersonRecord(**usual | members)  # type: ignore[arg-type]


def test_who_has_nothing_left_is_needed_no_more() -> None:
    """Registered and last told of before the period of consents, without consent, use or hold."""
    border = PERIODS.consents_before
    assert is_unused(person(), PERIODS, {"B"})
    assert is_unused(person(recorded_at=border - MOMENT, last_event_at=border - MOMENT), PERIODS, ())
    assert is_unused(person(kinds=(), last_event_at=None), PERIODS, ())
    assert not is_unused(person(), PERIODS, {"A"})
    assert not is_unused(person(consents=1), PERIODS, ())
    assert not is_unused(person(recorded_at=border), PERIODS, ())
    assert not is_unused(person(last_event_at=border), PERIODS, ())
    for kind in (NUMBERS["decision"], NUMBERS["erasure"], 32_000):
        assert not is_unused(person(kinds=(NUMBERS["client"], kind)), PERIODS, ())


def test_proof_periods_count_what_is_not_due() -> None:
    """How many are within their period, and the end of the year in which the last one's ends."""
    border = PERIODS.consents_before
    assert proof_periods([record(PastConsent("c", OLD))], PERIODS) == (0, None)
    ends = [border - MOMENT, border, border + timedelta(days=400)]
    consents = [PastConsent(str(end), OLD, (grant(until=end),)) for end in ends]
    until = datetime(2027, 12, 31, 23, tzinfo=UTC)
    assert proof_periods([record(*consents[:2]), record(consents[2])], PERIODS) == (2, until)
    relied = ClientRecord("A", (PastConsent("c", OLD, (grant(),)),), (PastTransfer(NEW_YEAR, ("g",)),))
    assert proof_periods([relied], PERIODS) == (1, datetime(2029, 12, 31, 23, tzinfo=UTC))
