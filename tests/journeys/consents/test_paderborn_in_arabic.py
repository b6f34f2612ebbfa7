"""Paderborn: a client reads Arabic, a lay interpreter helps, and one of two grants is refused."""

from tests.support.flag_scene import body_of, grant, permitted
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office

AWO, JOBCENTER = "awo-paderborn", "jobcenter-kreis-paderborn"
GIVEN = ("identity", "contact", "language-level", "qualifications")
REFUSED = "employment"
LAY = {"kind": "lay", "language": "ar"}


async def test_one_tick_is_refused_and_nobody_at_the_jobcenter_learns_it(five_networks: Registry) -> None:
    """The given categories pass; the last employer, which the client refused, does not, alone or together with others.
    The Jobcenter sees the given grant only. The log holds language, interpreter and the hash of the Arabic text.
    """
    awo, jobcenter = [await office(five_networks, slug, "paderborn") for slug in (AWO, JOBCENTER)]
    client = await awo.client()
    consent = await awo.post(
        "/consents",
        body_of(
            client,
            awo.text,
            grant(AWO, JOBCENTER, "employment", *GIVEN),
            grant(AWO, JOBCENTER, "employment", REFUSED, answer="refused"),
            text={"language": "ar"},
            information={"interpreter": LAY, "told": ["no_effect_on_benefits"]},
        ),
    )
    assert [grant["status"] for grant in consent["grants"]] == ["given", "refused"]
    assert consent["remarks"] == []

    assert await permitted(awo, client, JOBCENTER, "employment", *GIVEN) == list(GIVEN)
    assert await permitted(awo, client, JOBCENTER, "employment", *GIVEN, REFUSED) == list(GIVEN)
    everything = {"recipient": JOBCENTER, "purpose": "employment", "categories": [*GIVEN, REFUSED]}
    assert await awo.outcome(client, **everything) == "partial"
    assert await permitted(awo, client, JOBCENTER, "employment", REFUSED) == []

    seen = await jobcenter.get(f"/consents/{consent['consent_id']}")
    assert [(grant["status"], tuple(grant["categories"])) for grant in seen["grants"]] == [("given", GIVEN)]
    assert "refused" not in str(seen)
    (found,) = (await jobcenter.post("/consents/search", {"limit": 1}, 200))["items"]
    assert (found["consent_id"], found["status"], len(found["grants"])) == (consent["consent_id"], "given", 1)
    for status, expected in (("refused", False), ("given", True)):
        items = (await jobcenter.post("/consents/search", {"status": status, "limit": 200}, 200))["items"]
        assert (consent["consent_id"] in {item["consent_id"] for item in items}) is expected

    shown = await awo.get(f"/texts/{awo.text}")
    (arabic,) = [language["sha256"] for language in shown["languages"] if language["language"] == "ar"]
    (event,) = [event for event in await check_log(five_networks, "paderborn") if event["id"] == consent["consent_id"]]
    assert event["text"] == {"id": awo.text, "language": "ar", "sha256": arabic}
    assert event["information"]["interpreter"] == LAY
    assert [grant["answer"] for grant in event["grants"]] == ["given", "refused"]
