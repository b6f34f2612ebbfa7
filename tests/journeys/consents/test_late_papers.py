"""A withdrawal is final: a paper that was given before it was received is withdrawn from the start, whenever it comes,
and papers recorded before it are taken back with it (Art. 7 Abs. 3 DSGVO).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any

import msgspec
import pytest

from consent_registry.domain.grants import Grant
from consent_registry.domain.withdrawals import RecordedWithdrawal, Withdrawn, take_back_all
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from tests.journeys.clients.test_links import BACK, TO_NORTH, code_of, redeem
from tests.support.installation import Installation, Registry, fresh
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import consent_body, question

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
EAST = {"sender": "east", "recipient": "north", "purpose": "support", "categories": ["identity"]}


def now() -> datetime:
    """The moment."""
    return datetime.now(UTC)


def instant(at: datetime) -> str:
    """An instant as requests say it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def paper(at: Office, client: str, given_at: datetime, *, precision: str | None = None, **grant: object) -> Body:
    """A paper that was given at this moment."""
    body = consent_body(client, at.text, **grant)
    body["act"] |= {"given_at": instant(given_at)} | ({} if precision is None else {"given_at_precision": precision})
    return body


async def record(at: Office, client: str, given_at: datetime, **members: Any) -> Body:  # noqa: ANN401 - of any type
    """Record such a paper."""
    return await at.post("/consents", paper(at, client, given_at, **members))


async def withdraw(at: Office, status: int = 201, **members: object) -> Body:
    """Record a withdrawal by phone."""
    return await at.post("/withdrawals", {"channel": "phone"} | members, status)


def codes(consent: Body) -> list[str]:
    """The codes of a consent's remarks, but that its text was published today: the papers here are older."""
    return [remark["code"] for remark in consent["remarks"] if remark["code"] != "text_published_later"]


async def changes_of(registry: Registry, consent: Body) -> dict[str, list[str]]:
    """What each partner's change feed says of a consent."""
    async with registry.sql() as connection:
        rows = await connection.fetch(
            """
            select p.slug, c.kind from registry.changes c join registry.partners p using (network_id, partner_id)
            where c.consent_id = $1 order by c.change_id
            """,
            consent["consent_id"],
        )
    told: dict[str, list[str]] = {}
    for row in rows:
        told.setdefault(row["slug"], []).append(row["kind"])
    return told


def targets(client: str, consent: Body) -> list[Body]:
    """Every way in which a client can withdraw a consent."""
    return [
        {"client": client},
        {"consent_id": consent["consent_id"]},
        {"receipt_code": consent["receipt_code"]},
        {"client": client, "grants": [consent["grants"][0]["grant_id"]]},
        {"client": client, "scope": "everything"},
        {"receipt_code": consent["receipt_code"], "scope": "everything"},
    ]


@pytest.mark.parametrize("how", range(6))
async def test_a_paper_from_before_is_withdrawn_from_the_start(registry: Registry, how: int) -> None:
    """However the client withdrew, a paper given yesterday for the same flow is recorded, withdrawn, and permits
    nothing; its recorder is told why. The recipient is not told of a consent that was never in force.
    """
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client)
    await withdraw(north, **targets(client, consent)[how])
    late = await record(north, client, now() - DAY)
    assert (late["status"], late["grants"][0]["status"], codes(late)) == ("withdrawn", "withdrawn", ["withdrawn_since"])
    assert late["remarks"][-1]["norm"] == "Art. 7 Abs. 3 DSGVO"
    assert late["grants"][0]["withdrawn_categories"] == ["identity", "contact"]
    assert await north.outcome(client) == "no_permission"
    assert await changes_of(registry, late) == {}
    shown = await north.get(f"/consents/{late['consent_id']}")
    assert (shown["status"], codes(shown)) == ("withdrawn", ["withdrawn_since"])
    # What is given after the withdrawal counts.
    after = await north.consent(client)
    assert (after["status"], codes(after)) == ("given", [])
    assert await north.outcome(client) == "permit"
    await check_log(registry)


async def test_late_papers_of_every_kind(registry: Registry) -> None:
    """Of the other direction, recorded by the recipient, and of a flow that the withdrawal was not about."""
    north, south, east = [await office(registry, slug) for slug in ("north", "south", "east")]
    client = await north.client()
    await withdraw(north, client=client)
    before = now() - DAY
    back = await record(north, client, before, **BACK)
    assert (back["status"], codes(back)) == ("withdrawn", ["withdrawn_since"])
    await south.post(f"/consents/{back['consent_id']}/confirmations", {}, 404)
    housing = await record(north, client, before, purpose="housing")
    assert housing["status"] == "withdrawn"
    # East knows the client by a reference of its own: its withdrawal covers its own flows alone.
    theirs = await east.client()
    await withdraw(east, client=theirs)
    late = await record(east, theirs, before, **EAST)
    assert late["status"] == "withdrawn"
    neighbour = await north.client()
    assert (await record(north, neighbour, before))["status"] == "given"
    assert await north.outcome(neighbour) == "permit"
    await check_log(registry)


async def test_of_some_categories_these_are_struck(registry: Registry) -> None:
    """A withdrawal of some categories strikes them from a late paper and leaves the rest."""
    north = await office(registry, "north")
    asked = {"recipient": "south", "purpose": "support", "categories": ["identity", "contact"]}
    for by in ("client", "consent_id"):
        client = await north.client()
        consent = await north.consent(client)
        target = client if by == "client" else consent["consent_id"]
        part: Body = {by: target, "categories": ["contact"]}
        said = await withdraw(north, **part)
        assert said["withdrawn"] == [consent["grants"][0]["grant_id"]]
        late = await record(north, client, now() - DAY)
        grant = late["grants"][0]
        assert (grant["status"], grant["withdrawn_categories"]) == ("given", ["contact"])
        assert codes(late) == ["withdrawn_since"]
        answer = await north.post("/decisions", asked | {"client": client}, 200)
        assert answer["permitted_categories"] == ["identity"]
        # Two withdrawals add up.
        await withdraw(north, client=client, categories=["identity"])
        whole = await record(north, client, now() - DAY)
        assert whole["status"] == "withdrawn"
        assert await north.outcome(client) == "no_permission"
    await check_log(registry)


async def test_what_the_withdrawal_did_not_cover_is_given(registry: Registry) -> None:
    """By consent its flows and categories are covered: another purpose and a further category are not."""
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client, categories=["identity"])
    await withdraw(north, consent_id=consent["consent_id"])
    late = await record(north, client, now() - DAY)
    assert (late["status"], late["grants"][0]["withdrawn_categories"]) == ("given", ["identity"])
    housing = await record(north, client, now() - DAY, purpose="housing")
    assert (housing["status"], codes(housing)) == ("given", [])
    await check_log(registry)


async def test_the_moment_of_receipt(registry: Registry) -> None:
    """A paper of the very moment of receipt is from before, one of a microsecond later is not; a paper ahead of the
    clock was given when it was recorded.
    """
    north = await office(registry, "north")
    client = await north.client()
    received = now() - HOUR
    await withdraw(north, client=client, received_at=instant(received))
    assert (await record(north, client, received))["status"] == "withdrawn"
    assert (await record(north, client, received + timedelta(microseconds=1)))["status"] == "given"
    ahead = await north.client()
    before = await record(north, ahead, now() + timedelta(seconds=50))
    assert (await withdraw(north, client=ahead))["withdrawn"] == [before["grants"][0]["grant_id"]]
    assert (await record(north, ahead, now() + timedelta(seconds=50)))["status"] == "given"
    await check_log(registry)


@pytest.mark.parametrize(("precision", "status"), [("day", "withdrawn"), ("instant", "given"), (None, "given")])
async def test_a_paper_with_a_day_and_no_hour(registry: Registry, precision: str | None, status: str) -> None:
    """A paper of the day of the receipt counts as from before if it bears no hour, recorded first or last. The day is
    that in Germany.
    """
    north = await office(registry, "north")
    noon = (now() - 3 * DAY).replace(hour=12)
    first, last = await north.client(), await north.client()
    consent = await record(north, first, noon + HOUR, precision=precision)
    for client in (first, last):
        await withdraw(north, client=client, received_at=instant(noon))
    assert (await north.get(f"/consents/{consent['consent_id']}"))["status"] == status
    for client in (first, last):
        assert (await record(north, client, noon + HOUR, precision=precision))["status"] == status
    # Half past eleven in the evening in Greenwich is the next day in Germany.
    assert (await record(north, last, noon.replace(hour=23, minute=30), precision=precision))["status"] == "given"
    assert (await record(north, last, noon - HOUR, precision=precision))["status"] == "withdrawn"
    await check_log(registry)


async def test_another_precision_is_no_word_of_the_contract(registry: Registry) -> None:
    """`day` and `instant` are all there is."""
    north = await office(registry, "north")
    client = await north.client()
    await north.post("/consents", paper(north, client, now(), precision="hour"), 400)


async def test_a_withdrawal_before_its_paper_is_kept(registry: Registry) -> None:
    """A client of whom nothing is on record withdraws: 201 with empty lists, and the paper that comes later is
    withdrawn. An unknown reference is 404.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    said = await withdraw(north, client=client)
    assert (said["withdrawn"], said["still_given"]) == ([], [])
    again = await withdraw(north, client=client)
    assert again["withdrawal_id"] != said["withdrawal_id"]
    late = await record(north, client, now() - DAY)
    assert late["status"] == "withdrawn"
    await withdraw(north, 404, client="nobody")
    await withdraw(north, 404, client="nobody", scope="everything")
    # South takes part in the flow and withdraws by its own reference, under which nothing is on record.
    theirs = await redeem(south, await code_of(north, known := await north.client()))
    await withdraw(south, client=theirs, channel="letter")
    assert (await record(north, known, now() - DAY))["status"] == "withdrawn"
    assert (await record(north, known, now()))["status"] == "given"
    await check_log(registry)


async def test_a_consent_that_is_wholly_withdrawn_is_409(registry: Registry) -> None:
    """By consent and by code, also where another paper for its flow was given since."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    consent = await north.consent(client)
    await withdraw(north, consent_id=consent["consent_id"])
    await withdraw(north, 409, consent_id=consent["consent_id"])
    await withdraw(south, 409, receipt_code=consent["receipt_code"])
    after = await north.consent(client)
    await withdraw(north, 409, consent_id=consent["consent_id"])
    assert await north.outcome(client) == "permit"
    late = await record(north, client, now() - DAY, purpose="housing")
    assert late["status"] == "given"
    await withdraw(south, receipt_code=late["receipt_code"], scope="everything")
    await withdraw(south, 409, receipt_code=after["receipt_code"])
    await check_log(registry)


async def test_the_flow_is_taken_back_on_every_paper(registry: Registry) -> None:
    """A withdrawal of one consent takes back the other papers for its flow, recorded by whom ever, and says so; with
    `only_this_consent` they go on and are named.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    theirs = await redeem(south, await code_of(north, client))
    first, second = await north.consent(client), await north.consent(client)
    third = await south.post("/consents", consent_body(theirs, south.text))
    await north.post(f"/consents/{third['consent_id']}/confirmations", {})
    grants = [consent["grants"][0]["grant_id"] for consent in (first, second, third)]
    alone = await withdraw(north, consent_id=first["consent_id"], only_this_consent=True)
    assert alone["withdrawn"] == grants[:1]
    assert sorted(alone["still_given"]) == sorted(grants[1:])
    assert await north.outcome(client) == "permit"
    assert (await record(north, client, now() - DAY))["status"] == "given"
    rest = await withdraw(north, consent_id=second["consent_id"])
    assert set(grants[1:]) <= set(rest["withdrawn"])
    assert rest["still_given"] == []
    assert await north.outcome(client) == "no_permission"
    assert (await south.get(f"/consents/{third['consent_id']}"))["status"] == "withdrawn"
    assert (await changes_of(registry, third))["south"][-1] == "consent_withdrawn"
    await check_log(registry)


async def test_only_this_consent_needs_a_consent(registry: Registry) -> None:
    """It is 400 with a client and with everything, and goes with a code."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    consent, second = await north.consent(client), await north.consent(client)
    code = consent["receipt_code"]
    await withdraw(north, 400, client=client, only_this_consent=True)
    await withdraw(north, 400, client=client, scope="everything", only_this_consent=True)
    await withdraw(south, 400, receipt_code=code, scope="everything", only_this_consent=True)
    said = await withdraw(south, receipt_code=code, only_this_consent=True)
    assert said["still_given"] == [second["grants"][0]["grant_id"]]
    assert await north.outcome(client) == "permit"
    await check_log(registry)


async def test_what_was_given_after_the_receipt_goes_on(registry: Registry) -> None:
    """A withdrawal that was received yesterday takes back nothing by client that was given today, and says what goes
    on. The consent that it names it takes back whenever that was given.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await north.client()
    old, new = await record(north, client, now() - 3 * DAY), await north.consent(client)
    received = instant(now() - DAY)
    said = await withdraw(north, client=client, received_at=received)
    assert said["withdrawn"] == [old["grants"][0]["grant_id"]]
    assert said["still_given"] == [new["grants"][0]["grant_id"]]
    assert await north.outcome(client) == "permit"
    everything = await withdraw(north, client=client, received_at=received, scope="everything")
    assert (everything["withdrawn"], everything["still_given"]) == ([], said["still_given"])
    by_code = await withdraw(south, receipt_code=new["receipt_code"], received_at=received)
    assert by_code["withdrawn"] == said["still_given"]
    assert await north.outcome(client) == "no_permission"
    await check_log(registry)


async def test_nothing_that_follows_heals_a_late_paper(registry: Registry) -> None:
    """Not its confirmation, not evidence, and no renewal; nor does a late paper renew what is in force."""
    north, south = await office(registry, "north"), await office(registry, "south")
    client = await south.client()
    await withdraw(south, client=client)
    late = await south.post("/consents", paper(south, client, now() - DAY))
    assert late["status"] == "withdrawn"
    await north.post(f"/consents/{late['consent_id']}/confirmations", {}, 404)
    renewal = paper(south, client, now()) | {"renews": late["consent_id"]}
    refused = await south.post("/consents", renewal, 422)
    assert {fault["rule"] for fault in refused["errors"]} == {"renewal_revives"}
    own = await north.client()
    before = await record(north, own, now() - 3 * DAY)
    await withdraw(north, client=own)
    after = await north.consent(own)
    renewing = paper(north, own, now() - DAY) | {"renews": after["consent_id"]}
    old_yes = await north.post("/consents", renewing)
    assert (old_yes["status"], codes(old_yes)) == ("withdrawn", ["withdrawn_since"])
    assert (await north.get(f"/consents/{after['consent_id']}"))["status"] == "given"
    assert (await north.get(f"/consents/{before['consent_id']}"))["status"] == "withdrawn"
    assert await north.outcome(own) == "permit"
    await check_log(registry)


async def test_a_link_applies_what_either_reference_withdrew(registry: Registry) -> None:
    """What south's client withdrew is withdrawn in north's earlier papers when the two are linked, and what north's
    withdrew in south's; parties are told, and unlinking brings nothing back.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    client, theirs = await north.client(), await south.client()
    ours = await north.consent(client)
    back = await south.consent(theirs, **BACK)
    await withdraw(south, client=theirs, categories=["contact"])
    await withdraw(north, client=client, categories=["identity"])
    assert await south.outcome(theirs, **TO_NORTH) == "permit"
    await north.consent(client, purpose="housing")
    await redeem(south, await code_of(north, client), theirs, 200)
    shown = await north.get(f"/consents/{ours['consent_id']}")
    assert (shown["status"], shown["grants"][0]["withdrawn_categories"]) == ("withdrawn", ["identity", "contact"])
    assert await north.outcome(client) == "no_permission"
    assert await north.outcome(client, purpose="housing") == "permit"
    assert await south.outcome(theirs, **TO_NORTH) == "no_permission"
    assert (await changes_of(registry, back)) == {
        "north": ["consent_given", "consent_withdrawn"],
        "south": ["consent_withdrawn"],
    }
    await south.post("/unlinkings", {"client": theirs})
    assert await south.outcome(theirs, **TO_NORTH) == "no_permission"
    assert await north.outcome(client) == "no_permission"
    # Each is a client of its own again: a late paper is compared with its own withdrawals.
    assert (await record(south, theirs, now() - DAY, **BACK))["status"] == "given"
    assert (await record(north, client, now() - DAY, categories=["identity"]))["status"] == "withdrawn"
    await check_log(registry)


async def test_a_withdrawal_stays_with_each_reference(registry: Registry) -> None:
    """Each reference that means the client has the withdrawal: unlinking one of them un-withdraws nothing under it."""
    north, south = await office(registry, "north"), await office(registry, "south")
    for by in ("client", "consent_id", "receipt_code"):
        client = await north.client()
        theirs = await redeem(south, await code_of(north, client))
        consent = await north.consent(client, **BACK)
        target = {"client": client, "consent_id": consent["consent_id"], "receipt_code": consent["receipt_code"]}[by]
        await withdraw(north, **{by: target})
        await south.post("/unlinkings", {"client": theirs})
        late = await record(south, theirs, now() - DAY, **BACK)
        assert (late["status"], by) == ("withdrawn", by)
    await check_log(registry)


Step = tuple[str, timedelta]


async def _play(north: Office, steps: Sequence[Step], by: str) -> tuple[list[str], list[list[str]], str]:
    """Record these acts of a new client in this order; return the status and withdrawn categories of each paper, by
    when it was given, and what may be sent.
    """
    client, moment = await north.client(), now()
    papers: dict[timedelta, str] = {}
    for act, ago in steps:
        if act == "paper":
            papers[ago] = (await record(north, client, moment - ago))["consent_id"]
        elif act == "contact":
            await withdraw(north, client=client, received_at=instant(moment - ago), categories=["contact"])
        else:
            scope: Body = {"scope": "everything"} if by == "everything" else {}
            await withdraw(north, client=client, received_at=instant(moment - ago), **scope)
    shown = [await north.get(f"/consents/{papers[ago]}") for ago in sorted(papers)]
    answer = await north.post("/decisions", question(client), 200)
    return (
        [consent["status"] for consent in shown],
        [consent["grants"][0]["withdrawn_categories"] for consent in shown],
        answer["outcome"],
    )


@pytest.mark.parametrize("by", ["client", "everything"])
@pytest.mark.parametrize(
    ("acts", "outcome"),
    [
        ([("paper", 4 * DAY), ("whole", 2 * DAY), ("paper", DAY)], "permit"),
        ([("paper", 4 * DAY), ("paper", 3 * DAY), ("whole", 2 * DAY)], "no_permission"),
        ([("paper", 4 * DAY), ("contact", 3 * DAY), ("paper", 2 * DAY), ("contact", DAY)], "partial"),
        ([("paper", 4 * DAY), ("contact", DAY), ("whole", 3 * DAY), ("paper", 2 * DAY)], "partial"),
    ],
)
async def test_every_order_of_entry_has_one_outcome(
    registry: Registry, acts: Sequence[Step], outcome: str, by: str
) -> None:
    """The same papers and withdrawals, recorded in every order, give the same statuses and the same answer."""
    north = await office(registry, "north")
    seen = [await _play(north, order, by) for order in permutations(acts)]
    assert all(found == seen[0] for found in seen), seen
    assert seen[0][2] == outcome
    await check_log(registry)


def _nothing(*_: object) -> list[Withdrawn]:
    return []


async def test_a_paper_held_against_nothing_would_be_seen(installation: Installation) -> None:
    """Control: if papers were not compared with the withdrawals on record, a late paper would permit."""
    async with fresh(installation, make_runtime=partial(Runtime, steps=Steps(take_back_all=_nothing))) as registry:
        north = await office(registry, "north")
        client = await north.client()
        await withdraw(north, client=client)
        assert (await record(north, client, now() - DAY))["status"] == "given"
        assert await north.outcome(client) == "permit"
        everything = await north.client()
        await withdraw(north, client=everything, scope="everything")
        await record(north, everything, now() - DAY)
        assert await north.outcome(everything) == "permit"


async def test_a_day_read_as_an_instant_would_be_seen(installation: Installation) -> None:
    """Control: if the hour of a paper that bears none were believed, a paper of the day of the receipt would permit."""

    def by_the_hour(
        grants: Iterable[Grant], withdrawals: Iterable[RecordedWithdrawal], moment: datetime
    ) -> list[Withdrawn]:
        exact = [msgspec.structs.replace(grant, given_at_precision="instant") for grant in grants]
        return take_back_all(exact, withdrawals, moment)

    async with fresh(installation, make_runtime=partial(Runtime, steps=Steps(take_back_all=by_the_hour))) as registry:
        north = await office(registry, "north")
        noon = (now() - 3 * DAY).replace(hour=12)
        client = await north.client()
        await withdraw(north, client=client, received_at=instant(noon))
        assert (await record(north, client, noon + HOUR, precision="day"))["status"] == "given"
        assert await north.outcome(client) == "permit"


async def test_a_link_that_applies_nothing_would_be_seen(installation: Installation) -> None:
    """Control: if a link did not look at withdrawals, what one reference withdrew would go on under the other."""
    async with fresh(installation, make_runtime=partial(Runtime, steps=Steps(take_back_all=_nothing))) as registry:
        north, south = await office(registry, "north"), await office(registry, "south")
        client, theirs = await north.client(), await south.client()
        await north.consent(client)
        await withdraw(south, client=theirs)
        await redeem(south, await code_of(north, client), theirs, 200)
        assert await north.outcome(client) == "permit"
