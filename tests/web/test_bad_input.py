"""Malformed requests are refused with a problem that names the place, and change nothing."""

import gzip
import json
import uuid
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
import pytest_asyncio

from tests.campaigns.support.scene import CREATED, OK, Person, Scene, register, scene
from tests.campaigns.support.server import Server
from tests.campaigns.support.wire import Answer
from tests.web import bad_consents, bad_requests
from tests.web.bad_requests import GOOD_REFERENCES, MIB, Case

LONGEST_ID = 128


class Desk:
    """The example partner with a client, a live consent and a decision."""

    def __init__(self, server: Server, stage: Scene) -> None:
        self.server = server
        self.stage = stage
        self.me: Person = stage.person(stage.sender)
        self.client = f"BAD-{uuid.uuid4()}"
        self.flow = stage.outgoing()[0]
        self.question = self.flow.question(self.client)
        self.consent: dict[str, Any] = {}
        self.decision = ""

    @classmethod
    async def open(cls, server: Server) -> "Desk":
        """Register, record and ask."""
        desk = cls(server, await scene(server))
        await register(desk.me, [desk.client])
        body = desk.stage.consent(desk.client, [desk.flow.grant()])
        made = await desk.me.post("/consents", body, str(uuid.uuid4()))
        assert made.status == CREATED, made
        desk.consent = made.json()
        asked = await desk.me.post("/decisions", desk.question)
        assert asked.json()["outcome"] == "permit"
        desk.decision = asked.json()["decision_id"]
        return desk

    async def send(self, path: str, content: bytes, **headers: str) -> Answer:
        """POST bytes with a fresh key and these headers."""
        given = await self.me.access.headers(str(uuid.uuid4()))
        sent = {"Content-Type": "application/json"} | given | {n.replace("_", "-"): v for n, v in headers.items()}
        return await self.me.wire.request("POST", f"/api/v1{path}", {n: v for n, v in sent.items() if v}, content)

    async def rows(self) -> dict[str, int]:
        """Count the rows of every table that a request can write, except the sealer's."""
        sql = await self.server.sql()
        tables = await sql.fetch(
            "select relname from pg_stat_user_tables where schemaname = 'registry' and relname <> all ($1)",
            ["tiles", "checkpoints"],
        )
        counted = {t["relname"]: await sql.fetchval(f"select count(*) from {t['relname']}") for t in tables}  # noqa: S608
        await sql.close()
        return counted


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(server: Server) -> AsyncIterator[Desk]:
    """Make a desk for a partner whose requests are malformed."""
    opened = await Desk.open(server)
    yield opened
    opened.stage.close()


def problem_with(answer: Answer) -> list[str]:
    """Return what is wrong with a problem's form, or nothing."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return [f"{answer.status} {answer.headers.get('content-type')}: {answer.body[:80]!r}"]
    said, found = answer.json(), []
    if said.get("status") != answer.status:
        found.append(f"status says {said.get('status')}")
    if not str(said.get("type")).startswith("/problems/") or not said.get("title") or not said.get("detail"):
        found.append(f"not all of type, title, detail: {said}")
    if answer.headers.get("cache-control") != "no-store" or not answer.headers.get("x-request-id"):
        found.append("no-store or X-Request-ID missing")
    return found


async def refuses(desk: Desk, path: str, cases: Iterable[Case]) -> list[str]:
    """Send every case and return those that were not refused correctly."""
    found = []
    for case in cases:
        answer = await desk.send(path, case.content)
        if answer.status not in case.statuses:
            found.append(f"{case.name}: {answer.status} {answer.body[:120]!r}")
            continue
        found += [f"{case.name}: {each}" for each in problem_with(answer)]
        pointers = {each.get("pointer") for each in answer.json().get("errors", [])}
        if case.pointer is not None and not any(str(p).startswith(case.pointer) for p in pointers):
            found.append(f"{case.name}: names {pointers}, not {case.pointer}")
    return found


@pytest.mark.parametrize(
    "kind",
    [
        "decisions",
        "batches",
        "clients",
        "link codes",
        "unlinkings",
        "receipt codes",
        "withdrawals",
        "transfers",
        "searches",
        "consents",
    ],
)
async def test_bad_bodies_are_refused_with_their_pointer(desk: Desk, kind: str) -> None:
    """Every body that breaks the contract is refused in its form, with the place, and no row is written."""
    by_id = {"consent_id": desk.consent["consent_id"], "channel": "phone"}
    consent = desk.stage.consent(desk.client, [desk.flow.grant()])
    report = {"outcome": "sent", "categories": [desk.flow.categories[0]]}
    path, cases = {
        "decisions": ("/decisions", bad_requests.decisions(desk.question, desk.stage.sender)),
        "batches": ("/decisions/batch", bad_requests.batches(desk.question)),
        "clients": ("/clients", bad_requests.clients({"reference": f"BAD-{uuid.uuid4()}"})),
        "link codes": ("/link-codes", bad_requests.link_codes({"client": desk.client}, desk.stage.sender)),
        "unlinkings": ("/unlinkings", bad_requests.unlinkings({"client": desk.client})),
        "receipt codes": (
            f"/consents/{desk.consent['consent_id']}/receipt-codes",
            bad_requests.receipt_codes(),
        ),
        "withdrawals": ("/withdrawals", bad_requests.withdrawals(by_id)),
        "transfers": (f"/decisions/{desk.decision}/transfers", bad_requests.transfers(report)),
        "searches": ("/consents/search", bad_requests.searches({"client": desk.client})),
        "consents": ("/consents", bad_consents.consents(consent)),
    }[kind]
    before = await desk.rows()
    assert not await refuses(desk, path, cases)
    assert await desk.rows() == before


async def test_good_references_are_taken_exactly(desk: Desk) -> None:
    """A reference with any allowed characters is one client, and is returned unchanged."""
    for reference in GOOD_REFERENCES:
        answer = await desk.me.post("/clients", {"reference": reference})
        assert answer.status in {OK, CREATED}, (reference, answer)
        assert answer.json()["reference"] == reference
        made = await desk.me.post("/consents", desk.stage.consent(reference, [desk.flow.grant()]), str(uuid.uuid4()))
        assert made.json()["client"] == reference
        found = await desk.me.post("/consents/search", {"client": reference})
        assert [item["consent_id"] for item in found.json()["items"]] == [made.json()["consent_id"]]
        asked = await desk.me.post("/decisions", desk.flow.question(reference))
        assert asked.json()["outcome"] == "permit"
    second = await desk.me.post("/decisions", desk.flow.question(GOOD_REFERENCES[0].lower()))
    assert second.json()["outcome"] == "no_permission"


async def test_sizes_end_where_the_contract_says(desk: Desk) -> None:
    """Bodies up to 1 MiB and batches up to 2 MiB are read; a byte more is 413, also with a false length."""
    content, batch = json.dumps(desk.question).encode(), json.dumps({"decisions": [desk.question]}).encode()
    for path, good, limit in (("/decisions", content, MIB), ("/decisions/batch", batch, 2 * MIB)):
        assert (await desk.send(path, good.ljust(limit))).status == OK
        answer = await desk.send(path, good.ljust(limit + 1))
        assert answer.status == 413, answer
        assert not problem_with(answer)
        desk.me.wire.close()
    assert (
        await desk.send("/decisions/batch", json.dumps({"decisions": [desk.question] * 1000}).encode())
    ).status == OK


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
async def test_compressed_bodies_are_not_taken(desk: Desk, encoding: str) -> None:
    """A compressed body is 415, because it could become very large."""
    answer = await desk.send("/decisions", gzip.compress(json.dumps(desk.question).encode()), Content_Encoding=encoding)
    assert answer.status in {400, 415}, answer
    assert not problem_with(answer)


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Content_Type", "", 415),
        ("Content_Type", "text/plain", 415),
        ("Content_Type", "application/xml", 415),
        ("Content_Type", "application/x-www-form-urlencoded", 415),
        ("Content_Type", "application/jsonp", 415),
        ("Content_Type", "application/json; charset=utf-8", OK),
        ("Accept", "text/html", 406),
        ("Accept", "application/xml, text/plain;q=0.5", 406),
        ("Accept", "application/json", OK),
        ("Accept", "text/html, */*;q=0.1", OK),
    ],
)
async def test_only_json_is_spoken(desk: Desk, header: str, value: str, status: int) -> None:
    """Another media type of the body is 415, and of the answer 406."""
    answer = await desk.send("/decisions", json.dumps(desk.question).encode(), **{header: value})
    assert answer.status == status, answer
    assert status == OK or not problem_with(answer)


async def test_wrong_methods_and_paths_are_problems(desk: Desk) -> None:
    """A wrong method is 405 with Allow; an unknown path and a malformed id are 404."""
    headers = {"Content-Type": "application/json", **await desk.me.access.headers(str(uuid.uuid4()))}
    for method, path, allowed in (
        ("PUT", "/decisions", "POST"),
        ("DELETE", "/decisions", "POST"),
        ("GET", "/clients", "POST"),
        ("GET", "/decisions/batch", None),
        ("DELETE", f"/consents/{desk.consent['consent_id']}", "GET"),
        ("PATCH", f"/consents/{desk.consent['consent_id']}", "GET"),
        ("GET", "/withdrawals", "POST"),
    ):
        answer = await desk.me.wire.request(method, f"/api/v1{path}", headers, b"")
        assert answer.status in ({405} if allowed else {404, 405}), (method, path, answer)
        assert not problem_with(answer)
        assert allowed is None or allowed in answer.headers.get("allow", ""), answer
    for path in ("/nowhere", "/consents/x", "/consents/..%2f..", f"/decisions/{desk.decision}x", "/decisions/%00"):
        answer = await desk.me.get(path)
        assert answer.status in {400, 404}, (path, answer)
        assert not problem_with(answer)


@pytest.mark.parametrize(
    "query",
    [*("limit=0", "limit=-1", "limit=201", "limit=x", "limit=1.5", "limit=000000150000"), "cursor=x", "cursor="],
)
@pytest.mark.parametrize("path", ["/partners", "/purposes", "/agreements", "/decisions?transfer=missing"])
async def test_bad_pages_are_refused(desk: Desk, path: str, query: str) -> None:
    """A limit outside 1 to 200 and an unknown cursor are 400."""
    answer = await desk.me.get(f"{path}{'&' if '?' in path else '?'}{query}")
    assert answer.status == 400, answer
    assert not problem_with(answer)


async def test_a_cursor_belongs_to_its_filter(desk: Desk) -> None:
    """The cursor of a list, or of a client's consents, is refused for any other."""
    mine = await desk.me.post("/consents/search", {"limit": 1})
    cursor = mine.json()["next"]
    assert cursor
    assert (await desk.me.post("/consents/search", {"limit": 1, "cursor": cursor})).status == OK
    second = await desk.me.post("/consents/search", {"client": desk.client, "limit": 1, "cursor": cursor})
    assert second.status == 400, second
    stranger = desk.stage.person(next(s for s in desk.stage.partners if s != desk.stage.sender))
    theirs = await stranger.post("/consents/search", {"limit": 1, "cursor": cursor})
    assert theirs.status == 400, theirs
    assert (await desk.me.get(f"/partners?cursor={cursor}")).status == 400


async def test_a_request_id_is_echoed_or_made(desk: Desk) -> None:
    """A request id of up to 128 printable ASCII characters is returned; any other is replaced."""
    headers = await desk.me.access.headers()
    for sent, echoed in (("a", True), ("x" * LONGEST_ID, True), ("x" * 129, False), ("Größe", False), ("a\tb", False)):
        answer = await desk.me.wire.get("/api/v1/me", headers | {"X-Request-ID": sent})
        assert (answer.headers["x-request-id"] == sent) is echoed, (sent, answer)
        assert 1 <= len(answer.headers["x-request-id"]) <= LONGEST_ID
