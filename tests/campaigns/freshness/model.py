"""The registry as the wire contract describes it, small enough to be read whole; it never speaks to the real one.

One client is one partner's reference here: references are not linked. Times are far in the past or the future, so
that no status changes while a test runs. `now` is the world's clock, which only orders withdrawals and consents.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.campaigns.support.scene import Flow

BEFORE_EVERYTHING, PAST, SOON, FAR = -(10**9), -1, 10**9, 10**9 + 1
STRONGEST_FIRST = ("refused", "withdrawn", "expired", "requested")
Status = str


@dataclass(slots=True)
class Grant:
    """A grant and what became of it."""

    grant_id: str
    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    answer: str
    begins: int
    ends: int
    withdrawn: set[str] = field(default_factory=set)
    touched: int = 0

    @property
    def flow(self) -> tuple[str, str, str]:
        """The direction and purpose."""
        return self.sender, self.recipient, self.purpose

    def status(self) -> Status:
        """The order is that of the strongest ground first (docs/design/consents.md)."""
        if self.answer == "refused":
            return "refused"
        if self.withdrawn >= set(self.categories):
            return "withdrawn"
        if self.ends <= 0:
            return "expired"
        return "requested" if self.answer == "requested" else "given"

    def since(self) -> int:
        """When the grant ended, by the world's clock; what never ended is as old as can be."""
        return {"withdrawn": self.touched, "expired": self.ends}.get(self.status(), BEFORE_EVERYTHING)

    def left(self) -> set[str]:
        """Return the categories that were not withdrawn."""
        return set(self.categories) - self.withdrawn

    def visible_to(self, partner: str, recorder: str) -> bool:
        """Promise 5: the recorder always, the parties once it was given, its sender while it can be confirmed."""
        if self.answer == "given":
            return partner in {recorder, self.sender, self.recipient}
        return partner == recorder or (self.status() == "requested" and partner == self.sender)


@dataclass(slots=True)
class Consent:
    """One act of consent."""

    consent_id: str
    recorder: str
    reference: str
    code: str
    grants: list[Grant]
    place: dict[str, Any]

    @property
    def parties(self) -> set[str]:
        """Return everybody who is named in the consent."""
        return {self.recorder} | {slug for grant in self.grants for slug in (grant.sender, grant.recipient)}

    def seen_by(self, partner: str) -> list[Grant]:
        """Return the grants this partner may learn of."""
        return [grant for grant in self.grants if grant.visible_to(partner, self.recorder)]

    def status_for(self, partner: str) -> Status:
        """Return `given` while any visible grant is, else what they ended with, the latest where they differ."""
        seen = self.seen_by(partner)
        if any(grant.status() == "given" for grant in seen):
            return "given"
        latest = max(grant.since() for grant in seen)
        return min((grant.status() for grant in seen if grant.since() == latest), key=STRONGEST_FIRST.index)


@dataclass(slots=True)
class World:
    """Everything one run has done, and the events that must stand in the log for it."""

    flows: Sequence[Flow]
    now: int = 0
    clients: set[tuple[str, str]] = field(default_factory=set)
    consents: list[Consent] = field(default_factory=list)
    decisions: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    reported: dict[str, set[str]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def log(self, kind: str, actor: str, **facts: object) -> None:
        """Note the event that must stand next in the log."""
        self.events.append({"kind": kind, "actor": actor} | facts)

    def of_client(self, partner: str, reference: str) -> list[Consent]:
        """Return the consents of one partner's client."""
        return [c for c in self.consents if (c.recorder, c.reference) == (partner, reference)]

    def decide(self, sender: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the members of the answer that follow from the contract."""
        asked: list[str] = body["categories"]
        flow = (sender, body["recipient"], body["purpose"])
        statutory = set(asked) if body.get("basis") == "statute" else self._listed(flow, statute=True)
        held: set[str] = set()
        for consent in self.of_client(sender, body["client"]):
            for grant in consent.grants:
                if grant.flow == flow and grant.status() == "given" and grant.begins <= 0:
                    held |= grant.left()
        permitted = [c for c in asked if c in held & self._listed(flow, statute=False) and c not in statutory]
        not_consent_based = [c for c in asked if c in statutory]
        denied = [c for c in asked if c not in permitted and c not in statutory]
        if permitted:
            outcome = "partial" if denied or not_consent_based else "permit"
        else:
            outcome = "no_permission" if denied else "not_consent_based"
        return {
            "outcome": outcome,
            "permitted_categories": permitted,
            "denied_categories": denied,
            "not_consent_based_categories": not_consent_based,
        }

    def _listed(self, flow: tuple[str, str, str], *, statute: bool) -> set[str]:
        matching = (f for f in self.flows if (f.sender, f.recipient, f.purpose) == flow and f.statute == statute)
        return {category for each in matching for category in each.categories}

    def withdraw(
        self, grants: Iterable[tuple[Consent, Grant]], categories: Sequence[str] | None
    ) -> tuple[set[str], list[Grant]]:
        """Withdraw and return the grants that lost something; none means 409 and nothing happened."""
        taken = []
        for _, grant in grants:
            gone = grant.left() if categories is None else grant.left() & set(categories)
            if gone and grant.status() in {"given", "requested"}:
                taken.append((grant, gone))
        if taken:
            self.now += 1
        for grant, gone in taken:
            grant.withdrawn |= gone
            grant.touched = self.now
        return {grant.grant_id for grant, _ in taken}, [grant for grant, _ in taken]

    def still_given(self, client: tuple[str, str], taken: Sequence[Grant], viewer: str) -> set[str]:
        """Return the live grants of the client's other consents for the same flows, as far as the viewer sees them."""
        flows, touched = {grant.flow for grant in taken}, {grant.grant_id for grant in taken}
        others = [c for c in self.of_client(*client) if not touched & {grant.grant_id for grant in c.grants}]
        seen = [grant for c in others for grant in c.seen_by(viewer)]
        return {grant.grant_id for grant in seen if grant.status() == "given" and grant.flow in flows}

    def newest(self, partner: str) -> list[str]:
        """Return the ids of the consents this partner sees, newest first."""
        return [c.consent_id for c in reversed(self.consents) if c.seen_by(partner)]
