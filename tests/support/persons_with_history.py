"""Persons about whom everything was done that can be done, to be erased."""

import secrets
import uuid

from consent_registry.operations.erasure.erasures import (
    Eraser,
    RecordedErasure,
    Target,
    perform_erasure,
    preview_erasure,
)
from tests.support.erasing import small
from tests.support.installation import Registry
from tests.support.office import Body, Office
from tests.support.small_network import consent_body, question

GROUND = "consent_withdrawn"


async def a_life(first: Office, second: Office) -> tuple[str, Body]:
    """Do everything the registry can do about a client; return north's reference and the consent."""
    reference = f"LIFE-{uuid.uuid4()}"
    await first.outcome(reference)  # asked before anybody knows the person
    await first.post("/clients", {"reference": reference})
    consent = await a_consent(first, reference)
    code = {"receipt_code": consent["receipt_code"], "channel": "phone"}
    decision = await first.post("/decisions", question(reference, receipt=True), 200)
    sent = {"outcome": "sent", "categories": ["identity"]}
    await first.post(f"/decisions/{decision['decision_id']}/transfers", sent)
    await first.get(f"/consents/{consent['consent_id']}")
    await first.post("/consents/search", {"client": reference}, 200)
    await second.get(f"/consents/{consent['consent_id']}")
    grant = consent["grants"][0]["grant_id"]
    await second.post("/withdrawals", code | {"grants": [grant], "categories": ["contact"]})
    await first.post(f"/consents/{consent['consent_id']}/endings", {"reason": "case_closed"})
    again = await a_consent(first, reference)
    await second.post(f"/consents/{again['consent_id']}/restrictions", {})
    return reference, consent


async def a_consent(first: Office, reference: str) -> Body:
    """Record a consent of three grants, one of them refused, with evidence that is nobody else's."""
    body = consent_body(reference, first.text)
    grant = body["grants"][0]
    body["grants"] += [grant | {"purpose": "housing"}, grant | {"answer": "refused"}]
    body["act"]["evidence"] |= {"sha256": secrets.token_hex(32), "kept_at": f"File {uuid.uuid4()}"}
    return await first.post("/consents", body)


async def clients_of(registry: Registry, consent: Body) -> list[str]:
    """Return the client's id behind a consent, seen past every rule."""
    async with registry.sql() as connection:
        found = await connection.fetch(
            "select client_id from registry.consents where consent_id = $1", consent["consent_id"]
        )
    return [str(row[0]) for row in found]


async def erase(eraser: Eraser, target: Target) -> RecordedErasure:
    """Preview and do it."""
    network = await small(eraser)
    shown = await preview_erasure(eraser, network, target)
    return await perform_erasure(eraser, network, target, ground=GROUND, confirmed=shown.digest)
