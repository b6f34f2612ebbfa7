"""A mother's family data include her husband's income: they pass only while his own consent permits them."""

from datetime import UTC, datetime, timedelta

from tests.support.flag_scene import body_of, flag_office, grant, permitted, recorded, refusals
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office
from tests.support.planted_rows import planting

FLOW = ("aid", "jobcenter", "subsistence")
DATA = ("identity", "family")


async def _record(aid: Office, client: str, **said: object) -> Body:
    return await aid.post("/consents", body_of(client, aid.text, grant(*FLOW, *DATA) | said))


async def _may(aid: Office, client: str) -> list[str]:
    return await permitted(aid, client, "jobcenter", "subsistence", *DATA)


async def test_without_the_fathers_consent(flagged: Registry) -> None:
    """If third parties did not agree, family data are denied and the rest is permitted: `partial`."""
    aid = await flag_office(flagged, "aid")
    mother = await aid.client()
    made = await _record(aid, mother, third_parties="not_consented")
    assert made["grants"][0]["third_parties"] == "not_consented"
    assert await _may(aid, mother) == ["identity"]
    question = {"client": mother, "recipient": "jobcenter", "purpose": "subsistence", "categories": list(DATA)}
    assert (await aid.post("/decisions", question, 200))["outcome"] == "partial"
    await check_log(flagged, "flags")


async def test_unstated_is_not_consented(flagged: Registry) -> None:
    """A consent that says nothing about third parties lets no family data pass, with a remark. One that says `none`
    lets them pass, without one. Other categories pass either way.
    """
    aid = await flag_office(flagged, "aid")
    client = await aid.client()
    made = await _record(aid, client)
    assert (made["grants"][0]["third_parties"], [remark["code"] for remark in made["remarks"]]) == (
        "unstated",
        ["third_parties_unstated"],
    )
    assert await _may(aid, client) == ["identity"]
    alone = await aid.client()
    made = await _record(aid, alone, third_parties="none")
    assert (made["grants"][0]["third_parties"], made["remarks"]) == ("none", [])
    assert await _may(aid, alone) == list(DATA)
    for answer in (None, "not_consented"):
        silent = await aid.client()
        family = grant(*FLOW, "family", third_parties=answer)
        await aid.post("/consents", body_of(silent, aid.text, family, grant("aid", "jobcenter", "appointment")))
        assert await permitted(aid, silent, "jobcenter", "subsistence", "family") == []
        assert await permitted(aid, silent, "jobcenter", "appointment", "contact") == ["contact"]
    late = await _record(aid, silent, third_parties="none")
    assert await permitted(aid, silent, "jobcenter", "subsistence", "family") == ["family"]
    assert late["remarks"] == []
    plain = await aid.post("/consents", body_of(client, aid.text, grant(*FLOW, "identity")))
    assert plain["grants"][0]["third_parties"] is None


async def test_with_the_fathers_consent_and_no_longer(flagged: Registry) -> None:
    """The father's own consent to the same flow permits the family data until he withdraws it or it is restricted."""
    aid = await flag_office(flagged, "aid")
    father, mother = await aid.client(), await aid.client()
    his = await _record(aid, father, third_parties="none")
    hers = await _record(aid, mother, third_parties="consented", third_party_consents=[his["consent_id"]])
    assert await _may(aid, mother) == list(DATA)
    await aid.post(f"/consents/{his['consent_id']}/restrictions", {})
    assert await _may(aid, mother) == ["identity"]
    await aid.post(f"/consents/{his['consent_id']}/restriction-liftings", {})
    assert await _may(aid, mother) == list(DATA)
    await aid.post("/withdrawals", {"consent_id": his["consent_id"], "categories": ["family"], "channel": "phone"})
    assert await _may(aid, mother) == ["identity"]
    event = await recorded(flagged, hers)
    assert event["grants"][0]["third_party_grants"] == [his["grants"][0]["grant_id"]]
    assert hers["grants"][0]["third_parties"] == "consented"


async def test_sent_after_the_father_withdrew(flagged: Registry) -> None:
    """The father's withdrawal was received before the family data were sent, and recorded after it. The sender's DPO
    finds the transfer under the mother's name, in the period in which it became known. Other categories and earlier
    transfers are no findings.
    """
    aid, dpo = await flag_office(flagged, "aid"), await flagged.partner("dpo", "flags")
    father, mother = await aid.client(), await aid.client()
    his = await _record(aid, father, third_parties="none")
    await _record(aid, mother, third_parties="consented", third_party_consents=[his["consent_id"]])
    asked = {"client": mother, "recipient": "jobcenter", "purpose": "subsistence", "categories": list(DATA)}
    before = await aid.post("/decisions", asked, 200)
    await _sent(aid, before, *DATA)
    received = _instant(datetime.now(UTC))
    permit = await aid.post("/decisions", asked, 200)
    sent = await _sent(aid, permit, *DATA)
    since = _instant(_read(sent["recorded_at"]) + timedelta(microseconds=1))
    late = f"/findings?kind=transfer_after_withdrawal&from={since}"
    assert (await dpo.get(late)).json()["items"] == []
    gone = {"consent_id": his["consent_id"], "channel": "letter", "received_at": received, "declared_at": received}
    await aid.post("/withdrawals", gone)
    for query in (late, late.partition("&")[0]):
        (found,) = (await dpo.get(query)).json()["items"]
        assert (found["decision_id"], found["client"]) == (permit["decision_id"], mother)
        assert (found["categories"], found["times"]["received_at"]) == (["family"], received)


async def test_sent_on_what_the_father_said_no_more(flagged: Registry) -> None:
    """The father's consent is restricted and lifted, ended, and found void. Transfers of family data in the meantime
    are findings, and after the invalidation all of them are. The mother's own data are no finding.
    """
    aid, dpo = await flag_office(flagged, "aid"), await flagged.partner("dpo", "flags")
    father, mother = await aid.client(), await aid.client()
    his = f"/consents/{(await _record(aid, father, third_parties='none'))['consent_id']}"
    await _record(aid, mother, third_parties="consented", third_party_consents=[his.rpartition("/")[2]])
    asked = {"client": mother, "recipient": "jobcenter", "purpose": "subsistence", "categories": list(DATA)}
    permit = await aid.post("/decisions", asked, 200)
    sent = [await _sent(aid, permit, *DATA)]
    for act, body in (("restrictions", {}), ("restriction-liftings", {}), ("endings", {"reason": "case_closed"})):
        await aid.post(f"{his}/{act}", body)
        sent.append(await _sent(aid, permit, *DATA))
    since = _instant(_read(sent[-1]["recorded_at"]) + timedelta(microseconds=1))
    await aid.post(f"{his}/invalidations", {"reason": "capacity"})
    ids = [transfer["transfer_id"] for transfer in sent]
    for kind, expected in (
        ("transfer_under_restriction", ids[1:2]),
        ("transfer_after_ending", ids[3:]),
        ("transfer_on_void_grant", ids),
        (f"transfer_on_void_grant&from={since}", ids),
    ):
        items = (await dpo.get(f"/findings?kind={kind}&limit=200")).json()["items"]
        found = {item["finding_id"].partition(":")[2]: item for item in items if item["client"] == mother}
        assert sorted(found) == expected, kind
        assert [finding["categories"] for finding in found.values()] == [["family"]] * len(expected)


async def _sent(aid: Office, decision: Body, *categories: str) -> Body:
    report = {"outcome": "sent", "categories": list(categories)}
    return await aid.post(f"/decisions/{decision['decision_id']}/transfers", report)


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_every_named_person_must_still_agree(flagged: Registry) -> None:
    """Of two third parties one withdraws, or is erased: the family data are denied."""
    aid = await flag_office(flagged, "aid")
    people = [await aid.client() for _ in range(3)]
    first, second = [await _record(aid, person, third_parties="none") for person in people[:2]]
    both = [first["consent_id"], second["consent_id"]]
    await _record(aid, people[2], third_parties="consented", third_party_consents=both)
    assert await _may(aid, people[2]) == list(DATA)
    rule = f"grant_id = '{second['grants'][0]['grant_id']}'"
    async with planting(flagged, "grants", rule) as sql:
        await sql.execute(f"delete from registry.grants where {rule}")  # noqa: S608 - our own id
        assert await _may(aid, people[2]) == ["identity"]


async def test_what_is_no_consent_of_another_person(flagged: Registry) -> None:
    """The client's own consent, a withdrawn, an unknown or a foreign one, and one for another flow or without family
    data are refused with the same detail.
    """
    aid, jobcenter = await flag_office(flagged, "aid"), await flag_office(flagged, "jobcenter")
    mother, father = await aid.client(), await aid.client()
    own = await _record(aid, mother)
    withdrawn = await _record(aid, father)
    await aid.post("/withdrawals", {"consent_id": withdrawn["consent_id"], "channel": "phone"})
    elsewhere = await aid.post("/consents", body_of(father, aid.text, grant("aid", "jobcenter", "appointment")))
    narrow = await aid.post("/consents", body_of(father, aid.text, grant(*FLOW, "identity")))
    theirs = await jobcenter.client()
    foreign = await jobcenter.post(
        "/consents", body_of(theirs, jobcenter.text, grant("jobcenter", "debts", "debt-advice"))
    )
    unfit = [consent["consent_id"] for consent in (own, withdrawn, elsewhere, narrow, foreign)]
    unfit.append("0190b9f0-0000-7000-8000-000000000000")
    said = grant(*FLOW, *DATA, third_parties="consented", third_party_consents=unfit)
    expected = {("third_parties", f"/grants/0/third_party_consents/{number}") for number in range(len(unfit))}
    wanted = body_of(mother, aid.text, said)
    assert await refusals(aid, wanted) == expected
    details = {fault["detail"] for fault in (await aid.post("/consents", wanted, 422))["errors"]}
    assert len(details) == 1


async def test_what_is_said_must_fit(flagged: Registry) -> None:
    """Contradictory statements about third parties are refused, and so is a consent named twice."""
    aid = await flag_office(flagged, "aid")
    mother, father = await aid.client(), await aid.client()
    his = (await _record(aid, father))["consent_id"]
    at = "/grants/0/third_party_consents"
    for said, place in (
        ({"third_parties": "consented"}, at),
        ({"third_parties": "none", "third_party_consents": [his]}, at),
        ({"third_party_consents": [his]}, at),
    ):
        body = body_of(mother, aid.text, grant(*FLOW, *DATA, **said))
        assert await refusals(aid, body) == {("third_parties", place)}
    nobody_else = body_of(mother, aid.text, grant(*FLOW, third_parties="none"))
    assert await refusals(aid, nobody_else) == {("third_parties", "/grants/0/third_parties")}
    twice = grant(*FLOW, *DATA, third_parties="consented", third_party_consents=[his, his])
    await aid.post("/consents", body_of(mother, aid.text, twice), 400)
