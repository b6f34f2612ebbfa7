"""Nobody learns from an answer, its headers, the work it caused or its time whether a person is a client, or was."""

import itertools
import math
import os
import random
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.campaigns.silence.ranks import auc, trimmed_t
from tests.campaigns.silence.silence import STATES, lengths, persons, shape
from tests.campaigns.silence.statements import Statements, difference, usual
from tests.campaigns.support.scene import CREATED, OK, Person, Scene, key, play, register
from tests.campaigns.support.server import Server, running, serving
from tests.campaigns.support.wire import Answer

pytestmark = [pytest.mark.campaign, pytest.mark.alone]

FULL = 2500
# Controls are measured at full size in any case: what they show is small where nothing else is at work.
TIMED = int(os.environ.get("SILENCE_REQUESTS", "1250"))
REPETITIONS = 12
EACH = 10
QUESTIONS = 100
LARGEST_T = 4.5
# States that leave nothing behind that a decision would have to look through.
ALIKE = ("unknown", "another partner's", "never asked", "refused", "expired")

Ask = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Registry:
    """A server with persons of every state, whom no question changes."""

    server: Server
    people: dict[str, list[str]]

    def work(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the statements that each state costs by each way."""
        return play(self.server, lambda stage: work(stage, self.people))

    def verdicts(self, states: Sequence[str], requests: int, questions: int | None = None) -> "Verdicts":
        """Measure answers for persons of these states, and return how well they can be distinguished."""
        return verdicts(play(self.server, lambda stage: timed(stage, self.people, states, requests, questions)))


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """One worker, so that one process's work is compared with itself."""
    with running("silence", workers=1) as server:
        yield Registry(server, play(server, lambda stage: persons(stage, EACH)))


@pytest.fixture(scope="module")
def server(registry: Registry) -> Server:
    """Return the server alone."""
    return registry.server


async def ask(person: Person, stage: Scene, reference: str, **members: object) -> Answer:
    """Ask for the first flow of the example partner."""
    return await person.post("/decisions", stage.outgoing()[0].question(reference, **members))


async def ask_in_batch(person: Person, stage: Scene, reference: str) -> Answer:
    """Ask for the same in the middle of two other questions."""
    foreign = stage.outgoing()[0].question("P-nobody")
    return await person.post(
        "/decisions/batch", {"decisions": [foreign, stage.outgoing()[0].question(reference), foreign]}
    )


@pytest.mark.parametrize("way", ["single", "with receipt", "batch"])
def test_answers_do_not_betray_a_persons_state(registry: Registry, way: str) -> None:
    """Status, header names and values, members and length of a decision are the same for every state of a person."""

    async def campaign(stage: Scene) -> list[tuple[str, Answer]]:
        people = registry.people
        me = stage.person(stage.sender)
        found = []
        for number in range(EACH):
            for state in random.sample(STATES, len(STATES)):
                reference = people[state][number]
                if way == "batch":
                    found.append((state, await ask_in_batch(me, stage, reference)))
                else:
                    found.append((state, await ask(me, stage, reference, receipt=way == "with receipt")))
        return found

    answers = play(registry.server, campaign)
    first = shape(answers[0][1])
    assert first["status"] == OK
    assert all(shape(answer) == first for _, answer in answers)
    for by_length in lengths(answers).values():
        assert len(by_length) == 1, by_length


async def work(stage: Scene, people: dict[str, list[str]]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return, for a single question and one inside a batch, the statements each state costs."""
    me = stage.person(stage.sender)
    counted: dict[str, dict[str, list[tuple[str, ...]]]] = {w: {s: [] for s in STATES} for w in ("single", "batch")}
    statements = await Statements.of(stage.server)
    for repetition in range(REPETITIONS):
        for state, way in itertools.product(STATES, counted):
            do = ask if way == "single" else ask_in_batch
            reference = people[state][repetition % EACH]
            counted[way][state].append(await statements.caused_by(lambda: do(me, stage, reference)))  # noqa: B023
    await statements.close()
    return {way: {state: usual(seen) for state, seen in by_state.items()} for way, by_state in counted.items()}


def test_every_state_costs_the_same_statements(registry: Registry) -> None:
    """PostgreSQL logs the same statements in the same order for every state, alone and inside a batch."""
    for way, by_state in registry.work().items():
        first = by_state["never asked"]
        assert len(first) > 3, f"{way}: the log shows no work"
        for state, statements in by_state.items():
            assert statements == first, f"{way}, {state}: {difference(statements, first)}"


async def pairs(stage: Scene) -> dict[str, tuple[Person, Ask, Ask]]:
    """Return calls about something that does not exist beside the same call about somebody else's."""
    me, stranger = stage.person(stage.sender), stage.person(_stranger(stage))
    theirs, unknown, mine = (f"P-{uuid.uuid4()}" for _ in range(3))
    await register(stranger, [theirs])
    await register(me, [mine])
    flow = next(f for f in stage.flows if f.sender == stranger.access.partner and f.recipient != me.access.partner)
    made = await stranger.post("/consents", stage.consent(theirs, [flow.grant()]), str(uuid.uuid4()))
    assert made.status == CREATED, made.body
    consent, decision = made.json()["consent_id"], (await stranger.post("/decisions", flow.question(theirs))).json()
    nowhere = _beside(consent)
    report = {"outcome": "sent", "categories": [flow.categories[0]]}
    own_flow = stage.outgoing()[0]

    # Somebody recorded that a client would not let data go to us: that, too, is none of our business.
    towards_us = next(f for f in stage.flows if f.recipient == me.access.partner and not f.statute)
    recorder, refuser = stage.person(towards_us.sender), f"P-{uuid.uuid4()}"
    await register(recorder, [refuser])
    no = await recorder.post("/consents", stage.consent(refuser, [towards_us.grant(answer="refused")]), key())
    refused = no.json()["consent_id"]

    def withdrawal(**by: object) -> Ask:
        return lambda: me.post("/withdrawals", by | {"channel": "phone"}, key())

    return {
        "a consent": (me, lambda: me.get(f"/consents/{nowhere}"), lambda: me.get(f"/consents/{consent}")),
        "withdrawal by consent": (me, withdrawal(consent_id=nowhere), withdrawal(consent_id=consent)),
        "a refusal": (me, lambda: me.get(f"/consents/{nowhere}"), lambda: me.get(f"/consents/{refused}")),
        "withdrawal of a refusal": (me, withdrawal(consent_id=nowhere), withdrawal(consent_id=refused)),
        "withdrawal by client": (me, withdrawal(client=unknown), withdrawal(client=theirs)),
        "withdrawal by code": (me, withdrawal(receipt_code=CODES[0]), withdrawal(receipt_code=CODES[1])),
        "a decision": (
            me,
            lambda: me.get(f"/decisions/{nowhere}"),
            lambda: me.get(f"/decisions/{decision['decision_id']}"),
        ),
        "a transfer": (
            me,
            lambda: me.post(f"/decisions/{nowhere}/transfers", report, key()),
            lambda: me.post(f"/decisions/{decision['decision_id']}/transfers", report, key()),
        ),
        "a search": (
            me,
            lambda: me.post("/consents/search", {"client": unknown}),
            lambda: me.post("/consents/search", {"client": theirs}),
        ),
        "a consent to record": (
            me,
            lambda: me.post("/consents", stage.consent(unknown, [own_flow.grant()]), key()),
            lambda: me.post("/consents", stage.consent(theirs, [own_flow.grant()]), key()),
        ),
    }


CODES = ("0000-0000-0000", "0000-0000-0001")
"""Two codes nobody was given: of two that differ in the last digit alone at most one passes its check digit."""


def _stranger(stage: Scene) -> str:
    return next(f.sender for f in stage.flows if stage.sender not in {f.sender, f.recipient} and not f.statute)


def _beside(identifier: str) -> str:
    """Return an identifier of the same moment that belongs to nothing."""
    return identifier[:-12] + uuid.uuid4().hex[:12]


def test_what_is_not_yours_looks_like_what_does_not_exist(server: Server) -> None:
    """Unknown and foreign consents, clients, codes and decisions answer alike and cause as many statements."""

    async def campaign(stage: Scene) -> None:
        calls = await pairs(stage)
        statements = await Statements.of(server)
        for name, (_, unknown, foreign) in calls.items():
            left, right = await unknown(), await foreign()
            assert shape(left) == shape(right), f"{name}: {left} {right}"
            assert len(left.body) == len(right.body), name
            if name == "withdrawal by code":
                continue  # a wrong check digit is known without asking, and says nothing about anybody
            work: tuple[list[tuple[str, ...]], list[tuple[str, ...]]] = ([], [])
            for _ in range(REPETITIONS):
                work[0].append(await statements.caused_by(unknown))
                work[1].append(await statements.caused_by(foreign))
            first, second = usual(work[0]), usual(work[1])
            assert len(first) == len(second), f"{name}: {difference(first, second)}"
        await statements.close()

    play(server, campaign)


async def timed(
    stage: Scene, people: dict[str, list[str]], states: Sequence[str], requests: int, questions: int | None
) -> dict[str, list[float]]:
    """Ask for persons of each state in random order on one connection and return the seconds each answer took.

    The database knows its tables as it does after a day's work: the plans of tables nobody has analyzed yet are slow
    for everybody, which hides much. `questions` are put at once, as a batch about one person.
    """
    database = await stage.server.sql()
    await database.execute("analyze")
    await database.close()
    me = stage.person(stage.sender)
    seconds: dict[str, list[float]] = {state: [] for state in states}
    for number in range(-EACH, requests):
        for state in random.sample(states, len(states)):
            reference = people[state][number % EACH]
            answer = await (ask(me, stage, reference) if questions is None else _often(me, stage, reference, questions))
            assert answer.status == OK
            if number >= 0:
                seconds[state].append(answer.ended_at - answer.began_at)
    return seconds


async def _often(person: Person, stage: Scene, reference: str, questions: int) -> Answer:
    """Ask for each flow of the example partner in turn, in one batch."""
    flows = itertools.islice(itertools.cycle(stage.outgoing()), questions)
    return await person.post("/decisions/batch", {"decisions": [flow.question(reference) for flow in flows]})


Verdicts = dict[tuple[str, str], tuple[float, float]]


def verdicts(seconds: dict[str, list[float]]) -> Verdicts:
    """Return for each pair of states how well their times tell them apart: AUC and t."""
    pairs_of_states = itertools.combinations(seconds, 2)
    return {(a, b): (auc(seconds[a], seconds[b]), trimmed_t(seconds[a], seconds[b])) for a, b in pairs_of_states}


def shown(found: Verdicts) -> str:
    """Say in a line for each pair how well it was told apart, for the output and the message of a failing test."""
    report = "\n".join(f"{a} / {b}: AUC {area:.4f}, t {t:+.2f}" for (a, b), (area, t) in found.items())
    print(report)  # noqa: T201 - the figures of the run
    return report


def stray(requests: int) -> float:
    """Return how far the AUC of two equal samples may stray from a half.

    It falls with the root of their size: a smaller run allows as many standard deviations as a full one, so that it
    raises a false alarm no more often.
    """
    return 0.03 * math.sqrt(FULL / requests)


def told_apart(found: Verdicts, requests: int) -> list[tuple[str, str]]:
    """Return the pairs of states that somebody who measures can tell apart."""
    return [pair for pair, (area, t) in found.items() if abs(area - 0.5) > stray(requests) or abs(t) >= LARGEST_T]


def test_times_do_not_betray_a_persons_state(registry: Registry) -> None:
    """No pair of states can be distinguished by the time an answer takes."""
    found = registry.verdicts(STATES, TIMED)
    report = shown(found)
    assert told_apart(found, TIMED) == [], report


def test_the_work_itself_hardly_differs_and_an_early_return_would(registry: Registry) -> None:
    """Answers that leave as soon as they are ready betray no state that left nothing to look through.

    Controls: they do betray a long history, so it is the wait that hides one; and with an early return for unknown
    clients, statements and both measures tell.
    """
    with serving(registry.server, EVEN_MS="1"):
        found = registry.verdicts((*ALIKE, "often withdrawn"), FULL)
    report = shown(found)
    apart = told_apart(found, FULL)
    assert all("often withdrawn" in pair for pair in apart), report
    assert ("unknown", "often withdrawn") in apart, f"the control was not caught\n{report}"
    with serving(registry.server, "tests.campaigns.defects.early_return:create_app", EVEN_MS="1"):
        early = registry.work()["single"]
        control = registry.verdicts(("unknown", "never asked"), FULL // 2)
    assert early["unknown"] != early["never asked"], "the control was not caught by its statements"
    area, t = control["unknown", "never asked"]
    assert abs(area - 0.5) > stray(FULL), f"the control was not caught\n{shown(control)}"
    assert abs(t) >= LARGEST_T, f"the control was not caught\n{shown(control)}"


def test_many_questions_about_one_person_tell_no_more_than_one(registry: Registry) -> None:
    """A batch's answer leaves as evenly as one question's. Control: a person looked up for each question, and answers
    that leave as soon as they are ready, tell a history.
    """
    states = ("unknown", "never asked", "often withdrawn", "linked")
    found = registry.verdicts(states, TIMED // 8, QUESTIONS)
    report = shown(found)
    assert all(abs(t) < LARGEST_T for _, t in found.values()), report
    with serving(registry.server, "tests.campaigns.defects.lookups_one_by_one:create_app", EVEN_MS="1"):
        control = registry.verdicts(states, FULL // 16, QUESTIONS)
    assert abs(control["unknown", "often withdrawn"][1]) >= LARGEST_T, f"the control was not caught\n{shown(control)}"
