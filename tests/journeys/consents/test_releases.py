"""Releases from professional secrecy (§ 203 StGB): data under secrecy need consent and release."""

import pytest
import pytest_asyncio

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import consent_body

AWO, DIAKONIE, JOBCENTER = "awo-paderborn", "diakonie-paderborn-hoexter", "jobcenter-kreis-paderborn"
SECRET = {
    "sender": AWO,
    "recipient": DIAKONIE,
    "purpose": "psychosocial",
    "categories": ["identity", "contact", "mental-health"],
    "explicit": True,
}
RELEASE = {"holder": AWO, "towards": DIAKONIE, "function": "Sozialberatung"}
QUESTION = {name: SECRET[name] for name in ("recipient", "purpose", "categories")}


@pytest_asyncio.fixture
async def awo(registry: Registry) -> Office:
    """Return an office whose staff are bound to secrecy."""
    return await office(registry, AWO, "paderborn")


@pytest_asyncio.fixture
async def diakonie(registry: Registry) -> Office:
    """Return the office towards which the release is given."""
    return await office(registry, DIAKONIE, "paderborn")


def body(at: Office, client: str, *releases: Body, **members: object) -> Body:
    """Return a consent to the flow under secrecy, with these releases."""
    return consent_body(client, at.text, **SECRET) | {"releases": list(releases)} | members


async def sealed(at: Office, *releases: Body, **members: object) -> tuple[str, Body]:
    """Record a consent of a new client with these releases."""
    client = await at.client()
    return client, await at.post("/consents", body(at, client, *releases, **members))


async def permitted(at: Office, client: str) -> set[str]:
    """Return the permitted categories of a question."""
    answer = await at.post("/decisions", QUESTION | {"client": client}, 200)
    return set(answer["permitted_categories"])


async def release_of(at: Office, consent: Body, query: str = "") -> Body:
    """Return the only release of a consent as this office sees it."""
    (release,) = (await at.get(f"/consents/{consent['consent_id']}{query}"))["releases"]
    return dict(release)


async def test_both_gates_must_be_open(awo: Office, diakonie: Office) -> None:
    """With consent and release all categories pass. If the release alone is withdrawn, categories under secrecy are
    denied.
    """
    client, consent = await sealed(awo, RELEASE)
    assert await permitted(awo, client) == {"identity", "contact", "mental-health"}
    release = await release_of(diakonie, consent)
    assert (release["holder"], release["towards"], release["status"]) == (AWO, DIAKONIE, "given")
    gone = {"consent_id": consent["consent_id"], "releases": [release["release_id"]], "channel": "phone"}
    assert (await diakonie.post("/withdrawals", gone))["withdrawn"] == []
    assert await permitted(awo, client) == {"identity", "contact"}
    shown = await awo.get(f"/consents/{consent['consent_id']}")
    assert (shown["status"], shown["releases"][0]["status"]) == ("given", "withdrawn")
    before = f"?as_of={consent['recorded_at']}"
    assert (await release_of(awo, consent, before))["status"] == "given"
    await diakonie.post("/withdrawals", gone, 409)


async def test_a_release_lapses_with_its_occasion(awo: Office, diakonie: Office) -> None:
    """A release ends with its consent: ended, withdrawn or void. As of an earlier time it shows its status of that
    time.
    """
    acts = {
        "ended": ("endings", {"reason": "case_closed"}),
        "invalidated": ("invalidations", {"reason": "pressure"}),
    }
    for status, (noun, reason) in acts.items():
        _, consent = await sealed(awo, RELEASE)
        await awo.post(f"/consents/{consent['consent_id']}/{noun}", reason)
        assert (await release_of(diakonie, consent))["status"] == status
        known = f"?as_known_at={consent['recorded_at']}"
        assert (await release_of(diakonie, consent, known))["status"] == "given"
    client, consent = await sealed(awo, RELEASE)
    await awo.post("/withdrawals", {"consent_id": consent["consent_id"], "channel": "letter"})
    assert (await release_of(awo, consent))["status"] == "withdrawn"
    assert await permitted(awo, client) == set()


WRONG: dict[str, tuple[list[Body], str, str]] = {
    "none": ([], "release_needed", "/grants/0"),
    "turned round": ([{**RELEASE, "holder": DIAKONIE, "towards": AWO}], "release_needed", "/grants/0"),
    "of somebody else": ([RELEASE, {**RELEASE, "towards": JOBCENTER}], "release_not_needed", "/releases/1"),
    "of nobody": ([{**RELEASE, "function": None}], "released_party", "/releases/0"),
    "the institution by its slug": (
        [{**RELEASE, "function": "AWO Paderborn"}],
        "released_party",
        "/releases/0/function",
    ),
    "the institution as a person": ([{**RELEASE, "person": "AWO-Paderborn"}], "released_party", "/releases/0/person"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_releases_are_refused(awo: Office, name: str) -> None:
    """A missing release, a needless one, and a release of an institution are refused with rule, norm and pointer."""
    releases, rule, pointer = WRONG[name]
    said = await awo.post("/consents", body(awo, await awo.client(), *releases), 422)
    assert (rule, pointer, "§ 203 Abs. 1 StGB") in {
        (fault["rule"], fault["pointer"], fault.get("norm")) for fault in said["errors"]
    }


async def test_an_institution_is_none_by_its_name(awo: Office) -> None:
    """A release that names a partner or organisation is refused in any spelling; a function is accepted."""
    (own,) = [item for item in (await awo.get("/partners"))["items"] if item["slug"] == AWO]
    for name in (own["name"], own["organisation"], own["name"].upper(), own["name"].replace(" ", "  - ")):
        said = await awo.post("/consents", body(awo, await awo.client(), {**RELEASE, "function": name[:120]}), 422)
        assert [fault["rule"] for fault in said["errors"]] == ["released_party"], name
    await sealed(awo, {**RELEASE, "function": f"Sozialberatung der {own['name']}"[:120]})


async def test_a_refusal_needs_no_release(awo: Office) -> None:
    """A refused flow under secrecy is recorded without a release; with a release it is refused."""
    no = SECRET | {"answer": "refused"}
    plain = consent_body(await awo.client(), awo.text, **no)
    assert (await awo.post("/consents", plain))["status"] == "refused"
    said = await awo.post("/consents", plain | {"releases": [RELEASE]}, 422)
    assert [fault["rule"] for fault in said["errors"]] == ["release_not_needed"]


async def test_a_renewal_brings_its_own_release(registry: Registry, awo: Office) -> None:
    """A renewal needs its own release. Withdrawing either release withdraws both, and the log names both."""
    client, earlier = await sealed(awo, RELEASE)
    renewing = {"renews": earlier["consent_id"]}
    said = await awo.post("/consents", body(awo, client, **renewing), 422)
    assert [fault["rule"] for fault in said["errors"]] == ["release_needed"]
    later = await awo.post("/consents", body(awo, client, RELEASE, **renewing))
    release = await release_of(awo, earlier)
    assert (release["status"], (await release_of(awo, later))["status"]) == ("renewed", "given")
    gone = {"consent_id": earlier["consent_id"], "releases": [release["release_id"]], "channel": "phone"}
    await awo.post("/withdrawals", gone)
    assert (await release_of(awo, later))["status"] == "withdrawn"
    assert await permitted(awo, client) == {"identity", "contact"}
    withdrawals = [event for event in await check_log(registry, "paderborn") if event["kind"] == "withdrawal"]
    assert len(withdrawals[-1]["releases"]) == len({earlier["consent_id"], later["consent_id"]})
