"""Releases from professional secrecy (§ 203 StGB): everything a secrecy holder passes on needs consent and release."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from consent_registry.domain.instants import format_instant
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
RELEASE = {"holder": AWO, "towards": DIAKONIE, "function": "social-counselling"}
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
    """With consent and release all categories pass. If the release alone is withdrawn, nothing passes: the name, and
    the fact of counselling, are secret too. The recorder is shown what is missing, nobody else is.
    """
    client, consent = await sealed(awo, RELEASE)
    assert await permitted(awo, client) == {"identity", "contact", "mental-health"}
    release = await release_of(diakonie, consent)
    assert (release["holder"], release["towards"], release["status"]) == (AWO, DIAKONIE, "given")
    gone = {"consent_id": consent["consent_id"], "releases": [release["release_id"]], "channel": "phone"}
    assert (await diakonie.post("/withdrawals", gone))["withdrawn"] == []
    assert await permitted(awo, client) == set()
    shown = await awo.get(f"/consents/{consent['consent_id']}")
    assert (shown["status"], shown["releases"][0]["status"]) == ("given", "withdrawn")
    assert shown["grants"][0]["missing"] == ["release"]
    (found,) = (await awo.post("/consents/search", {"client": client}, 200))["items"]
    assert found["grants"][0]["missing"] == ["release"]
    assert "missing" not in (await diakonie.get(f"/consents/{consent['consent_id']}"))["grants"][0]
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
    "towards somebody else": ([{**RELEASE, "towards": JOBCENTER}], "release_needed", "/grants/0"),
    "of some categories": (
        [{**RELEASE, "categories": ["identity", "contact"]}],
        "release_needed",
        "/grants/0/categories/2",
    ),
    "for another purpose": ([{**RELEASE, "purposes": ["employment"]}], "release_needed", "/grants/0"),
    "that is over": ([{**RELEASE, "valid_until": "2024-01-01T00:00:00Z"}], "release_needed", "/grants/0"),
    "of a function in words": ([{**RELEASE, "function": "Sozialberatung"}], "released_party", "/releases/0/function"),
    "of a function of somebody else": (
        [{**RELEASE, "function": "debt-counselling"}],
        "released_party",
        "/releases/0/function",
    ),
    "of all staff": ([{**RELEASE, "function": "all staff"}], "released_party", "/releases/0/function"),
    "of a person by name": (
        [{**RELEASE, "function": None, "person": "Frau Schäfer"}],
        "released_party",
        "/releases/0/person",
    ),
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
    """A release that names a partner or organisation is refused in any spelling."""
    (own,) = [item for item in (await awo.get("/partners"))["items"] if item["slug"] == AWO]
    for name in (own["name"], own["organisation"], own["name"].upper(), own["name"].replace(" ", "  - ")):
        said = await awo.post("/consents", body(awo, await awo.client(), {**RELEASE, "function": name[:120]}), 422)
        assert [fault["rule"] for fault in said["errors"]] == ["released_party"], name


@pytest.mark.parametrize("categories", [["identity"], ["contact"], ["identity", "contact", "employment"]])
async def test_every_category_of_a_secrecy_holder_needs_a_release(awo: Office, categories: list[str]) -> None:
    """Name and contact are entrusted like everything else: without a release a secrecy holder's consent is refused,
    with one it permits exactly these categories.
    """
    flow = {"sender": AWO, "recipient": JOBCENTER, "purpose": "employment", "categories": categories}
    client = await awo.client()
    plain = consent_body(client, awo.text, **flow)
    said = await awo.post("/consents", plain | {"releases": []}, 422)
    assert [(fault["rule"], fault["pointer"]) for fault in said["errors"]] == [("release_needed", "/grants/0")]
    await awo.post("/consents", plain | {"releases": [{**RELEASE, "towards": JOBCENTER}]})
    asked = {"client": client, "recipient": JOBCENTER, "purpose": "employment", "categories": categories}
    assert (await awo.post("/decisions", asked, 200))["outcome"] == "permit"


async def test_any_partner_may_record_a_release(registry: Registry, awo: Office) -> None:
    """§ 203 StGB binds persons: a release that no grant needs is recorded too, of a refusing client's as well, and by a
    Jobcenter, none of whose functions is bound. Its status is that of its consent.
    """
    no = SECRET | {"answer": "refused"}
    client = await awo.client()
    refused = await awo.post("/consents", consent_body(client, awo.text, **no) | {"releases": [RELEASE]})
    assert (refused["status"], refused["releases"][0]["status"]) == ("refused", "refused")
    jobcenter = await office(registry, JOBCENTER, "paderborn")
    flow = {"sender": JOBCENTER, "recipient": AWO, "purpose": "language-support", "categories": ["identity"]}
    plain = consent_body(await jobcenter.client(), jobcenter.text, **flow)
    for released in ({"person": "JC-12"}, {"function": "benefit-clerk"}):
        release = {"holder": JOBCENTER, "towards": AWO, **released}
        recorded = await jobcenter.post("/consents", plain | {"releases": [release]})
        assert [shown["status"] for shown in recorded["releases"]] == ["given"]


async def test_a_release_may_say_less_than_its_grant(awo: Office) -> None:
    """Of two releases each serves its categories; what both name passes; an answer ends when its release does."""
    soon = format_instant(datetime.now(UTC) + timedelta(seconds=120))
    client = await awo.client()
    halves = (
        {**RELEASE, "categories": ["identity", "contact"], "purposes": ["psychosocial"], "valid_until": soon},
        {**RELEASE, "categories": ["mental-health"]},
    )
    consent = await awo.post("/consents", body(awo, client, *halves))
    whole = await awo.post("/decisions", QUESTION | {"client": client}, 200)
    assert (whole["outcome"], whole["expires_at"]) == ("permit", soon)
    last = consent["releases"][1]["release_id"]
    await awo.post("/withdrawals", {"consent_id": consent["consent_id"], "releases": [last], "channel": "phone"})
    assert await permitted(awo, client) == {"identity", "contact"}


@pytest.mark.parametrize("member", ["holder", "towards", "purposes", "categories"])
async def test_a_release_names_entries_of_the_catalogue(awo: Office, member: str) -> None:
    """An unknown slug in a release, and one that is given twice, are malformed and named by pointer."""
    unknown: Body = {**RELEASE, member: ["no-such-entry"] if member in {"purposes", "categories"} else "no-such-entry"}
    said = await awo.post("/consents", body(awo, await awo.client(), unknown), 400)
    pointers = {f"/releases/0/{member}", f"/releases/0/{member}/0"}
    assert {fault["pointer"] for fault in said["errors"]} <= pointers
    if member == "categories":
        twice = {**RELEASE, "categories": ["identity", "identity"]}
        said = await awo.post("/consents", body(awo, await awo.client(), twice), 400)
        assert [fault["pointer"] for fault in said["errors"]] == ["/releases/0/categories"]


async def test_a_renewal_is_served_by_the_earlier_release(registry: Registry, awo: Office) -> None:
    """A renewal needs no release of its own while the renewed consent's is in force. The release's withdrawal stops
    both; then a renewal is refused for want of a release.
    """
    client, earlier = await sealed(awo, RELEASE)
    later = await awo.post("/consents", body(awo, client, renews=earlier["consent_id"]))
    again = await awo.post("/consents", body(awo, client, renews=later["consent_id"]))
    assert (again["releases"], "missing" in again["grants"][0]) == ([], False)
    assert await permitted(awo, client) == {"identity", "contact", "mental-health"}
    gone = {"consent_id": earlier["consent_id"], "channel": "phone"}
    release = await release_of(awo, earlier)
    await awo.post("/withdrawals", gone | {"releases": [release["release_id"]]})
    assert await permitted(awo, client) == set()
    assert (await awo.get(f"/consents/{again['consent_id']}"))["grants"][0]["missing"] == ["release"]
    said = await awo.post("/consents", body(awo, client, renews=again["consent_id"]), 422)
    assert [fault["rule"] for fault in said["errors"]] == ["release_needed"]
    await check_log(registry, "paderborn")


async def test_a_renewal_may_bring_its_own_release(registry: Registry, awo: Office) -> None:
    """Withdrawing either release of two consents that a renewal connects withdraws both, and the log names both."""
    client, earlier = await sealed(awo, RELEASE)
    later = await awo.post("/consents", body(awo, client, RELEASE, renews=earlier["consent_id"]))
    release = await release_of(awo, earlier)
    assert (release["status"], (await release_of(awo, later))["status"]) == ("renewed", "given")
    gone = {"consent_id": earlier["consent_id"], "releases": [release["release_id"]], "channel": "phone"}
    await awo.post("/withdrawals", gone)
    assert (await release_of(awo, later))["status"] == "withdrawn"
    assert await permitted(awo, client) == set()
    withdrawals = [event for event in await check_log(registry, "paderborn") if event["kind"] == "withdrawal"]
    assert len(withdrawals[-1]["releases"]) == len({earlier["consent_id"], later["consent_id"]})
