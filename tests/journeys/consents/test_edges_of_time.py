"""Extreme instants and malformed names in a body are refused at once, so that no stored value breaks a later call."""

import uuid
from typing import Any

import pytest

from tests.support.installation import Registry
from tests.support.small_network import consent_body, question

NO_INSTANTS = (
    "9999-12-31T23:59:59.999999Z",  # the database driver reads it as infinity, which has no time zone
    "9999-06-01T00:00:00.000000Z",  # 24 months later is outside the calendar
    "0001-01-01T00:00:00.000000Z",
    "٢٠٢٦-11-20T09:30:00.000000Z",
    "2026-11-20T09:30:00.000000Z\n",
)


async def _client(registry: Registry) -> tuple[str, dict[str, Any]]:
    north = await registry.partner("north")
    text = (await north.get("/texts")).json()["items"][0]["id"]
    client = f"N-{uuid.uuid4()}"
    assert (await north.post("/clients", {"reference": client})).status_code == 201
    return client, consent_body(client, text)


@pytest.mark.parametrize("instant", NO_INSTANTS)
@pytest.mark.parametrize("pointer", ["/valid_from", "/valid_until", "/giver/mandate_until", "/act/given_at"])
async def test_no_instant_poisons_a_client(registry: Registry, pointer: str, instant: str) -> None:
    """An instant that cannot be stored is refused with its pointer, and questions about the client still work."""
    north = await registry.partner("north")
    client, body = await _client(registry)
    *path, member = pointer[1:].split("/")
    place = body
    for step in path:
        place = place[step]
    place[member] = instant
    refused = await north.post("/consents", body)
    assert refused.status_code == 400, refused.text
    assert pointer in {fault["pointer"] for fault in refused.json()["errors"]}
    assert (await north.post("/decisions", question(client))).json()["outcome"] == "no_permission"


async def test_a_line_feed_at_the_end_is_part_of_no_name(registry: Registry) -> None:
    """Ids, slugs, digests, staff references and norms with a line feed at the end are refused."""
    north = await registry.partner("north")
    client, body = await _client(registry)
    evidence = {**body["act"]["evidence"], "sha256": "ab" * 32 + "\n"}
    staff = {**body["information"], "explained_by": "B-12\n"}
    for path, wrong in (
        ("/withdrawals", {"consent_id": f"{uuid.uuid4()}\n", "channel": "phone"}),
        ("/withdrawals", {"client": client, "grants": [f"{uuid.uuid4()}\n"], "channel": "phone"}),
        ("/decisions", question(client, purpose="support\n")),
        ("/decisions", question(client, basis="statute", norm="§ 69 SGB X\n")),
        ("/consents", {**body, "act": {**body["act"], "evidence": evidence}}),
        ("/consents", {**body, "information": staff}),
    ):
        answer = await north.post(path, wrong)
        assert answer.status_code == 400, (wrong, answer.text)
        assert len(answer.json()["errors"]) == 1


async def test_a_consent_lasts_24_months_in_germany(registry: Registry) -> None:
    """Given at half past midnight on 1 March in Berlin, it ends two years later at half past midnight on 1 March."""
    north = await registry.partner("north")
    _, body = await _client(registry)
    body["act"]["given_at"] = "2026-02-28T23:30:00Z"
    for member in ("valid_from", "valid_until"):
        body.pop(member, None)
    made = await north.post("/consents", body)
    assert made.status_code == 201, made.text
    assert made.json()["grants"][0]["valid_until"] == "2028-02-29T23:30:00.000000Z"
