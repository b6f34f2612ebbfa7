"""The calls about a client beside decisions, and persons of whom others keep what the caller may not know."""

import itertools
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.campaigns.support.scene import CREATED, OK, Flow, Person, Scene, instant, key, register
from tests.campaigns.support.wire import Answer

ELSEWHERE = ("nothing elsewhere", "refused elsewhere", "requested elsewhere", "given elsewhere")
"""What two other partners, who know the person as well, keep of it; the link alone is the same in all."""
OFTEN = 12
OF_A_CODE = 2
"""How often others recorded it of a person, and of one whose code is redeemed once and then of no more use."""
GOOD = {OK, CREATED}
NOT_FOUND = 404

Body = dict[str, Any]
Call = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Known:
    """A person: the caller's reference, an own consent, and one that is not the caller's to see (or that does not
    exist); codes of others for persons in the same state, each good for one use.
    """

    mine: str
    own: Body
    foreign: str
    codes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Hall:
    """Who calls: the caller, its officer, and two others with a flow between them."""

    stage: Scene
    me: Person
    dpo: Person
    others: tuple[Person, Person]
    between: Flow
    with_me: tuple[Flow, ...]

    @classmethod
    def of(cls, stage: Scene) -> "Hall":
        """Find two other partners: a flow between them that data may take, and flows of theirs with the caller."""
        consents = [flow for flow in stage.flows if not flow.statute]
        pairs = [flow for flow in consents if stage.sender not in {flow.sender, flow.recipient}]
        between = next(flow for flow in pairs if _with(consents, stage.sender, flow.sender))
        me = stage.person(stage.sender)
        entry = next(p for p in stage.server.network(stage.network)["partners"] if p["slug"] == stage.sender)
        officer = replace(stage.server.partner(stage.network, stage.sender), **entry["dpo"])
        others = (stage.person(between.sender), stage.person(between.recipient))
        flows = tuple(_with(consents, stage.sender, between.sender))
        return cls(stage, me, Person.at(officer, stage.wires), others, between, flows)

    async def person(self, state: str, codes: int = 0) -> Known:
        """Return a new person in this state, known to all three, with one own consent."""
        mine, theirs = f"P-{uuid.uuid4()}", two()
        await self.redeem(self.me, mine, await self.code(theirs))
        own = await record(self.me, self.stage.consent(mine, [self.stage.outgoing()[0].grant()]))
        foreign = await self.keep(state, theirs, OFTEN)
        return Known(mine, own, foreign, [await self.unused(state) for _ in range(codes)])

    async def unused(self, state: str) -> str:
        """Return a code for a new person in this state, whom the caller does not know yet."""
        theirs = two()
        code = await self.code(theirs)
        await self.keep(state, theirs, OF_A_CODE)
        return code

    async def code(self, theirs: tuple[str, str]) -> str:
        """Make one client of two new references of the others; return a code of the second one's for it."""
        first, second = self.others
        await register(first, [theirs[0]])
        code = await done(first.post("/link-codes", {"client": theirs[0]}, key()))
        await self.redeem(second, theirs[1], code["link_code"])
        return str((await done(second.post("/link-codes", {"client": theirs[1]}, key())))["link_code"])

    async def redeem(self, partner: Person, reference: str, code: str) -> None:
        """Register a reference with a code."""
        await done(partner.post("/clients", {"reference": reference, "link_code": code}, key()))

    async def keep(self, state: str, theirs: tuple[str, str], times: int) -> str:
        """Have the others record what makes this state; return one of these consents, or none that exists."""
        sender, recipient = self.others
        made = {"consent_id": str(uuid.uuid4())}
        for flow in itertools.islice(itertools.cycle(self.with_me), times if state == "refused elsewhere" else 0):
            refusal = self.stage.consent(theirs[0], [flow.grant(answer="refused")])
            made = await record(sender, refusal)
        for _ in range(times if state == "requested elsewhere" else 0):
            made = await record(recipient, self.stage.consent(theirs[1], [self.between.grant()]))
        for _ in range(times if state == "given elsewhere" else 0):
            made = await record(sender, self.stage.consent(theirs[0], [self.between.grant()]))
        return str(made["consent_id"])


def _with(consents: list[Flow], me: str, partner: str) -> list[Flow]:
    return [flow for flow in consents if {flow.sender, flow.recipient} == {me, partner}]


def two() -> tuple[str, str]:
    """Return two new references."""
    return f"P-{uuid.uuid4()}", f"P-{uuid.uuid4()}"


async def done(answer: Awaitable[Answer]) -> Body:
    """Await an answer that must be a success; return its body."""
    got = await answer
    assert got.status in GOOD, got.body
    body: Body = got.json()
    return body


async def record(person: Person, body: Body) -> Body:
    """Record a consent."""
    return await done(person.post("/consents", body, key()))


@dataclass(frozen=True, slots=True)
class Door:
    """A call: `ready` makes what one call uses up and returns that call; `statuses` are the answers it may have."""

    name: str
    ready: Callable[[Hall, Known], Awaitable[Call]]
    statuses: frozenset[int] = frozenset(GOOD)


def _plain(make: Callable[[Hall, Known], Call]) -> Callable[[Hall, Known], Awaitable[Call]]:
    """Return the way to a call that uses nothing up."""

    async def ready(hall: Hall, known: Known) -> Call:
        return make(hall, known)

    return ready


def _search(**asked: object) -> Callable[[Hall, Known], Awaitable[Call]]:
    return _plain(lambda hall, known: lambda: hall.me.post("/consents/search", {"client": known.mine} | asked))


def _act(path: str, **body: object) -> Callable[[Hall, Known], Awaitable[Call]]:
    return _plain(lambda hall, known: lambda: hall.me.post(f"/consents/{known.foreign}/{path}", body, key()))


def _withdrawal(by: str, **members: object) -> Callable[[Hall, Known], Awaitable[Call]]:
    async def ready(hall: Hall, known: Known) -> Call:
        made = await record(hall.me, hall.stage.consent(known.mine, [hall.stage.outgoing()[0].grant()]))
        body = {by: known.mine if by == "client" else made[by], "channel": "phone"} | members
        return lambda: hall.me.post("/withdrawals", body, key())

    return ready


def _late(hall: Hall, known: Known) -> Call:
    """A paper from yesterday, of which everything was withdrawn since."""
    body = hall.stage.consent(known.mine, [hall.stage.outgoing()[0].grant()])
    body["act"]["given_at"] = instant(days=1)
    return lambda: hall.me.post("/consents", body, key())


async def _redeemed(hall: Hall, known: Known) -> Call:
    body = {"reference": f"P-{uuid.uuid4()}", "link_code": known.codes.pop()}
    return lambda: hall.me.post("/clients", body, key())


DOORS = (
    Door("search", _search()),
    Door("search for a rare status", _search(status="invalidated", limit=1)),
    Door("read", _plain(lambda hall, known: lambda: hall.me.get(f"/consents/{known.own['consent_id']}"))),
    Door(
        "read another's",
        _plain(lambda hall, known: lambda: hall.me.get(f"/consents/{known.foreign}")),
        frozenset({NOT_FOUND}),
    ),
    Door("end another's", _act("endings", reason="case_closed"), frozenset({NOT_FOUND})),
    Door(
        "search the log",
        _plain(lambda hall, known: lambda: hall.dpo.post("/events/search", {"client": known.mine, "limit": 5})),
    ),
    Door(
        "record",
        _plain(
            lambda hall, known: (
                lambda: hall.me.post(
                    "/consents", hall.stage.consent(known.mine, [hall.stage.outgoing()[0].grant()]), key()
                )
            )
        ),
    ),
    Door("withdraw by consent", _withdrawal("consent_id")),
    Door("withdraw by client", _withdrawal("client")),
    Door("withdraw by code", _withdrawal("receipt_code")),
    Door(
        "issue a link code",
        _plain(lambda hall, known: lambda: hall.me.post("/link-codes", {"client": known.mine}, key())),
    ),
    Door("redeem a link code", _redeemed),
    Door(
        "withdraw with nothing on record",
        _plain(
            lambda hall, known: lambda: hall.me.post("/withdrawals", {"client": known.mine, "channel": "phone"}, key())
        ),
    ),
    # These take back what the others keep as well, so that they come last.
    Door("withdraw everything", _withdrawal("client", scope="everything")),
    Door("withdraw everything by code", _withdrawal("receipt_code", scope="everything")),
    Door("record a late paper", _plain(_late)),
)
"""Every kind of call about a client that others know as well; decisions have a campaign of their own."""
