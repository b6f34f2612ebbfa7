"""A whole day of one partner: every call about clients of whom other partners keep records that it may not see.

The caller is `south`. The hidden records belong to other partners' linked clients: refused flows in which `south` takes
part, alone and beside a given one, and requests and consents between two other partners.
"""

import csv
import io
import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
import httpx

from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import ReadingLimits
from tests.support.installation import Installation, Partner, Registry, fresh
from tests.support.office import Body, Office, office
from tests.support.small_network import NUMBER, PARTNERS, consent_body

CALLER = "south"
YES: Body = {"sender": "north", "recipient": "south", "purpose": "support", "categories": ["identity", "contact"]}
OTHER_YES = YES | {"purpose": "housing", "categories": ["identity"]}
BACK: Body = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}
AWAY: Body = {"sender": "east", "recipient": "north", "purpose": "support", "categories": ["identity"]}
NO = {"answer": "refused"}
# A search returns a short page after this many rounds, so that few rows are enough to see it. A round reads two of the
# caller's ended consents, and with this many of them one row more would shorten the page.
ROUNDS, OVER = 4, 7
OF_THE_NETWORK = {
    *("catalogue_versions", "partners", "suspensions", "reinstatements", "data_categories", "purposes", "agreements"),
    *("agreement_endings", "flows", "texts", "text_languages", "credentials", "credential_revocations"),
    *("text_invalidations", "stale_translations", "approvals", "approval_revocations", "policies"),
    # Numbers and digests that name no reference, and the public log.
    *("clients", "client_memberships", "link_codes", "links", "unlinkings", "receipt_codes"),
    *("leaves", "tiles", "checkpoints"),
}
"""Tables that every partner's transaction reads whole (tests/api/test_foreign_rows.py says why of each)."""
Noted = tuple[str, object]


@dataclass(slots=True)
class Day:
    """A day of calls: the partners, the answers that the caller got, and the clients and consents it works with."""

    registry: Registry
    hidden: bool
    me: Office
    north: Office
    east: Office
    dpo: Partner
    noted: list[Noted] = field(default_factory=list)
    clients: dict[str, dict[str, str]] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)

    async def subject(self, own: Iterable[Body] = ()) -> str:
        """Return the caller's reference for a new client whom north and east know as well. With hidden rows they keep
        records about the client.
        """
        at_north, at_east = await self.north.client(), await self.east.client()
        mine = f"S-{uuid.uuid4()}"
        links = ((self.north, at_north, self.east, at_east), (self.east, at_east, self.me, mine))
        for giver, given, taker, taken in links:
            code = (await giver.post("/link-codes", {"client": given}))["link_code"]
            answer = await taker.partner.post("/clients", {"reference": taken, "link_code": code})
            assert answer.is_success, answer.text
        self.clients[mine] = {"north": at_north, "east": at_east}
        if self.hidden:
            await self.hide(mine)
        for grant in own:
            await self.me.post("/consents", body_of(mine, self.me, grant))
        return mine

    async def hide(self, mine: str) -> None:
        """Let the other partners record about this client what the caller may not see."""
        at_north, at_east = self.clients[mine]["north"], self.clients[mine]["east"]
        for partner, client, grant in (
            (self.north, at_north, YES | NO),
            (self.north, at_north, BACK | NO),
            (self.north, at_north, AWAY),  # a request that east may confirm
            (self.east, at_east, AWAY),
            (self.east, at_east, AWAY | NO),
        ):
            made = await partner.post("/consents", body_of(client, partner, grant))
            self.elsewhere.append(made["consent_id"])

    async def beside(self, mine: str, *grants: Body) -> Body:
        """Return a consent of north with a given grant that the caller takes part in and, with hidden rows, a refused
        one.
        """
        body = body_of(self.clients[mine]["north"], self.north, *grants, *([OTHER_YES | NO] if self.hidden else []))
        return await self.north.post("/consents", body)

    def nowhere(self) -> str:
        """Return the id of a consent that the caller may not see or, without hidden rows, of none."""
        return self.elsewhere[-1] if self.hidden else str(uuid.uuid4())

    async def ask(self, name: str, answer: Awaitable[httpx.Response]) -> Any:  # noqa: ANN401 - a JSON value
        """Await an answer and note it under the name of its call."""
        got = await answer
        self.noted.append((name, (got.status_code, headers_of(got), content_of(got))))
        return got.json() if got.headers["content-type"].endswith("json") else None

    async def pages(self, name: str, who: Partner, path: str, body: Body) -> None:
        """Note every page of a list."""
        cursor: Body = {}
        while True:
            page = await self.ask(name, who.post(path, body | cursor))
            if page.get("next") is None:
                return
            cursor = {"cursor": page["next"]}


def body_of(client: str, at: Office, *grants: Body) -> Body:
    """Return a request to record a consent with these grants."""
    body = consent_body(client, at.text)
    body["grants"] = list(grants)
    return body


@asynccontextmanager
async def beginning(installation: Installation, *, hidden: bool) -> AsyncIterator[Day]:
    """Run the application on a database of its own, and begin a day there."""
    short = partial(Runtime, limits=ReadingLimits(search_rounds=ROUNDS))
    async with fresh(installation, make_runtime=short) as registry:
        me, north, east = [await office(registry, slug) for slug in (CALLER, "north", "east")]
        yield Day(registry, hidden, me, north, east, await registry.dpo(CALLER))


async def rows_read(registry: Registry, partner: str = CALLER) -> dict[str, list[str]]:
    """Return every row that a transaction of this partner reads, by table, sorted."""
    found = {}
    async with registry.sql("app") as connection, connection.transaction():
        await connection.execute(f"set local registry.network = '{NUMBER}'")
        await connection.execute(f"set local registry.partners = '{{{PARTNERS[partner]}}}'")
        for table in await _tables(registry):
            if table not in OF_THE_NETWORK:
                async with connection.transaction():
                    found[table] = await _rows(connection, table)
    return found


async def _tables(registry: Registry) -> list[str]:
    async with registry.sql() as superuser:
        rows = await superuser.fetch(
            "select relname from pg_class where relnamespace = 'registry'::regnamespace and relrowsecurity"
            " and relkind in ('r', 'p') and not relispartition"
        )
    return [row["relname"] for row in rows]


async def _rows(connection: asyncpg.Connection, table: str) -> list[str]:
    try:
        async with connection.transaction():
            rows = await connection.fetch(f"select t::text from registry.{table} t")  # noqa: S608
    except asyncpg.InsufficientPrivilegeError:
        return []
    return sorted(row[0] for row in rows)


# --- what of an answer is compared ------------------------------------------------------------------------------

MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "time"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "digest"),
    (re.compile(r"\b(S|N)-[0-9a-f-]{36}"), "reference"),
    (re.compile(r"(?<![\w-])[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}(?![\w-])"), "code"),
    (re.compile(r"[A-Za-z0-9+/_-]{43,}={0,2}"), "bytes"),
)
IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Places in the log, lengths and times. Acts of other partners change these for everybody.
VARYING = {"index", "log_index", "date", "x-request-id", "content-length", "request_id"}


def headers_of(answer: httpx.Response) -> dict[str, str]:
    """Return the headers without those that differ between any two calls."""
    return {name: "" if name in VARYING else IDENTIFIER.sub("id", value) for name, value in answer.headers.items()}


def content_of(answer: httpx.Response) -> object:
    """Return the body as a value, whatever its media type."""
    kind = answer.headers.get("content-type", "")
    if kind.endswith("json"):
        return masked(answer.json())
    if "csv" in kind:
        return [masked({**row}) for row in csv.DictReader(io.StringIO(answer.text))]
    return [masked(json.loads(line)) for line in answer.text.splitlines()]


def masked(value: object) -> object:
    """Return a value without times, digests, codes, cursors and places in the log."""
    match value:
        case dict():
            return {key: "" if key in VARYING else _member(key, member) for key, member in value.items()}
        case list():
            return [masked(each) for each in value]
        case str():
            for pattern, word in MASKS:
                value = pattern.sub(word, value)
            return value
        case _:
            return value


def _member(key: str, value: object) -> object:
    return "more" if key == "next" and value is not None else masked(value)


def numbered(noted: Iterable[Noted]) -> list[Noted]:
    """Return the answers with each identifier replaced by the number of its first appearance, so that days compare."""
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"id {len(numbers)}")

    return [(name, json.loads(IDENTIFIER.sub(number, json.dumps(value)))) for name, value in noted]


def difference(left: object, right: object, place: str = "") -> str | None:
    """Return the first difference of two values, for the message of a failing test."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        pairs = [(f"{place}/{key}", left[key], right[key]) for key in left]
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = [(f"{place}/{number}", *both) for number, both in enumerate(zip(left, right, strict=True))]
    else:
        return None if left == right else f"{place}: {left} and {right}"
    return next((found for where, *both in pairs if (found := difference(both[0], both[1], where))), None)
