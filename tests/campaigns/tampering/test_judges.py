"""The judges of the silence and repetition campaigns themselves: each sees the defect it is there for."""

import json

import pytest

from tests.campaigns.freshness.link_history import Asked, Turn, faults, log_faults
from tests.campaigns.idempotency.repeats import Sending
from tests.campaigns.silence.silence import lengths, shape
from tests.campaigns.silence.statements import difference, read, usual
from tests.campaigns.support.wire import Answer

ID = "01a201d0-7eaf-7f60-96d7-bf1c8b7c9edf"
OTHER = "01a201d5-f615-745c-9f4e-f1d947773871"


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An answer as it comes from the wire."""
    content = json.dumps(body).encode()
    given = {"content-type": "application/json", "content-length": str(len(content)), "x-request-id": ID}
    return Answer(status, given | (headers or {}), content, 0.0, 0.0, 0.0)


def decision(identifier: str, index: int, **members: object) -> dict[str, object]:
    """A decision's body."""
    denied = {"outcome": "no_permission", "denied_categories": ["identity"]}
    return {"decision_id": identifier, "log": {"index": index, "leaf": "x"}} | denied | members


def test_a_shape_forgets_identifiers_times_and_places() -> None:
    """Two answers to different questions of one kind have one shape."""
    left = answer(decision(ID, 7, decided_at="a"), 200, {"date": "then", "location": f"/consents/{ID}"})
    right = answer(decision(OTHER, 8, decided_at="b"), 200, {"date": "now", "location": f"/consents/{OTHER}"})
    assert shape(left) == shape(right)


@pytest.mark.parametrize(
    "differing",
    [
        answer(decision(OTHER, 8), 404),
        answer(decision(OTHER, 8, outcome="permit")),
        answer(decision(OTHER, 8, reason="withdrawn")),
        answer(decision(OTHER, 8, denied_categories=[])),
        answer(decision(OTHER, 8), 200, {"x-cache": "hit"}),
        answer(decision(OTHER, 8), 200, {"content-type": "application/problem+json"}),
    ],
)
def test_a_shape_keeps_everything_else(differing: Answer) -> None:
    """A status, an outcome, a member, a list, a header or its value distinguishes two answers."""
    assert shape(answer(decision(ID, 7))) != shape(differing)


def test_a_shape_keeps_the_order_of_headers() -> None:
    """The same headers in another order are another code path."""
    left, right = answer({}, 200, {"a": "1", "b": "2"}), answer({}, 200, {"b": "2", "a": "1"})
    assert shape(left) != shape(right)


def test_lengths_compare_answers_whose_indices_are_as_long() -> None:
    """One digit more in the index is everybody's; one character more elsewhere is somebody's."""
    same = [("unknown", answer(decision(ID, 9))), ("withdrawn", answer(decision(OTHER, 10)))]
    assert all(len(by_length) == 1 for by_length in lengths(same).values())
    longer = [("unknown", answer(decision(ID, 9))), ("withdrawn", answer(decision(OTHER, 8, outcome="no_permission.")))]
    assert any(len(by_length) > 1 for by_length in lengths(longer).values())


LOG = """\
@71 consent_registry_app@ LOG:  statement: begin; set local registry.network = '1'
@71 consent_registry_app@ LOG:  execute __asyncpg_stmt_4__:\x20
\t    select 1
\t    from registry.grants
@9 @ LOG:  checkpoint starting: time
@71 consent_registry_app@ LOG:  execute <unnamed>: select registry.append($1)
@71 consent_registry_app@ DETAIL:  Parameters: $1 = '...'
@71 consent_registry_app@ LOG:  statement: commit
@72 consent_registry_sealer@ LOG:  statement: select 1
"""


def test_statements_are_read_from_postgresqls_log() -> None:
    """One entry each, several lines folded into one, whatever else is logged left out."""
    begin, commit = "begin; set local registry.network = '1'", "commit"
    assert read(LOG) == [begin, "select 1 from registry.grants", "select registry.append($1)", commit]


def test_the_usual_statements_are_those_of_most_repetitions() -> None:
    """A background job that strays into one repetition is no finding; a split vote is."""
    assert usual([("a", "b"), ("a", "b"), ("a", "job", "b")]) == ("a", "b")
    with pytest.raises(AssertionError):
        usual([("a",), ("b",)])
    assert "only left: {'b': 1}" in difference(("a", "b"), ("a",))


def sending(*answers: Answer) -> Sending:
    """One operation with these answers."""
    return Sending("awo", "/consents", "consent", ID, answers, 0)


AT, REPLAYED = {"location": "/x"}, {"idempotency-replayed": "true"}
FIRST = answer({"consent_id": ID}, 201, AT)
AGAIN = answer({"consent_id": ID}, 201, AT | REPLAYED)


def test_one_first_answer_and_its_repetitions_are_no_fault() -> None:
    """As the contract says, in any order."""
    assert not sending(FIRST).faults()
    assert not sending(AGAIN, FIRST, AGAIN).faults()


@pytest.mark.parametrize(
    "wrong",
    [
        (FIRST, FIRST),
        (AGAIN, AGAIN),
        (FIRST, answer({"consent_id": OTHER}, 201, AT | REPLAYED)),
        (FIRST, answer({"consent_id": ID}, 200, AT | REPLAYED)),
        (FIRST, answer({"consent_id": ID}, 201, REPLAYED)),
        (FIRST, answer({"consent_id": ID}, 201, AT | {"idempotency-replayed": "yes"})),
    ],
)
def test_two_effects_or_two_answers_are_a_fault(wrong: tuple[Answer, ...]) -> None:
    """Two firsts, no first, another body, another status, a lost Location, another word than true."""
    assert sending(*wrong).faults()


LINKED, UNLINKED = Turn(linked=True, started=1, answered=2), Turn(linked=False, started=5, answered=6)
RELINKED = Turn(linked=True, started=9, answered=10)


def test_a_permit_by_a_link_that_is_gone_is_a_fault() -> None:
    """Surely linked and denied, surely unlinked and permitted are; whatever overlaps a turn may be either."""
    turns = [LINKED, UNLINKED, RELINKED]
    assert not faults(
        turns,
        [
            Asked(permitted=True, started=3, answered=4),
            Asked(permitted=False, started=7, answered=8),
            Asked(permitted=True, started=4, answered=7),
            Asked(permitted=False, started=4, answered=5.5),
        ],
    )
    (stale,) = faults(turns, [Asked(permitted=True, started=7, answered=8)])
    (lost,) = faults(turns, [Asked(permitted=False, started=3, answered=4)])
    assert (stale[:5], lost[:4]) == ("stale", "lost")


def test_a_log_that_permits_by_somebody_elses_consent_is_a_fault() -> None:
    """Before the link and after the unlinking it is; between, and by an own consent, it is not."""
    grants = {"g": "a"}
    link = [{"kind": "link", "client": client, "group": "L"} for client in ("a", "b")]
    unlink = [{"kind": "unlinking", "client": "b", "id": "U"}]
    own = [{"kind": "decision", "client": "a", "grants": ["g"], "index": 1}]
    changed = [{"kind": "decision", "client": "b", "grants": ["g"], "index": 2}]
    assert not log_faults(own + link + changed + own + unlink + own, grants)
    assert len(log_faults(changed + link + unlink + changed, grants)) == 2
