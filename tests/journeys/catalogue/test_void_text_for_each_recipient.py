"""Paderborn's text is found void: each recipient gets a use ban for its own grants and sees no other's."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.flag_scene import body_of, grant, permitted
from tests.support.installation import Installation, Registry, fresh
from tests.support.log_check import check_log
from tests.support.office import office, told

AWO, JOBCENTER, IN_VIA = "awo-paderborn", "jobcenter-kreis-paderborn", "in-via-paderborn"
DIAKONIE, CARITAS, BUEREN = "diakonie-paderborn-hoexter", "caritas-paderborn", "caritas-bueren"
FLOWS = [
    (AWO, JOBCENTER, "employment"),
    (AWO, IN_VIA, "employment"),
    (AWO, DIAKONIE, "psychosocial"),
    (JOBCENTER, AWO, "language-support"),
    (JOBCENTER, CARITAS, "debt-advice"),
    (BUEREN, JOBCENTER, "employment"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def paderborn(installation: Installation) -> AsyncIterator[Registry]:
    """Run the application on a database of its own, because the network's only text is void afterwards."""
    async with fresh(installation) as registry:
        yield registry


async def test_each_recipient_is_forbidden_what_it_got(paderborn: Registry) -> None:
    """All consents on the text are void, those of every recorder. Each recipient sees a use ban on its own grants and
    cannot see others. Senders are notified without a use ban. Nothing more is permitted or recorded on the text.
    """
    offices = {slug: await office(paderborn, slug, "paderborn") for flow in FLOWS for slug in flow[:2]}
    made = []
    for sender, recipient, purpose in FLOWS:
        at = offices[sender]
        client = await at.client()
        flow = grant(sender, recipient, purpose, explicit=purpose == "psychosocial")
        consent = await at.post("/consents", body_of(client, at.text, flow))
        assert await permitted(at, client, recipient, purpose, "identity") == ["identity"]
        made.append((consent, client, sender, recipient, purpose))

    admin = await paderborn.partner("admin", "paderborn")
    answer = await admin.post("/text-invalidations", {"text": offices[AWO].text, "reason": "vague_text"})
    assert answer.status_code == 201, answer.text
    assert told(answer)["consents"] >= len(FLOWS)

    for consent, client, sender, recipient, purpose in made:
        path = f"/consents/{consent['consent_id']}"
        assert await permitted(offices[sender], client, recipient, purpose, "identity") == []
        for slug, viewer in offices.items():
            if slug not in {sender, recipient}:
                await viewer.get(path, 404)
        (banned,) = (await offices[recipient].get(path))["grants"]
        assert (banned["status"], banned["use_ban"]) == ("invalidated", True)
    async with paderborn.sql() as sql:
        rows = await sql.fetch(
            "select c.consent_id::text, p.slug, c.use_ban, c.acknowledge_by is not null from registry.changes c"
            " join registry.partners p using (network_id, partner_id)"
            " where c.kind = 'consent_invalidated' and c.consent_id = any ($1)",
            [consent["consent_id"] for consent, *_ in made],
        )
    expected = {(consent["consent_id"], recipient, True, True) for consent, _, _, recipient, _ in made}
    expected |= {(consent["consent_id"], sender, False, False) for consent, _, sender, _, _ in made}
    assert {tuple(row) for row in rows} == expected
    assert len(rows) == len(expected)

    client = made[0][1]
    refused = await offices[AWO].post("/consents", body_of(client, offices[AWO].text, grant(*FLOWS[0])), 422)
    assert [fault["rule"] for fault in refused["errors"]] == ["text_void"]
    voided = [event for event in await check_log(paderborn, "paderborn") if event["kind"] == "invalidation"]
    assert {consent["consent_id"] for consent, *_ in made} <= {event["consent"] for event in voided}
