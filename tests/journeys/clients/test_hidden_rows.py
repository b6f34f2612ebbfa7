"""Records that a partner may not see change neither its answers nor the rows that its transactions read."""

import json
from collections.abc import Awaitable, Callable

import pytest

from consent_registry.domain import grants
from consent_registry.domain.events import consents, grant_changes
from tests.campaigns.support.server import ROOT
from tests.journeys.clients.hidden_rows import (
    BACK,
    NO,
    OTHER_YES,
    OVER,
    YES,
    Day,
    Noted,
    beginning,
    body_of,
    difference,
    numbered,
    rows_read,
)
from tests.support.installation import Installation
from tests.support.office import Body

STATUSES = ("requested", "given", "renewed", "refused", "withdrawn", "ended", "expired", "invalidated")
EVIDENCE: Body = {"sha256": "cd" * 32, "media_type": "application/pdf", "kept_at": "File 2"}
Call = Callable[[Day], Awaitable[None]]


async def searches(day: Day) -> None:
    """Search by client and status, page by page; one client has so many ended consents that a page gets short."""
    mine = await day.subject([BACK])
    await day.beside(mine, YES)
    over = await day.subject()
    for _ in range(OVER):
        await day.me.post("/consents", body_of(over, day.me, BACK))
    await day.me.post("/withdrawals", {"client": over, "channel": "phone"})
    for client in (mine, over):
        await day.pages("search", day.me.partner, "/consents/search", {"client": client})
        for status in STATUSES:
            filters = {"client": client, "status": status, "limit": 1}
            await day.pages("search", day.me.partner, "/consents/search", filters)
    everything: tuple[Body, ...] = ({}, {"evidence": "missing"}, {"status": "refused", "limit": 1}, {"limit": 20})
    for asked in everything:
        await day.pages("search", day.me.partner, "/consents/search", asked)


async def reads(day: Day) -> None:
    """Read by id an own consent, one of which the caller may see a part, and one that it may not see."""
    mine = await day.subject([BACK])
    part = await day.beside(mine, YES)
    for consent_id in (part["consent_id"], day.nowhere()):
        for query in ("", "?as_of=2026-01-01T00:00:00.000000Z", f"?as_of={part['recorded_at']}"):
            await day.ask("read", day.me.partner.get(f"/consents/{consent_id}{query}"))


async def recording(day: Day) -> None:
    """Record a consent to a flow that was refused elsewhere, and consents that renew what the caller may or may not
    see.
    """
    mine = await day.subject()
    own = await day.ask("record", day.me.partner.post("/consents", body_of(mine, day.me, BACK)))
    for renews in (own["consent_id"], day.nowhere()):
        body = body_of(mine, day.me, BACK) | {"renews": renews}
        await day.ask("record", day.me.partner.post("/consents", body))


async def acts(day: Day) -> None:
    """Do every act on an own consent, on one with a hidden part, and on one that the caller may not see."""
    for path, body in (
        ("confirmations", {}),
        ("restrictions", {}),
        ("restriction-liftings", {}),
        ("receipt-codes", {}),
        ("evidence", EVIDENCE),
        ("endings", {"reason": "case_closed"}),
        ("invalidations", {"reason": "form"}),
    ):
        mine = await day.subject()
        own = await day.me.post("/consents", body_of(mine, day.me, BACK))
        part = await day.beside(mine, YES, BACK)
        for consent_id in (own["consent_id"], part["consent_id"], day.nowhere()):
            for _ in range(2):
                await day.ask(path, day.me.partner.post(f"/consents/{consent_id}/{path}", body))


async def withdrawals(day: Day) -> None:
    """Withdraw by consent, by client and by code, with `still_given`, and again when nothing is left."""
    for by in ("consent_id", "client", "receipt_code"):
        mine = await day.subject()
        own = await day.me.post("/consents", body_of(mine, day.me, BACK))
        await day.me.post("/consents", body_of(mine, day.me, BACK))
        part = await day.beside(mine, YES, BACK)
        for target in (part, own, {"consent_id": day.nowhere(), "receipt_code": "0000-0000-0000"}):
            body = {by: mine if by == "client" else target[by], "channel": "phone"}
            for _ in range(2):
                await day.ask("withdraw", day.me.partner.post("/withdrawals", body))


async def questions(day: Day) -> None:
    """Ask decisions, single and in a batch, report their transfers and list the unreported ones."""
    mine = await day.subject([BACK])
    asked = {"client": mine, "recipient": "north", "purpose": "support", "categories": ["identity"]}
    for question in (asked, asked | {"recipient": "east", "purpose": "housing"}, asked | {"receipt": True}):
        made = await day.ask("decide", day.me.partner.post("/decisions", question))
        await day.ask("read decision", day.me.partner.get(f"/decisions/{made['decision_id']}"))
    await day.ask("decide", day.me.partner.post("/decisions/batch", {"decisions": [asked, asked]}))
    await day.ask("unreported", day.me.partner.get("/decisions?transfer=missing"))
    report = {"outcome": "sent", "categories": ["identity", "debts"]}
    path = f"/decisions/{made['decision_id']}/transfers"
    await day.ask("report", day.me.partner.post(path, report))


async def links(day: Day) -> None:
    """Issue and redeem link codes, register references again, and unlink."""
    mine = await day.subject([BACK])
    await day.ask("link code", day.me.partner.post("/link-codes", {"client": mine}))
    await day.ask("register", day.me.partner.post("/clients", {"reference": mine}))
    code = (await day.north.post("/link-codes", {"client": await day.north.client()}))["link_code"]
    await day.ask("link", day.me.partner.post("/clients", {"reference": mine, "link_code": code}))
    for _ in range(2):
        await day.ask("unlink", day.me.partner.post("/unlinkings", {"client": mine}))


async def oversight(day: Day) -> None:
    """What the caller's data-protection officer finds in the log and in the findings, and exports."""
    mine = await day.subject([BACK])
    await day.beside(mine, YES)
    asked = {"client": mine, "recipient": "north", "purpose": "support", "categories": ["identity"]}
    await day.me.post("/decisions", asked, 200)
    for body in ({}, {"client": mine}, {"client": mine, "limit": 1}, {"kind": "consent"}):
        await day.pages("events", day.dpo, "/events/search", body)
    for kind in ("jsonl", "csv", "bundle"):
        await day.ask("export", day.dpo.post("/events/exports", {"format": kind, "client": mine}))
    await day.ask("findings", day.dpo.get("/findings?report_days=0&questions_without_transfer=1&refused_references=1"))


CALLS: dict[str, Call] = {
    **dict.fromkeys(("POST /consents/search",), searches),
    **dict.fromkeys(("GET /consents/{consent_id}",), reads),
    **dict.fromkeys(("POST /consents",), recording),
    **dict.fromkeys(
        (
            "POST /consents/{consent_id}/confirmations",
            "POST /consents/{consent_id}/endings",
            "POST /consents/{consent_id}/evidence",
            "POST /consents/{consent_id}/invalidations",
            "POST /consents/{consent_id}/receipt-codes",
            "POST /consents/{consent_id}/restriction-liftings",
            "POST /consents/{consent_id}/restrictions",
        ),
        acts,
    ),
    **dict.fromkeys(("POST /withdrawals",), withdrawals),
    **dict.fromkeys(
        (
            "GET /decisions",
            "GET /decisions/{decision_id}",
            "POST /decisions",
            "POST /decisions/batch",
            "POST /decisions/{decision_id}/transfers",
        ),
        questions,
    ),
    **dict.fromkeys(("POST /clients", "POST /link-codes", "POST /unlinkings"), links),
    **dict.fromkeys(("GET /findings", "POST /events/exports", "POST /events/search"), oversight),
}
"""What a partner or its officer calls about a client or a consent, and the part of the day in which it does."""
ABOUT_NOBODY = {
    *("GET /me", "GET /network", "GET /partners", "GET /partners/{slug}", "GET /purposes", "GET /purposes/{slug}"),
    *("GET /data-categories", "GET /data-categories/{slug}", "GET /agreements", "GET /agreements/{agreement_id}"),
    *("GET /texts", "GET /texts/{text_id}", "GET /texts/{text_id}/{language}", "POST /texts"),
    *("POST /texts/{text_id}/stale-translations", "POST /suspensions", "POST /reinstatements", "GET /approvals"),
    *("POST /approvals", "POST /approvals/{approval_id}/revocations", "POST /credential-revocations"),
    # The administration sees how many consents it voids (tests/journeys/oversight/test_dpo_slices.py).
    "POST /text-invalidations",
}
"""Calls about the catalogue: no client's row is behind them."""


async def day_of(installation: Installation, *, hidden: bool) -> list[Noted]:
    """Return all answers to the caller on a day, with or without rows that it may not see."""
    async with beginning(installation, hidden=hidden) as day:
        for call in dict.fromkeys(CALLS.values()):
            await call(day)
        return numbered(day.noted)


def test_every_call_about_a_client_is_on_the_list() -> None:
    """Every call of the OpenAPI document is in the caller's day, or in the list of calls about no client."""
    document = json.loads((ROOT / "openapi" / "consent-registry.json").read_text())
    documented = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/")
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    }
    assert documented == set(CALLS) | ABOUT_NOBODY
    assert not set(CALLS) & ABOUT_NOBODY


async def test_no_call_tells_what_others_keep(installation: Installation) -> None:
    """Status, headers, body, pages and cursors of every call are the same with and without hidden rows."""
    without, with_some = await day_of(installation, hidden=False), await day_of(installation, hidden=True)
    assert [name for name, _ in without] == [name for name, _ in with_some]
    for (name, plain), (_, beside) in zip(without, with_some, strict=True):
        assert plain == beside, f"{name}: {difference(plain, beside)}"


async def test_no_transaction_reads_what_others_keep(installation: Installation) -> None:
    """The caller's transaction reads the same rows before and after other partners recorded theirs. The others read
    their own rows.
    """
    async with beginning(installation, hidden=False) as day:
        mine = await day.subject([BACK])
        part = await day.beside(mine, YES)
        await day.me.get(f"/consents/{part['consent_id']}")
        before, of_north = await rows_read(day.registry), await rows_read(day.registry, "north")
        await day.hide(mine)
        after = await rows_read(day.registry)
        assert after == before
        assert {"consents", "grants", "grant_changes", "events", "client_references"} <= set(before)
        assert all(before[name] for name in ("consents", "grants", "events", "client_references"))
        more = await rows_read(day.registry, "north")
        assert {name for name in more if more[name] != of_north[name]} >= {"consents", "grants", "events"}
        # The caller may see the given grant of a consent. The refused grant beside it changes nothing in that view.
        mixed = await day.north.post("/consents", body_of(day.clients[mine]["north"], day.north, YES, OTHER_YES | NO))
        grown = await rows_read(day.registry)
        assert len(grown["grants"]) == len(before["grants"]) + 1
        assert len(mixed["grants"]) == 2


async def test_the_policy_of_before_is_caught(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: if a row policy lets every party of a grant read it, whatever the answer, a search's cursor differs and
    the transaction reads more rows.
    """

    def parties(_: object, *partners: int) -> frozenset[int]:
        return frozenset(partners)

    for module in (grants, consents, grant_changes):
        # Who may read a row is a rule of the domain; handing it in would give every grant and event an argument for it.
        monkeypatch.setattr(module, "readers_of", parties)
    noted = {}
    for hidden in (False, True):
        async with beginning(installation, hidden=hidden) as day:
            await as_before(day)
            await searches(day)
            noted[hidden] = numbered(day.noted)
            mine = await day.subject()
            before = await rows_read(day.registry)
            await day.hide(mine)
            after = await rows_read(day.registry)
            assert {name for name in after if after[name] != before[name]} == {"consents", "grants"}
    assert noted[False] != noted[True]


async def as_before(day: Day) -> None:
    """Let every party of a grant read its row."""
    mine = "any ((select registry.current_partners())::integer[])"
    async with day.registry.sql() as superuser:
        await superuser.execute("drop policy grants_read on registry.grants")
        await superuser.execute(
            "create policy grants_read on registry.grants for select using (network_id = (select"
            f" registry.current_network()) and (sender_id = {mine} or recipient_id = {mine} or recorder_id = {mine}))"
        )
