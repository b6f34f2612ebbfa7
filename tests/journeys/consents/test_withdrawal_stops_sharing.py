"""The main story: a client consents, the sender asks and sends, the client withdraws, the next question is denied."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import Steps
from consent_registry.storage.database.database import Connection
from consent_registry.storage.decisions.client_locks import FactsQuery
from consent_registry.storage.decisions.facts import Facts, QuestionFacts, load_facts
from tests.support.installation import ISSUER, Installation, Registry, fresh
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office
from tests.support.small_network import consent_body, question


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def _claims(registry: Registry, answer: Body) -> dict[str, Any]:
    """Verify a receipt with the published keys and none of our code, as an outsider would."""
    keys = (await registry.http.get("/.well-known/jwks.json")).json()["keys"]
    header = jwt.get_unverified_header(answer["receipt"])
    assert (header["typ"], header["alg"]) == ("consent-receipt+jwt", "EdDSA")
    (jwk,) = [key for key in keys if key["kid"] == header["kid"]]
    signed, _, signature = answer["receipt"].rpartition(".")
    public = Ed25519PublicKey.from_public_bytes(_bytes(jwk["x"]))
    public.verify(_bytes(signature), signed.encode())
    with pytest.raises(InvalidSignature):
        public.verify(_bytes(signature), signed.encode() + b"x")
    claims: dict[str, Any] = json.loads(_bytes(signed.split(".")[1]))
    return claims


async def _agreed(registry: Registry) -> tuple[Office, str, Body]:
    north = await office(registry, "north")
    client = await north.client()
    return north, client, await north.consent(client)


async def test_withdrawal_stops_sharing(registry: Registry) -> None:
    """A consent permits, with a receipt that an outsider can verify. After a withdrawal the question is denied."""
    north = await office(registry, "north")
    client = await north.client()
    assert await north.outcome(client) == "no_permission"
    consent = await north.consent(client)
    permit = await north.post("/decisions", question(client, receipt=True), 200)
    assert (permit["outcome"], permit["permitted_categories"]) == ("permit", ["identity", "contact"])
    assert {obligation["code"] for obligation in permit["obligations"]} >= {"purpose_binding", "no_onward_transfer"}
    claims = await _claims(registry, permit)
    salt = _bytes(permit["client_salt"])
    assert _bytes(claims["client_commitment"]) == hmac.new(salt, client.encode(), hashlib.sha256).digest()
    decided_at = datetime.fromisoformat(permit["decided_at"])
    assert claims == {
        "iss": ISSUER,
        "iat": int(decided_at.timestamp()),
        "exp": int((decided_at + timedelta(minutes=5)).timestamp()),
        "jti": permit["decision_id"],
        "aud": "south",
        "network": "small",
        "sender": "north",
        "recipient": "south",
        "purpose": "support",
        "categories": ["identity", "contact"],
        "outcome": "permit",
        "log": permit["log"],
        "client_commitment": claims["client_commitment"],
    }
    transfer = {"outcome": "sent", "categories": ["identity", "contact"]}
    await north.post(f"/decisions/{permit['decision_id']}/transfers", transfer)

    withdrawal = {"consent_id": consent["consent_id"], "channel": "phone"}
    answer = await north.post("/withdrawals", withdrawal)
    assert answer["withdrawn"] == [consent["grants"][0]["grant_id"]]
    refused = await north.post("/decisions", question(client, receipt=True), 200)
    assert (refused["outcome"], refused["permitted_categories"], refused["obligations"]) == ("no_permission", [], [])
    assert (await _claims(registry, refused))["categories"] == []
    assert (await north.get(f"/consents/{consent['consent_id']}"))["status"] == "withdrawn"
    await north.post("/withdrawals", withdrawal, 409)
    # The earlier decision reads back byte for byte, and its place in the log is the one that its answer named.
    assert await north.get(f"/decisions/{permit['decision_id']}") == permit
    events = await check_log(registry)
    assert events[permit["log"]["index"]]["id"] == permit["decision_id"]
    kinds = [event["kind"] for event in events if event["client"] == events[permit["log"]["index"]]["client"]]
    # The first decision found the client, but no consent.
    happened = ["client", "decision", "consent", "decision", "transfer", "withdrawal", "decision", "read", "read"]
    assert kinds == happened
    names = json.dumps(events, ensure_ascii=False)
    assert client not in names
    assert "File 1" not in names


@pytest.mark.parametrize("how", ["consent_id", "client", "receipt_code"])
async def test_each_way_to_withdraw_stops_sharing(registry: Registry, how: str) -> None:
    """A withdrawal by consent, client or receipt code denies the next question, whatever times it names. By client it
    takes back what was given until it was received.
    """
    north = await office(registry, "north")
    client = await north.client()
    body = consent_body(client, north.text)
    if how == "client":
        body["act"]["given_at"] = (datetime.now(UTC) - timedelta(days=4)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    consent = await north.post("/consents", body)
    assert await north.outcome(client) == "permit"
    earlier = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    target = {"consent_id": consent["consent_id"], "client": client, "receipt_code": consent["receipt_code"]}[how]
    withdrawal = {how: target, "channel": "letter", "declared_at": earlier, "received_at": earlier}
    await north.post("/withdrawals", withdrawal)
    assert await north.outcome(client) == "no_permission"
    (grant,) = (await north.get(f"/consents/{consent['consent_id']}"))["grants"]
    assert (grant["status"], grant["withdrawn_at"]) == ("withdrawn", earlier)
    await check_log(registry)


async def test_a_remembered_answer_would_be_seen(installation: Installation) -> None:
    """Control: a decision queue that remembers the facts of the first question permits after the withdrawal."""
    remembered: dict[tuple[bytes, ...], list[QuestionFacts]] = {}

    async def load_once(connection: Connection, network_id: int, queries: Sequence[FactsQuery]) -> Facts:
        facts = await load_facts(connection, network_id, queries)
        return msgspec.structs.replace(facts, questions=remembered.setdefault(queries[0].digests, facts.questions))

    async with fresh(installation, make_runtime=partial(Runtime, steps=Steps(load_facts=load_once))) as registry:
        north, client, consent = await _agreed(registry)
        assert await north.outcome(client) == "permit"
        await north.post("/withdrawals", {"consent_id": consent["consent_id"], "channel": "phone"})
        assert await north.outcome(client) == "permit"
