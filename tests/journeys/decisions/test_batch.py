"""A batch of decisions: many questions with one commit, each answered and logged as a single question is."""

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office
from tests.support.small_network import question


async def test_answers_stand_in_the_order_asked(registry: Registry) -> None:
    """A batch is answered in the order asked, with consecutive places in the log."""
    north = await office(registry, "north")
    agreed, silent = await north.client(), await north.client()
    await north.consent(agreed)
    questions = [
        question(agreed, receipt=True),
        question(silent),
        question(agreed, categories=["contact", "health"]),
        question(agreed, basis="statute", norm="§ 69 SGB X"),
        question(agreed),
        question("unknown"),
    ]
    answers = (await north.post("/decisions/batch", {"decisions": questions}, 200))["decisions"]
    assert [answer["outcome"] for answer in answers] == [
        "permit",
        "no_permission",
        "partial",
        "not_consent_based",
        "permit",
        "no_permission",
    ]
    assert ["receipt" in answer for answer in answers] == [True, False, False, False, False, False]
    first = answers[0]["log"]["index"]
    assert [answer["log"]["index"] for answer in answers] == list(range(first, first + 6))
    assert len({answer["decided_at"] for answer in answers}) == 1
    events = await check_log(registry)
    assert [answer["decision_id"] for answer in answers] == [event["id"] for event in events[first : first + 6]]
    for answer in answers:
        assert await north.get(f"/decisions/{answer['decision_id']}") == answer


async def test_one_malformed_item_refuses_them_all(registry: Registry) -> None:
    """If one question is malformed, the whole batch is refused with every fault, and nothing is logged."""
    north = await office(registry, "north")
    before = len(await check_log(registry))
    bad = [question("a"), question("b", recipient="nobody"), question("c", categories=["identity", "nothing"])]
    refused = await north.post("/decisions/batch", {"decisions": bad}, 400)
    assert [fault["pointer"] for fault in refused["errors"]] == ["/decisions/1/recipient", "/decisions/2/categories/1"]
    assert len(await check_log(registry)) == before


async def test_a_thousand_and_no_more(registry: Registry) -> None:
    """A batch of 1000 questions is answered with one commit; 1001 and an empty batch are refused."""
    north = await office(registry, "north")
    client = await north.client()
    await north.consent(client)
    thousand = [question(client if number % 2 else f"N-{number}") for number in range(1000)]
    answers = (await north.post("/decisions/batch", {"decisions": thousand}, 200))["decisions"]
    assert [answer["outcome"] for answer in answers] == ["no_permission", "permit"] * 500
    await north.post("/decisions/batch", {"decisions": [*thousand, thousand[0]]}, 400)
    await north.post("/decisions/batch", {"decisions": []}, 400)
    await check_log(registry)
