"""Three networks in which everything was done that changes what is held, to be replayed and tampered with."""

from pathlib import Path

from consent_registry.operations.erasure.erasures import ByReference
from consent_registry.operations.erasure.retention import set_periods
from tests.journeys.clients.test_links import code_of, redeem
from tests.journeys.consents.test_releases import RELEASE, sealed
from tests.support.erasing import administering, erasing, hold, lift, north
from tests.support.installation import Partner, Registry
from tests.support.office import Body, Office, office
from tests.support.persons_with_history import a_life, erase
from tests.support.small_network import consent_body, published, question

LATER = {"valid_until": "2028-06-30T00:00:00.000000Z"}


async def fill(registry: Registry, ledger: Path) -> str:
    """Do all of it; returns the reference of somebody who was erased."""
    first, second = await office(registry, "north"), await office(registry, "south")
    admin = await registry.partner("admin")
    text = await _texts(admin)
    await consents(Office(first.partner, text), second)
    await links(first, second)
    left = await links(first, second)
    await _frame(registry, admin)
    gone, _ = await a_life(first, second)
    async with erasing(registry, ledger) as eraser:
        await erase(eraser, ByReference("south", left))
        await erase(eraser, north(gone))
    await a_life(first, second)
    await releases(registry)
    return gone


async def _texts(admin: Partner) -> str:
    """Publish three texts: one stays, one is found void with consents on it, and one has a stale translation."""
    ids = [await _text(admin, version) for version in ("10", "11", "12")]
    await _admin(admin, f"/texts/{ids[2]}/stale-translations", {"language": "en", "reason": "outdated"})
    await _admin(admin, "/text-invalidations", {"text": ids[1], "language": None, "reason": "form"})
    return ids[0]


async def _text(admin: Partner, version: str) -> str:
    return str((await _admin(admin, "/texts", published(version, "en")))["text"]["id"])


async def _admin(admin: Partner, path: str, body: Body) -> Body:
    answer = await admin.post(path, body)
    assert answer.status_code == 201, answer.text
    made: Body = answer.json()
    return made


async def consents(first: Office, second: Office) -> None:
    """Confirmed, restricted and freed, renewed and renewed in vain, void, withdrawn in part, with evidence later."""
    client = await first.client()
    earlier = await first.consent(client)
    body = consent_body(client, first.text) | {"renews": earlier["consent_id"]} | LATER
    later = await first.post("/consents", body)
    path = f"/consents/{later['consent_id']}"
    await first.post(f"{path}/restrictions", {"categories": ["contact", "identity"]})
    await first.post(f"{path}/restriction-liftings", {})
    await first.post(f"{path}/receipt-codes", {})
    decision = await first.post("/decisions", question(client), 200)
    sent = {"outcome": "sent", "categories": ["identity"]}
    await first.post(f"/decisions/{decision['decision_id']}/transfers", sent)
    await first.post(f"{path}/invalidations", {"reason": "pressure"})
    back = consent_body(client, first.text, sender="south", recipient="north", categories=["identity"])
    asked = await first.post("/consents", back)
    await second.post(f"/consents/{asked['consent_id']}/confirmations", {})
    unproven = consent_body(await first.client(), first.text)
    unproven["act"]["evidence"] = None
    consent = await first.post("/consents", unproven)
    proof = {"sha256": "cd" * 32, "media_type": "application/pdf", "kept_at": "Cabinet"}
    await first.post(f"/consents/{consent['consent_id']}/evidence", proof)
    withdrawal = {"consent_id": consent["consent_id"], "channel": "phone"}
    grants = [grant["grant_id"] for grant in consent["grants"]]
    await first.post("/withdrawals", withdrawal | {"grants": grants, "categories": ["contact"]})
    await second.post("/withdrawals", withdrawal)


async def links(first: Office, second: Office) -> str:
    """One client at two partners, linked by a code, withdrawn by the other's reference, and unlinked; returns that one,
    of whose withdrawal something is left when it is erased.
    """
    client = await first.client()
    consent = await first.consent(client)
    linked = await redeem(second, await code_of(first, client, partner="south"))
    await second.post("/withdrawals", {"client": linked, "channel": "letter"})
    assert await first.outcome(client) == "no_permission", consent
    await second.post("/unlinkings", {"client": linked})
    return linked


async def _frame(registry: Registry, admin: Partner) -> None:
    for verb in ("suspensions", "reinstatements"):
        await _admin(admin, f"/{verb}", {"partner": "east"})
    flags = await registry.partner("admin", "flags")
    revoked = registry.stranger("school", "flags").client_id
    await _admin(flags, "/credential-revocations", {"client_id": revoked})
    for _ in range(2):
        body = {"subject": {"purpose": "residence-advice"}, "approved_by": "D-1", "norm": "Art. 35 DSGVO"} | LATER
        approval = await _admin(flags, "/approvals", body)
    approval_id = approval["approval"]["approval_id"]
    await _admin(flags, f"/approvals/{approval_id}/revocations", {"revoked_by": "D-1"})
    first = await office(registry, "north")
    held = await hold(registry, north(await first.client()))
    await lift(registry, held)
    await hold(registry, north(await first.client()))
    async with administering(registry) as (runtime, network):
        await set_periods(runtime, network, 2, 4)


async def releases(registry: Registry) -> None:
    """Two releases from secrecy, one of them withdrawn."""
    awo = await office(registry, "awo-paderborn", "paderborn")
    for _ in range(2):
        _, consent = await sealed(awo, RELEASE)
    release = (await awo.get(f"/consents/{consent['consent_id']}"))["releases"][0]["release_id"]
    await awo.post("/withdrawals", {"consent_id": consent["consent_id"], "releases": [release], "channel": "phone"})
