"""The crash campaign's checker must find what it is there to find."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest

from tests.campaigns.crash.ledger import Act, Entry, Finding, Outcome, check

NONCE = bytes(range(32))


def entry(index: int, kind: str = "decision", reference: str = "AWO-1", **members: str) -> Entry:
    """Make an honest log entry."""
    made = urlsafe_b64encode(hmac.digest(NONCE, reference.encode(), hashlib.sha256)).rstrip(b"=").decode()
    facts = {"id": f"event-{index}", "kind": kind, "actor": "awo", "reference_commitment": made, **members}
    event = json.dumps(facts, sort_keys=True).encode()
    return Entry(index, b"\x01" + hmac.digest(NONCE, event, hashlib.sha256), event, NONCE)


def told(logged: Entry, kind: str = "decision", **members: str) -> Act:
    """Make the act that was answered with this entry."""
    act = Act(logged.index, kind, "awo", "AWO-1", outcome=Outcome.ACKNOWLEDGED)
    act.event_id, act.index, act.leaf = f"event-{logged.index}", logged.index, logged.leaf
    return replace(act, **members)  # type: ignore[arg-type]


def promises(findings: list[Finding]) -> set[str]:
    """Return the promises that were found broken."""
    return {finding.promise for finding in findings}


def test_an_honest_history_has_no_findings() -> None:
    """Answers that are in log and tables, one without key whose fate is unknown, and one that was refused."""
    log = [entry(0), entry(1, "consent"), entry(2, "transfer", decision="event-0"), entry(3)]
    acts = [
        told(log[0], key="a"),
        told(log[1], "consent"),
        told(log[2], "transfer", about="event-0"),
        Act(3, "decision", "awo", "AWO-1"),
        Act(4, "decision", "awo", "AWO-2", outcome=Outcome.REFUSED),
    ]
    assert check(acts, log, {"consent": ["event-1"], "transfer": ["event-2"]}) == []


def test_entries_before_the_campaign_need_no_act() -> None:
    """The demonstration's own entries are below the baseline."""
    assert check([], [entry(0), entry(1)], {}, baseline=2) == []


def test_a_lost_tail_is_found() -> None:
    """An acknowledged answer beyond the end of the log is missing."""
    log = [entry(0), entry(1)]
    assert promises(check([told(each) for each in log], log[:1], {})) == {"missing"}


def test_a_lost_index_given_to_somebody_else_is_found() -> None:
    """After a loss the index comes again with another leaf."""
    lost, again = entry(0), entry(0, reference="AWO-2", id="event-9")
    later = told(again, event_id="event-9")
    later.reference = "AWO-2"
    assert promises(check([told(lost), later], [again], {})) == {"missing"}


def test_a_gap_is_found() -> None:
    """A log that jumps is no log."""
    log = [entry(0), entry(2)]
    assert promises(check([told(each) for each in log], log, {})) == {"gap"}


@pytest.mark.parametrize("broken", ["event", "nonce", "leaf"])
def test_an_event_that_does_not_open_its_leaf_is_found(broken: str) -> None:
    """Another event, another nonce, or no leaf at all: the answer was not logged."""
    good = entry(0)
    parts: dict[str, bytes | None] = {"leaf": good.leaf, "event": good.event, "nonce": good.nonce}
    parts |= {"event": entry(5).event} if broken == "event" else {broken: None}
    assert "unlogged" in promises(check([], [Entry(0, **parts)], {}, baseline=1))


def test_an_event_without_a_place_in_the_log_is_found() -> None:
    """A second event nobody was told of is a double effect."""
    log = [entry(0), entry(1)]
    assert promises(check([told(log[0], key="a")], log, {})) == {"duplicate"}


def test_what_an_act_writes_beside_its_own_entry_is_its() -> None:
    """Padding names the act; padding of an act that the log does not hold is a double effect."""
    log = [entry(0), entry(1, kind="padding", act=entry(0).facts()["id"])]
    assert check([told(log[0], key="a")], log, {}) == []
    log = [entry(0), entry(1, kind="padding", act="event-9")]
    assert promises(check([told(log[0], key="a")], log, {})) == {"duplicate"}


def test_one_unknown_act_explains_one_event_only() -> None:
    """Two events for one lost request are one too many."""
    log = [entry(0), entry(1)]
    assert promises(check([Act(0, "decision", "awo", "AWO-1")], log, {})) == {"duplicate"}


def test_an_unknown_act_about_another_client_explains_nothing() -> None:
    """The commitment must open with the reference that was sent."""
    assert promises(check([Act(0, "decision", "awo", "AWO-2")], [entry(0)], {})) == {"duplicate"}


def test_two_effects_of_one_key_are_found() -> None:
    """The same key answered with two indices."""
    log = [entry(0), entry(1)]
    assert promises(check([told(each, key="a") for each in log], log, {})) == {"duplicate"}


def test_two_answers_with_one_index_are_found() -> None:
    """Two partners may not be shown the same entry."""
    log = [entry(0)]
    assert promises(check([told(log[0]), told(log[0])], log, {})) == {"duplicate"}


def test_a_key_that_settles_nothing_is_found() -> None:
    """An act with a key may not stay unknown."""
    assert promises(check([Act(0, "decision", "awo", "AWO-1", key="a")], [], {})) == {"unresolved"}


def test_a_failure_that_was_recorded_is_found() -> None:
    """Told that nothing was recorded, and yet it is in the log."""
    refused = Act(0, "decision", "awo", "AWO-1", outcome=Outcome.REFUSED)
    assert promises(check([refused], [entry(0)], {})) == {"false failure"}


def test_an_answer_that_names_another_event_is_found() -> None:
    """Index and leaf are right, but they record something else."""
    log = [entry(0)]
    assert promises(check([told(log[0], event_id="event-7")], log, {})) == {"unlogged"}
    assert promises(check([told(log[0], "consent")], log, {})) == {"unlogged"}


def test_rows_and_events_must_agree() -> None:
    """A row without event is unlogged, an event without row is missing, a doubled row is missing its one."""
    log = [entry(0, "consent")]
    act = told(log[0], "consent")
    assert promises(check([act], log, {"consent": ["event-0", "event-5"]})) == {"unlogged"}
    assert promises(check([act], log, {"consent": []})) == {"missing"}
    assert promises(check([act], log, {"consent": ["event-0", "event-0"]})) == {"missing"}


def test_an_act_without_an_index_is_found_by_what_it_says() -> None:
    """A registration's answer names no index; its reference opens the commitment of exactly one event."""
    log = [entry(0, "client", "AWO-7")]
    registered = Act(0, "client", "awo", "AWO-7", outcome=Outcome.ACKNOWLEDGED)
    assert check([registered], log, {}) == []
    assert promises(check([registered], [], {})) == {"missing"}
    assert promises(check([registered], [*log, entry(1, "client", "AWO-7")], {})) == {"duplicate"}
