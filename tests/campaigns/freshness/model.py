"""The registry as the wire contract describes it, small enough to be read whole; it never speaks to the real one.

A client is one partner's reference, and all that were linked to it. Times are far in the past or the future, so that no
status changes while a test runs. `now` is the world's clock, which only orders withdrawals and consents; a paper that
comes late, and a withdrawal that was received early, have a time before its beginning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.campaigns.support.scene import Flow

BEFORE_EVERYTHING, PAST, SOON, FAR = -(10**9), -1, 10**9, 10**9 + 1
# Given two days ago and received half a day ago, in a run that begins now.
LATE, EARLY = -2, -0.5
STRONGEST_FIRST = ("refused", "withdrawn", "expired", "requested")
LIVE = ("given", "renewed")
Status = str
Client = tuple[str, str]
"""A partner and its reference."""


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
    given: float = 0
    taken: dict[str, float] = field(default_factory=dict)
    restricted: set[str] = field(default_factory=set)
    renewed: bool = False

    @property
    def flow(self) -> tuple[str, str, str]:
        """The direction and purpose."""
        return self.sender, self.recipient, self.purpose

    @property
    def withdrawn(self) -> set[str]:
        """The withdrawn categories."""
        return set(self.taken)

    def status(self) -> Status:
        """The order is that of the strongest ground first (docs/design/consents.md)."""
        if self.answer == "refused":
            return "refused"
        if self.withdrawn >= set(self.categories):
            return "withdrawn"
        if self.ends <= 0:
            return "expired"
        if self.answer == "requested":
            return "requested"
        return "renewed" if self.renewed else "given"

    def since(self) -> float:
        """When the grant ended, by the world's clock; what never ended is as old as can be."""
        latest = max(self.taken.values(), default=BEFORE_EVERYTHING)
        return {"withdrawn": latest, "expired": self.ends}.get(self.status(), BEFORE_EVERYTHING)

    def take(self, categories: set[str], received: float) -> bool:
        """Withdraw these categories; whether it lost something."""
        gone = self.left() & categories
        if not gone or self.status() not in {*LIVE, "requested"}:
            return False
        self.taken |= dict.fromkeys(gone, received)
        return True

    def left(self) -> set[str]:
        """Return the categories that were not withdrawn."""
        return set(self.categories) - self.withdrawn

    def visible_to(self, partner: str, recorder: str) -> bool:
        """Promise 5: the recorder always, the parties once it was given, its sender while it can be confirmed."""
        if self.answer == "given":
            return partner in {recorder, self.sender, self.recipient}
        return partner == recorder or (self.status() == "requested" and partner == self.sender)

    def readers(self, recorder: str) -> set[str]:
        """Return for whom the client's own code reaches this grant."""
        parties = {"refused": set(), "requested": {self.sender}, "given": {self.sender, self.recipient}}
        return {recorder} | parties[self.answer]


@dataclass(slots=True)
class Consent:
    """One act of consent."""

    consent_id: str
    recorder: str
    reference: str
    code: str
    grants: list[Grant]
    place: dict[str, Any]
    renews: str | None = None

    @property
    def home(self) -> Client:
        """Return under whose reference it is kept, also after links."""
        return self.recorder, self.reference

    def seen_by(self, partner: str) -> list[Grant]:
        """Return the grants this partner may learn of."""
        return [grant for grant in self.grants if grant.visible_to(partner, self.recorder)]

    def status_for(self, partner: str) -> Status:
        """Return `given` or `renewed` while any visible grant is, else what they ended with, the latest where they
        differ.
        """
        seen = self.seen_by(partner)
        for live in LIVE:
            if any(grant.status() == live for grant in seen):
                return live
        latest = max(grant.since() for grant in seen)
        return min((grant.status() for grant in seen if grant.since() == latest), key=STRONGEST_FIRST.index)


Held = tuple[Consent, Grant]
"""A grant and the consent it is of."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawal that is kept: under which references, when it was received, and what it covers of any paper: every
    flow of `partner`, every flow at all, or the `flows` with their categories.
    """

    members: frozenset[Client]
    received: float
    partner: str | None = None
    everything: bool = False
    flows: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    categories: frozenset[str] | None = None

    def covered(self, grant: Grant) -> set[str]:
        """Return the categories of a grant that it takes back if the grant was given until it was received."""
        if grant.given > self.received:
            return set()
        if self.everything:
            return set(grant.categories)
        if self.partner is not None:
            mine = self.partner in {grant.sender, grant.recipient}
            return set(grant.categories) & (self.categories or set(grant.categories)) if mine else set()
        return set(grant.categories) & self.flows.get(grant.flow, set())

    def concerns(self, grant: Grant) -> bool:
        """Whether it is about the grant's flow."""
        parties = {grant.sender, grant.recipient}
        return self.everything or self.partner in parties or grant.flow in self.flows


@dataclass(slots=True)
class World:
    """Everything one run has done, and the events that must be in the log for it."""

    flows: Sequence[Flow]
    now: int = 0
    clients: list[Client] = field(default_factory=list)
    together: dict[Client, set[Client]] = field(default_factory=dict)
    redeemed: set[Client] = field(default_factory=set)
    consents: list[Consent] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    decisions: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    reported: dict[str, set[str]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def log(self, kind: str, actor: str, **facts: object) -> None:
        """Note the event that must stand next in the log."""
        self.events.append({"kind": kind, "actor": actor} | facts)

    def log_beside(self, entries: int) -> None:
        """Note so many entries for other client numbers, and padding, of the act that was noted last."""
        self.events += [{"beside": number} for number in range(1, entries + 1)]

    def everybody(self, client: Client) -> set[Client]:
        """Return all references that mean this client."""
        return self.together.get(client, {client})

    def register(self, client: Client) -> None:
        """Know a reference from now on."""
        if client not in self.clients:
            self.clients.append(client)

    def name_for(self, partner: str, consent: Consent) -> str | None:
        """Return by which of its own references a partner is shown a consent: by its home, else by its oldest."""
        own = [known for known in self.clients if known[0] == partner and known in self.everybody(consent.home)]
        return consent.reference if consent.home in own else next((reference for _, reference in own), None)

    def link(self, issuer: Client, redeemer: Client) -> None:
        """Make two clients one."""
        self.register(redeemer)
        self.redeemed.add(redeemer)
        members = self.everybody(issuer) | self.everybody(redeemer)
        self.together.update(dict.fromkeys(members, members))
        self.take_back(redeemer, [grant for consent in self.of_client(redeemer) for grant in consent.grants])

    def unlink(self, client: Client) -> None:
        """Make a reference a client of its own; the others stay one."""
        left = self.everybody(client) - {client}
        self.together.update(dict.fromkeys(left, left))
        self.together[client] = {client}
        self.redeemed.discard(client)

    def of_client(self, client: Client) -> list[Consent]:
        """Return the consents under every reference that means the client."""
        return [consent for consent in self.consents if consent.home in self.everybody(client)]

    def visible(self, client: Client, *partners: str) -> list[Held]:
        """Return the client's grants that any of these partners may learn of."""
        return [
            (consent, grant)
            for consent in self.of_client(client)
            for grant in consent.grants
            if any(grant.visible_to(partner, consent.recorder) for partner in partners)
        ]

    def decide(self, sender: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the members of the answer that follow from the contract."""
        asked: list[str] = body["categories"]
        flow = (sender, body["recipient"], body["purpose"])
        statutory = set(asked) if body.get("basis") == "statute" else self._listed(flow, statute=True)
        held: set[str] = set()
        for consent in self.of_client((sender, body["client"])):
            for grant in consent.grants:
                if grant.flow == flow and grant.status() in LIVE and grant.begins <= 0 < grant.ends:
                    held |= grant.left() - grant.restricted
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

    def related_grants(self, chosen: Sequence[Held], among: Sequence[Held]) -> list[Held]:
        """Return what says the same yes as the chosen grants: the same flow in a consent that renews theirs, or that
        theirs renews, over any number of acts.
        """
        own = {consent.consent_id for consent, _ in chosen}
        wanted = {
            (consent_id, grant.flow)
            for consent, grant in chosen
            if grant.answer != "refused"
            for consent_id in _family(consent.consent_id, among) - own
        }
        return [(consent, grant) for consent, grant in among if (consent.consent_id, grant.flow) in wanted]

    def take_back(self, client: Client, grants: Iterable[Grant]) -> bool:
        """Hold grants of a client against what is kept under any of its references; whether anything was taken."""
        mine = self.everybody(client)
        kept = [withdrawal for withdrawal in self.withdrawals if withdrawal.members & mine]
        taken = [
            grant.take(withdrawal.covered(grant), withdrawal.received)
            for grant in grants
            for withdrawal in sorted(kept, key=lambda withdrawal: withdrawal.received)
        ]
        return any(taken)

    def withdraw(
        self, named: Sequence[Held], reached: Sequence[Held], withdrawal: Withdrawal, categories: Sequence[str] | None
    ) -> list[Held]:
        """Keep a withdrawal; return the grants that lost something: those that it names whenever they were given, and
        those that it covers among what it can reach.
        """
        self.withdrawals.append(withdrawal)
        taken = []
        for consent, grant in named:
            parts = set(grant.categories) if categories is None else set(categories)
            if grant.take(parts, withdrawal.received):
                taken.append((consent, grant))
        ids = {grant.grant_id for _, grant in named}
        taken += [
            (consent, grant)
            for consent, grant in reached
            if grant.grant_id not in ids and grant.take(withdrawal.covered(grant), withdrawal.received)
        ]
        return taken

    def can_take(self, named: Sequence[Held], categories: Sequence[str] | None) -> bool:
        """Whether anything is left to withdraw of these grants; if not, it is 409 and nothing happens."""
        return any(
            grant.status() in {*LIVE, "requested"}
            and grant.left() & (set(grant.categories) if categories is None else set(categories))
            for _, grant in named
        )

    def restrict(self, held: Iterable[Held], categories: Sequence[str] | None, *, lift: bool) -> list[Held]:
        """Restrict these grants, or lift it, and return those that changed."""
        changed = []
        for consent, grant in held:
            covered = set(grant.categories) if categories is None else set(grant.categories) & set(categories)
            open_to_it = covered & grant.restricted if lift else covered - grant.restricted
            if open_to_it and grant.status() in LIVE:
                grant.restricted = grant.restricted - covered if lift else grant.restricted | covered
                changed.append((consent, grant))
        return changed


def refuses_renewal(earlier: Sequence[Grant], asked: Sequence[dict[str, Any]]) -> bool:
    """Whether this may not renew those grants: a renewal revives nothing and widens nothing."""
    for grant in asked:
        flow = (grant["sender"], grant["recipient"], grant["purpose"])
        given = [
            grant_before for grant_before in earlier if grant_before.flow == flow and grant_before.status() == "given"
        ]
        refused = grant.get("answer") == "refused"
        widens = not set(grant["categories"]) <= set[str]().union(*(grant_before.left() for grant_before in given))
        if refused == bool(given) or (widens and not refused):
            return True
    return all(grant.get("answer") == "refused" for grant in asked)


def renew(earlier: Sequence[Grant], new: Sequence[Grant]) -> None:
    """What is given again is renewed; what only was asked for, or was withdrawn from the start, is not."""
    given = {grant.flow for grant in new if grant.answer == "given" and grant.status() != "withdrawn"}
    for grant in earlier:
        grant.renewed = grant.renewed or (grant.status() == "given" and grant.flow in given)


def _family(consent_id: str, among: Sequence[Held]) -> set[str]:
    """Return every consent that renews this one or that it renews, over any number of acts."""
    family, before = {consent_id}, 0
    while len(family) > before:
        before = len(family)
        for consent, _ in among:
            pair = {consent.consent_id, consent.renews} - {None}
            family |= {member for member in pair if member is not None} if pair & family else set()
    return family
