"""A text is found void: every consent on it is void from the start, and recipients may not use what they received. A
stale translation stays valid for the consents given in it.
"""

import json
from collections.abc import Collection

import pytest
import pytest_asyncio

from tests.support import small_network
from tests.support.installation import Partner, Registry
from tests.support.log_check import check_log
from tests.support.office import Body, Office, office, told
from tests.support.small_network import consent_body, question

GERMAN = "Dürfen wir, soweit nötig, alles mit allen austauschen? Größe: ½ Blatt\r\n"
CONSENTS = 140
MANY = 3000


@pytest_asyncio.fixture
async def admin(registry: Registry) -> Partner:
    """Return the network's administration."""
    return await registry.partner("admin")


def published_text(version: str) -> Body:
    """The body that publishes a version with bytes of its own."""
    body = small_network.published(version, "en", "ar")
    for language in body["languages"]:
        language["content"] = f"{language['language']} {version} {GERMAN}{language['content']}"
    return body


async def published(admin: Partner, version: str) -> str:
    """Publish a version of the text in German, English and Arabic. Returns its id."""
    answer = await admin.post("/texts", published_text(version))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/texts/{answer.json()['text']['id']}"
    return str(answer.json()["text"]["id"])


async def on_text(
    at: Office, text: str, language: str = "de", status: int = 201, **members: object
) -> tuple[str, Body]:
    """Record a consent of a new client on a text."""
    client = await at.client()
    body = consent_body(client, text) | members
    body["text"]["language"] = language
    return client, await at.post("/consents", body, status)


async def statuses(admin: Partner, text: str) -> dict[str, str]:
    """Return the status of each language of a text."""
    shown = told(await admin.get(f"/texts/{text}"))
    return {language["language"]: language["status"] for language in shown["languages"]}


async def transfer(at: Office, client: str) -> Body:
    """Ask, and report what was permitted as sent."""
    asked = await at.post("/decisions", question(client), 200)
    report = {"outcome": "sent", "categories": asked["permitted_categories"]}
    return await at.post(f"/decisions/{asked['decision_id']}/transfers", report)


async def found_void(registry: Registry, clients: Collection[str]) -> dict[str, tuple[str, str, str]]:
    """Return north's findings of transfers on void grants of these clients: id, severity and since when it is known."""
    dpo = await registry.dpo("north")
    found = told(await dpo.get("/findings?kind=transfer_on_void_grant&limit=200"))["items"]
    return {
        finding["client"]: (finding["finding_id"], finding["severity"], finding["known_at"])
        for finding in found
        if finding["client"] in clients
    }


async def test_a_text_is_published_byte_for_byte(registry: Registry, admin: Partner) -> None:
    """A published text can be used at once in each language, consents show its hash, and its bytes read back."""
    text = await published(admin, "3.0")
    north = await office(registry, "north")
    for language in ("de", "en", "ar"):
        client, consent = await on_text(north, text, language)
        assert (consent["text"]["version"], await north.outcome(client)) == ("3.0", "permit")
        shown = await north.partner.get(f"/texts/{text}/{language}")
        assert shown.content.startswith(f"{language} 3.0 {GERMAN}".encode())


async def test_a_void_text_takes_its_consents_with_it(registry: Registry, admin: Partner) -> None:
    """140 consents are on the text, some withdrawn, requested, refused or renewed. All that were given or requested are
    void from the start; the refused stay refused. Decisions deny, and recipients get a use ban and must report. The
    next version takes new consents, the void one takes none. The log has an event for each consent and one for the
    text.
    """
    north, south = await office(registry, "north"), await office(registry, "south")
    text = await published(admin, "2.1")
    pairs = [await on_text(north, text, ("de", "en", "ar")[number % 3]) for number in range(CONSENTS - 4)]
    asked = await on_text(south, text)
    withdrawn = await on_text(north, text)
    await south.post("/withdrawals", {"consent_id": withdrawn[1]["consent_id"], "channel": "phone"})
    old_client = await north.client()
    old = await north.consent(old_client)
    renewal = consent_body(old_client, text) | {"renews": old["consent_id"]}
    renewed = await north.post("/consents", renewal)
    no = consent_body(await north.client(), text, answer="refused")
    refused = await north.post("/consents", no)
    assert await north.outcome(pairs[0][0]) == "permit"
    sent = {client: await transfer(north, client) for client in (pairs[0][0], pairs[1][0], pairs[-1][0], old_client)}
    assert await found_void(registry, sent) == {}

    body = {"text": text, "reason": "vague_text"}
    answer = await admin.post("/text-invalidations", body, Idempotency_Key="once")
    assert answer.status_code == 201, answer.text
    said = told(answer)
    assert (said["consents"], said["grants"]) == (CONSENTS - 1, CONSENTS - 1)
    again = await admin.post("/text-invalidations", body, Idempotency_Key="once")
    assert (again.json(), again.headers["idempotency-replayed"]) == (said, "true")
    assert (await admin.post("/text-invalidations", body)).status_code == 409

    for client, consent in [*pairs[:3], *pairs[-3:]]:
        assert await north.outcome(client) == "no_permission"
        (grant,) = (await south.get(f"/consents/{consent['consent_id']}"))["grants"]
        assert (grant["status"], grant["use_ban"]) == ("invalidated", True)
        before = await south.get(f"/consents/{consent['consent_id']}?as_known_at={consent['recorded_at']}")
        assert before["status"] == "given"
    for consent, expected in (
        (asked[1], "invalidated"),
        (withdrawn[1], "invalidated"),
        (renewed, "invalidated"),
        (refused, "refused"),
        (old, "given"),
    ):
        viewer = south if consent is asked[1] else north
        assert (await viewer.get(f"/consents/{consent['consent_id']}"))["status"] == expected
    assert await north.outcome(old_client) == "permit", "the earlier yes, on another text, stands"

    # Transfers on them become urgent findings, also those on the renewal, which is all that their permit named.
    assert await found_void(registry, sent) == {
        client: (f"transfer_on_void_grant:{transfer['transfer_id']}", "urgent", said["recorded_at"])
        for client, transfer in sent.items()
    }

    assert set((await statuses(admin, text)).values()) == {"void"}
    _, problem = await on_text(north, text, status=422)
    assert [fault["rule"] for fault in problem["errors"]] == ["text_void"]
    client, _ = await on_text(north, await published(admin, "2.2"))
    assert await north.outcome(client) == "permit"

    async with registry.sql() as sql:
        rows = await sql.fetch(
            "select p.slug, c.use_ban, c.acknowledge_by is not null as asked, count(*) from registry.changes c"
            " join registry.partners p using (network_id, partner_id)"
            " join registry.consents k using (network_id, consent_id)"
            " where c.kind = 'consent_invalidated' and k.text_id = $1 group by 1, 2, 3 order by 1",
            text,
        )
    # South's request was never given, so only south is concerned.
    assert [tuple(row) for row in rows] == [("north", False, False, CONSENTS - 2), ("south", True, True, CONSENTS - 2)]
    events = [event for event in await check_log(registry) if event.get("text_invalidation") == said["id"]]
    assert len(events) == CONSENTS - 1
    assert {event["client"] for event in events}.isdisjoint({None})
    (act,) = [event for event in await check_log(registry) if event["id"] == said["id"]]
    assert (act["consents"], act["reason"], act["client"]) == (CONSENTS - 1, "vague_text", None)
    assert all(len(json.dumps(event)) < 2000 for event in (*events, act))


async def test_one_language_of_a_text_is_void(registry: Registry, admin: Partner) -> None:
    """If one language is void, consents in other languages stay given. The whole text can be voided afterwards."""
    north = await office(registry, "north")
    text = await published(admin, "1.7")
    (german, _), (arabic, _) = await on_text(north, text), await on_text(north, text, "ar")
    body = {"text": text, "language": "ar", "reason": "vague_text"}
    assert told(await admin.post("/text-invalidations", body))["consents"] == 1
    assert (await admin.post("/text-invalidations", body)).status_code == 409
    assert [await north.outcome(client) for client in (german, arabic)] == ["permit", "no_permission"]
    assert await statuses(admin, text) == {"ar": "void", "de": "published", "en": "published"}
    assert told(await admin.post("/text-invalidations", {"text": text, "reason": "form"}))["consents"] == 1
    assert await north.outcome(german) == "no_permission"


async def test_thousands_of_consents_fall_in_one_transaction(fresh_registry: Registry) -> None:
    """Three thousand consents are voided in one transaction with an event each, without waiting for a client's lock."""
    registry, admin = fresh_registry, await fresh_registry.partner("admin")
    registry.planted.add("small")
    north = await office(registry, "north")
    text = await published(admin, "1.8")
    _, pattern = await on_text(north, text)
    async with registry.sql() as sql:
        await sql.execute("set session_replication_role = replica")
        for table, keys in COPIED.items():
            await sql.execute(copy_sql(table, keys), pattern["consent_id"], MANY)
    said = told(await admin.post("/text-invalidations", {"text": text, "reason": "pressure"}))
    assert (said["consents"], said["grants"]) == (MANY + 1, MANY + 1)
    async with registry.sql() as sql:
        left = await sql.fetchval(
            "select count(*) from registry.grants g join registry.consents k using (network_id, consent_id)"
            " where k.text_id = $1 and not exists (select from registry.grant_changes c"
            " where c.grant_id = g.grant_id and c.kind = 'invalidated' and c.effective_at = k.given_at)",
            text,
        )
        bans = await sql.fetchval(
            "select count(*) from registry.changes c join registry.consents k using (network_id, consent_id)"
            " where k.text_id = $1 and c.use_ban and c.partner_id = 2",
            text,
        )
        events = await sql.fetchval(
            "select count(*) from registry.events where kind = 14 and convert_from(event, 'UTF8') like $1",
            f"%{said['id']}%",
        )
    assert (left, bans, events) == (0, MANY + 1, MANY + 1)


COPIED = {"consents": ("consent_id", "client_id"), "grants": ("grant_id", "consent_id", "client_id")}


def copy_sql(table: str, keys: tuple[str, ...]) -> str:
    """Return the statement that copies a row of a table $2 times, each with ids of its own."""
    made = ", ".join(f"overlay({key}::text placing lpad(n::text, 12, '0') from 25)::uuid as {key}" for key in keys)
    return (
        f"insert into registry.{table} select (jsonb_populate_record(t, to_jsonb(made))).*"  # noqa: S608 - our own names
        f" from registry.{table} t cross join generate_series(1, $2::integer) n"
        f" cross join lateral (select {made}) as made where t.consent_id = $1"
    )


async def test_a_stale_translation_blocks_its_own_language(registry: Registry, admin: Partner) -> None:
    """New consents in a stale translation are refused, in other languages accepted. Consents given in it stay. Marking
    it twice is a conflict.
    """
    north = await office(registry, "north")
    text = await published(admin, "1.9")
    before, _ = await on_text(north, text, "ar")
    path = f"/texts/{text}/stale-translations"
    answer = await admin.post(path, {"language": "ar", "reason": "mistranslated"})
    assert answer.status_code == 201, answer.text
    assert await statuses(admin, text) == {"ar": "stale", "de": "published", "en": "published"}
    _, problem = await on_text(north, text, "ar", 422)
    assert [(fault["rule"], fault["pointer"]) for fault in problem["errors"]] == [("text_stale", "/text/language")]
    after, _ = await on_text(north, text, "en")
    assert [await north.outcome(client) for client in (before, after)] == ["permit", "permit"]
    assert (await admin.post(path, {"language": "ar"})).status_code == 409
    refused = await admin.post(path, {"language": "de"})
    assert (refused.status_code, refused.json()["errors"][0]["rule"]) == (422, "german_reference")
    for unknown in (f"{path}", "/texts/0190b9f0-0000-7000-8000-000000000000/stale-translations"):
        assert (await admin.post(unknown, {"language": "tr"})).status_code == 404
    (event,) = [event for event in await check_log_kinds(registry, "stale_translation") if event["text"] == text]
    assert (event["language"], event["reason"]) == ("ar", "mistranslated")


async def check_log_kinds(registry: Registry, kind: str) -> list[Body]:
    """Return the events of a kind from the table of events."""
    async with registry.sql() as sql:
        rows = await sql.fetch("select event from registry.events order by log_index")
    return [event for event in (json.loads(row["event"]) for row in rows) if event["kind"] == kind]


@pytest.mark.parametrize("path", ["/texts", "/text-invalidations", "/texts/{text}/stale-translations"])
async def test_texts_are_the_administrations(registry: Registry, path: str) -> None:
    """A partner's token can neither publish nor void a text."""
    north = await office(registry, "north")
    answer = await north.partner.post(path.format(text=north.text), {})
    assert answer.status_code == 403
