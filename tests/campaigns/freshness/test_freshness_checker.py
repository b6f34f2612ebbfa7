"""The freshness checker itself: it must see every fault we can think of and accuse nobody wrongly."""

import random

from tests.campaigns.freshness.freshness import Decided, Entry, Given, Operation, Withdrawn, faults, log_faults

FLOW = "awo>jobcenter:employment"
BOTH = frozenset({(FLOW, "identity"), (FLOW, "contact")})


def given(started: float, answered: float | None, name: str = "1", client: str = "k") -> Given:
    """A consent with one grant `g<name>` that permits both categories."""
    return Given(client, f"c{name}", {f"g{name}": BOTH}, started, answered)


def withdrawn(
    started: float,
    answered: float | None,
    *listed: str,
    consent: str | None = None,
    categories: frozenset[str] | None = None,
    client: str = "k",
) -> Withdrawn:
    """A withdrawal, of everything unless a consent is named."""
    return Withdrawn(client, consent, frozenset(listed), started, answered, categories)


def decided(started: float, answered: float, *permitted: str, client: str = "k", flow: str = FLOW) -> Decided:
    """A decision that asked for both categories."""
    return Decided(client, flow, frozenset({"identity", "contact"}), frozenset(permitted), started, answered)


def kinds(*history: Operation) -> set[tuple[str, str]]:
    """Kind and category of every fault found."""
    return {(fault.kind, fault.category) for fault in faults(history)}


STALE = {("stale", "identity"), ("stale", "contact")}


def test_a_permit_without_any_consent_is_stale() -> None:
    """Nothing was ever given, so nothing may be permitted."""
    assert kinds(decided(1, 2, "identity", "contact")) == STALE


def test_a_permit_before_the_consent_was_sent_is_stale() -> None:
    """An answer that was there before the consent left the loader cannot rest on it."""
    assert kinds(decided(1, 2, "identity", "contact"), given(3, 4)) == STALE


def test_a_permit_begun_after_the_acknowledged_withdrawal_is_stale() -> None:
    """The very promise."""
    assert kinds(given(1, 2), withdrawn(3, 4, "g1"), decided(4, 5, "identity", "contact")) == STALE


def test_a_withdrawal_takes_back_its_flow_on_other_papers() -> None:
    """A permit by another paper for a covered flow is stale, a denial is none, and a paper given afterwards counts."""
    of_flow = Withdrawn("k", "c9", frozenset(), 3, 4, None, BOTH)
    assert kinds(given(1, 2), of_flow, decided(5, 6, "identity", "contact")) == STALE
    assert not kinds(given(1, 2), of_flow, decided(5, 6))
    assert not kinds(given(4.5, 4.6), of_flow, decided(5, 6, "identity", "contact"))
    apart = Withdrawn("k", "c9", frozenset(), 3, 4)
    assert not kinds(given(1, 2), apart, decided(5, 6, "identity", "contact"))


def test_a_permit_that_overlaps_the_withdrawal_is_excused() -> None:
    """A decision sent before the acknowledgement came may have been first."""
    assert not kinds(given(1, 2), withdrawn(3, 4, "g1"), decided(3.9, 5, "identity", "contact"))


def test_a_withdrawal_of_everything_ends_what_its_answer_forgot_to_list() -> None:
    """The acknowledged consent was there when the withdrawal was sent, listed or not."""
    assert kinds(given(1, 2), withdrawn(3, 4), decided(5, 6, "identity", "contact")) == STALE


def test_a_consent_given_beside_the_withdrawal_may_have_come_after_it() -> None:
    """Two operations in flight together have no order the loader could know."""
    assert not kinds(given(1, 3.5), withdrawn(3, 4), decided(5, 6, "identity", "contact"))


def test_a_grant_that_the_withdrawal_lists_is_ended_even_if_it_was_in_flight() -> None:
    """The answer itself says that the grant was taken."""
    assert kinds(given(1, 3.5), withdrawn(3, 4, "g1"), decided(5, 6, "identity", "contact")) == STALE


def test_a_new_consent_permits_again() -> None:
    """Given again after the withdrawal: the permit is right, also while the consent is in flight."""
    assert not kinds(given(1, 2), withdrawn(3, 4, "g1"), given(5, 7, "2"), decided(6, 6.5, "identity", "contact"))


def test_another_consent_of_the_client_still_permits() -> None:
    """A withdrawal of one consent leaves the other one alone."""
    history = (given(1, 2), given(1, 2, "2"), withdrawn(3, 4, "g1", consent="c1"), decided(5, 6, "identity", "contact"))
    assert not kinds(*history)


def test_a_partial_withdrawal_ends_its_categories_only() -> None:
    """`contact` was withdrawn: permitting it is stale, denying `identity` is lost."""
    part = withdrawn(3, 4, "g1", consent="c1", categories=frozenset({"contact"}))
    assert not kinds(given(1, 2), part, decided(5, 6, "identity"))
    assert kinds(given(1, 2), part, decided(5, 6, "identity", "contact")) == {("stale", "contact")}
    assert kinds(given(1, 2), part, decided(5, 6)) == {("lost", "identity")}


def test_a_denial_of_what_was_given_is_lost() -> None:
    """A registry that never permits anything must not pass."""
    assert kinds(given(1, 2), decided(3, 4)) == {("lost", "identity"), ("lost", "contact")}


def test_a_denial_beside_a_withdrawal_is_excused() -> None:
    """The withdrawal was under way when the answer came, acknowledged or not."""
    assert not kinds(given(1, 2), withdrawn(3, None), decided(2.5, 3.5))


def test_an_unknown_withdrawal_accuses_nobody() -> None:
    """A withdrawal whose answer was lost may never have counted."""
    assert not kinds(given(1, 2), withdrawn(3, None), decided(5, 6, "identity", "contact"))


def test_an_unknown_consent_excuses_a_permit_and_no_denial() -> None:
    """A consent whose answer was lost may count or not."""
    assert not kinds(given(1, None), decided(5, 6, "identity", "contact"), decided(7, 8))


def test_clients_and_flows_are_kept_apart() -> None:
    """A consent of one client, or for one flow, permits nothing elsewhere."""
    assert kinds(given(1, 2), decided(3, 4, "identity", "contact", client="other")) == STALE
    assert kinds(given(1, 2), decided(3, 4, "identity", "contact", flow="awo>caritas:employment")) == STALE


def served(seed: int, delay: float) -> list[Operation]:
    """A random history of one client as a registry with a cache of `delay` seconds would write it."""
    random_source, now, number = random.Random(seed), 0.0, 0
    live: dict[str, frozenset[tuple[str, str]]] = {}
    past: list[tuple[float, frozenset[str]]] = [(0.0, frozenset())]
    history: list[Operation] = []
    for _ in range(300):
        started, now = now, now + random_source.uniform(0.001, 0.004)
        choice = random_source.random()
        if choice < 0.2:
            number += 1
            live[f"g{number}"] = BOTH
            history.append(given(started, now, str(number)))
        elif choice < 0.4 and live:
            history.append(withdrawn(started, now, *live))
            live.clear()
        else:
            seen = [state for at, state in past if at <= started - delay][-1] if started >= delay else frozenset()
            history.append(decided(started, now, *seen))
        past.append((now, frozenset(c for permissions in live.values() for _, c in permissions)))
    return history


def test_an_honest_history_has_no_fault_and_a_cached_one_has() -> None:
    """Over many random histories the checker separates a registry without a cache from one with 50 ms."""
    assert not any(faults(served(seed, 0.0)) for seed in range(50))
    assert all(any(f.kind == "stale" for f in faults(served(seed, 0.05))) for seed in range(50))


def entry(index: int, kind: str, *grants: str, permitted: bool = False, client: str = "k") -> Entry:
    """One log entry about both categories."""
    given = dict.fromkeys(grants, BOTH) if kind == "consent" else {}
    taken = dict.fromkeys(grants) if kind == "withdrawal" else {}
    return Entry(index, kind, client, given, taken, BOTH if permitted else frozenset())


def test_the_log_may_read_consent_permit_withdrawal_denial_consent_permit() -> None:
    """The order of an honest log, from any first index on."""
    log = [
        entry(7, "consent", "g1"),
        entry(8, "decision", permitted=True),
        entry(9, "withdrawal", "g1"),
        entry(10, "decision"),
        entry(11, "read"),
        entry(12, "consent", "g2"),
        entry(13, "decision", permitted=True),
    ]
    assert not log_faults(log)


def test_the_log_must_not_read_withdrawal_permit() -> None:
    """Whatever the clocks said, this order is a fault."""
    log = [entry(0, "consent", "g1"), entry(1, "withdrawal", "g1"), entry(2, "decision", permitted=True)]
    assert len(log_faults(log)) == len(BOTH)


def test_a_consent_of_another_client_heals_nothing_in_the_log() -> None:
    """The permit's own client must have consented."""
    log = [entry(0, "consent", "g1", client="other"), entry(1, "decision", permitted=True)]
    assert len(log_faults(log)) == len(BOTH)


def test_a_partial_withdrawal_in_the_log_leaves_the_rest() -> None:
    """Only the withdrawn category may no longer be permitted."""
    part = Entry(1, "withdrawal", "k", taken={"g1": frozenset({"contact"})})
    rest = Entry(2, "decision", "k", permitted=frozenset({(FLOW, "identity")}))
    assert not log_faults([entry(0, "consent", "g1"), part, rest])
    assert len(log_faults([entry(0, "consent", "g1"), part, entry(2, "decision", permitted=True)])) == 1


def test_a_gap_or_a_repeated_index_is_a_fault_of_the_log() -> None:
    """Indices are gap-free; what cannot be counted cannot be trusted."""
    assert log_faults([entry(0, "read"), entry(2, "read")])
    assert log_faults([entry(0, "read"), entry(0, "read")])
