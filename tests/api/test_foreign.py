"""Every call with every role and others' ids, references and codes reveals nothing and changes nothing."""

import base64
import json
import random
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from tests.api.calls import CALLS, Belongings, Call, belongings
from tests.campaigns.support.access import Access
from tests.campaigns.support.scene import CREATED, OK, Person, Scene, register, scene
from tests.campaigns.support.server import ROOT, Server
from tests.campaigns.support.wire import Answer, Wire

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE, BAD_REQUEST = 401, 403, 404, 422, 400
PARTNER_SCOPES = ("decisions", "clients", "consents:read", "consents:write", "changes")
ADMINISTRATION_SCOPES = ("audit:read", "catalogue:write")
RANDOM_CALLS = 1000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(server: Server) -> AsyncIterator[Scene]:
    """Make the network to which the others are strangers."""
    made = await scene(server)
    yield made
    made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mine(stage: Scene) -> Belongings:
    """Return the partners' own data."""
    return await belongings(stage, stage.person(stage.sender))


def strangers(stage: Scene, mine: Belongings) -> dict[str, Person]:
    """Return an uninvolved partner of the network, a partner of another network, and both administrations."""
    network = next(n for n in stage.server.demo["networks"] if n["slug"] not in {stage.network, "widunetz"})
    third = next(slug for slug in stage.partners if slug not in {mine.flow.sender, mine.flow.recipient})
    server = stage.server
    return {
        "third partner": stage.person(third),
        "another network": Person.at(server.partner(network["slug"], network["partners"][0]["slug"]), stage.wires),
        "administration": Person.at(server.admin(stage.network), stage.wires),
        "another administration": Person.at(server.admin(network["slug"]), stage.wires),
    }


async def call(person: Person, asked: Call, mine: Belongings, headers: dict[str, str] | None = None) -> Answer:
    """Make a call as this caller, with a new key."""
    path, body = asked.make(mine)
    given = await person.access.headers(str(uuid.uuid4())) if headers is None else headers
    content = {"Content-Type": "application/json"} if asked.method == "POST" else {}
    data = b"" if body is None else json.dumps(body).encode()
    return await person.wire.request(asked.method, f"/api/v1{path}", content | given, data)


async def scoped(access: Access, scopes: tuple[str, ...]) -> dict[str, str]:
    """Return headers with a token that has only these scopes."""
    wire = Wire(access.port)
    basic = base64.b64encode(f"{access.client_id}:{access.client_secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    form = urlencode({"grant_type": "client_credentials", "scope": " ".join(scopes)}).encode()
    answer = await wire.request("POST", "/oauth/token", headers, form)
    wire.close()
    assert answer.status == OK, answer
    return {"Authorization": f"Bearer {answer.json()['access_token']}", "Idempotency-Key": str(uuid.uuid4())}


async def test_every_call_of_the_api_is_on_the_list() -> None:
    """Every call of the API is in `calls.py`."""
    document = json.loads((ROOT / "openapi" / "consent-registry.json").read_text())
    documented = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/")
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    }
    assert documented == {asked.name for asked in CALLS}


@pytest.mark.parametrize("asked", CALLS, ids=lambda asked: asked.name)
async def test_without_a_good_token_it_is_401(stage: Scene, mine: Belongings, asked: Call) -> None:
    """No token, another scheme, and malformed, altered or unsigned tokens are 401 with WWW-Authenticate."""
    person = stage.person(mine.flow.sender)
    good = (await person.access.headers())["Authorization"].removeprefix("Bearer ")
    head, claims, signature = good.split(".")
    unsigned = base64.urlsafe_b64encode(b'{"typ":"at+jwt","alg":"none"}').decode().rstrip("=")
    altered = base64.urlsafe_b64encode(
        base64.urlsafe_b64decode(claims + "==").replace(mine.flow.sender.encode(), mine.flow.recipient.encode())
    ).decode()
    tokens = ["", "Bearer", "Bearer x", f"Basic {good}", f"Bearer {unsigned}.{claims}.", f"Bearer {unsigned}.{claims}"]
    tokens += [f"Bearer {head}.{altered.rstrip('=')}.{signature}", f"Bearer {head}.{claims}.", f"Bearer {good}x"]
    for token in tokens:
        headers = {"Idempotency-Key": str(uuid.uuid4())} | ({"Authorization": token} if token else {})
        answer = await call(person, asked, mine, headers)
        assert answer.status == UNAUTHORIZED, (token[:30], answer)
        assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("asked", [asked for asked in CALLS if asked.scope], ids=lambda asked: asked.name)
async def test_without_the_scope_it_is_403(stage: Scene, mine: Belongings, asked: Call) -> None:
    """A token with all scopes except the needed one is 403."""
    person = stage.person(mine.flow.sender)
    administration = stage.server.admin(stage.network)
    held = tuple(scope for scope in PARTNER_SCOPES if scope != asked.scope)
    assert (await call(person, asked, mine, await scoped(person.access, held))).status == FORBIDDEN
    others = tuple(scope for scope in ADMINISTRATION_SCOPES if scope != asked.scope)
    assert (await call(person, asked, mine, await scoped(administration, others[:1]))).status == FORBIDDEN
    other_door = person.access if asked.scope in ADMINISTRATION_SCOPES else administration
    assert (await call(person, asked, mine, await other_door.headers(str(uuid.uuid4())))).status == FORBIDDEN


# Its own network's administration may do what is the administration's.
STRANGERS = [
    pytest.param(asked, who, id=f"{who}-{asked.name}")
    for asked in CALLS
    for who in ("third partner", "another network", "administration", "another administration")
    if not (asked.scope == "catalogue:write" and who == "administration")
]


@pytest.mark.parametrize(("asked", "who"), STRANGERS)
async def test_strangers_are_shown_nothing(stage: Scene, mine: Belongings, asked: Call, who: str) -> None:
    """No answer to a stranger has an identifier that it did not send itself, and the partners' data do not change."""
    person = strangers(stage, mine)[who]
    answer = await call(person, asked, mine)
    assert answer.status < 500, answer
    path, body = asked.make(mine)
    sent = path + json.dumps(body)
    shown = {secret for secret in mine.secrets if secret.encode() in answer.body and secret not in sent}
    assert not shown, (shown, answer)
    assert not answer.body.count(mine.decision.encode()), answer
    still = await stage.person(mine.flow.sender).post("/decisions", mine.question())
    assert still.json()["outcome"] == "permit"


async def test_what_strangers_are_told(stage: Scene) -> None:
    """Strangers get 404 for consents, decisions, reports and withdrawals, no permission, and empty searches."""
    mine = await belongings(stage, stage.person(stage.sender))
    for who, person in strangers(stage, mine).items():
        if "administration" in who:
            continue
        consent, grant = mine.consent["consent_id"], mine.consent["grants"][0]["grant_id"]
        assert (await person.get(f"/consents/{consent}")).status == NOT_FOUND, who
        assert (await person.get(f"/decisions/{mine.decision}")).status == NOT_FOUND, who
        report = {"outcome": "sent", "categories": ["identity"]}
        told = await person.post(f"/decisions/{mine.decision}/transfers", report, str(uuid.uuid4()))
        assert told.status == NOT_FOUND, who
        for by in ({"consent_id": consent}, {"client": mine.client}, {"consent_id": consent, "grants": [grant]}):
            told = await person.post("/withdrawals", by | {"channel": "phone"}, str(uuid.uuid4()))
            assert told.status == NOT_FOUND, (who, by)
        found = await person.post("/consents/search", {"client": mine.client})
        assert (found.status, found.json()["items"]) == (OK, []), who
        recorded = await person.post("/consents", stage.consent(mine.client, [mine.flow.grant()]), str(uuid.uuid4()))
        assert recorded.status in {BAD_REQUEST, UNPROCESSABLE}, who
    third = strangers(stage, mine)["third partner"]
    asked = await third.post("/decisions", mine.flow.question(mine.client))
    assert asked.json()["outcome"] == "no_permission"


async def test_a_recipient_sees_its_grants_and_no_more(stage: Scene, mine: Belongings) -> None:
    """A recipient sees the consent without the sender's reference and code; decisions are only the sender's."""
    recipient = stage.person(mine.flow.recipient)
    shown = await recipient.get(f"/consents/{mine.consent['consent_id']}")
    assert shown.status == OK
    assert shown.json()["client"] is None
    assert mine.client.encode() not in shown.body
    assert "receipt_code" not in shown.json()
    assert (await recipient.get(f"/decisions/{mine.decision}")).status == NOT_FOUND
    missing = await recipient.get("/decisions?transfer=missing&limit=200")
    assert mine.decision.encode() not in missing.body
    asked = await recipient.post("/decisions", {**mine.question(), "recipient": mine.flow.sender})
    assert asked.json()["outcome"] == "no_permission"


async def test_the_same_reference_at_two_partners_is_two_clients(stage: Scene, mine: Belongings) -> None:
    """The same reference registered by another partner is another client, and reveals nothing."""
    third = strangers(stage, mine)["third partner"]
    first = await third.post("/clients", {"reference": f"{mine.client}-2"})
    made = await stage.person(mine.flow.sender).post("/clients", {"reference": f"{mine.client}-2"})
    assert (first.status, made.status) == (CREATED, CREATED)
    assert (first.json()["linked"], made.json()["linked"]) == (False, False)


async def test_another_grants_id_withdraws_nothing(stage: Scene, mine: Belongings) -> None:
    """A withdrawal with a foreign grant's id is 404, and the own grant stays given."""
    third = strangers(stage, mine)["third partner"]
    flow = next(f for f in stage.flows if f.sender == third.access.partner and not f.statute)
    reference = f"OWN-{uuid.uuid4()}"
    await register(third, [reference])
    made = (await third.post("/consents", stage.consent(reference, [flow.grant()]), str(uuid.uuid4()))).json()
    grants = [made["grants"][0]["grant_id"], mine.consent["grants"][0]["grant_id"]]
    body = {"consent_id": made["consent_id"], "grants": grants, "channel": "phone"}
    assert (await third.post("/withdrawals", body, str(uuid.uuid4()))).status == NOT_FOUND
    asked = await third.post("/decisions", flow.question(reference))
    assert asked.json()["outcome"] == "permit"


async def test_an_administration_reaches_its_own_network_only(stage: Scene, mine: Belongings) -> None:
    """Another network's administration can neither suspend the partner nor revoke its secret."""
    person = strangers(stage, mine)["another administration"]
    client_id = stage.server.partner(stage.network, mine.flow.sender).client_id
    for path, body in (
        ("/suspensions", {"partner": mine.flow.sender}),
        ("/credential-revocations", {"client_id": client_id}),
    ):
        answer = await person.post(path, body, str(uuid.uuid4()))
        assert answer.status in {BAD_REQUEST, NOT_FOUND}, answer
    assert (await stage.person(mine.flow.sender).get("/me")).status == OK


async def test_random_calls_show_nothing_foreign(server: Server, stage: Scene) -> None:
    """Random partners asking for random consents and decisions get 200 only if they take part."""
    sql = await server.sql()
    consents = await sql.fetch("select network_id, consent_id::text as id, partner_ids as parties from consents")
    decisions = await sql.fetch(
        "select network_id, event_id::text as id, array[actor_id] as parties from events where kind = 1 limit 500"
    )
    rows = await sql.fetch(
        "select n.slug as network, p.slug, network_id, partner_id from partners p join networks n using (network_id)"
    )
    slugs = {(row["network"], row["slug"]): (row["network_id"], row["partner_id"]) for row in rows}
    await sql.close()
    entries = [(n["slug"], p["slug"]) for n in server.demo["networks"] for p in n["partners"]]
    people = {entry: Person.at(server.partner(*entry), stage.wires) for entry in entries}
    chance = random.Random(20261120)
    things: list[tuple[str, Any]] = [("consents", row) for row in consents] + [("decisions", row) for row in decisions]
    shown = 0
    for _ in range(RANDOM_CALLS):
        (what, row), entry = chance.choice(things), chance.choice(entries)
        answer = await people[entry].get(f"/{what}/{row['id']}")
        network, partner = slugs[entry]
        if answer.status == OK:
            shown += 1
            assert network == row["network_id"], (entry, row)
            assert partner in row["parties"], (entry, row)
        else:
            assert answer.status == NOT_FOUND, answer
            assert what == "consents" or network != row["network_id"] or partner not in row["parties"], (entry, row)
    assert shown > RANDOM_CALLS // 200
