"""A network's catalogue: who may send what to whom for what, as one value (docs/design/data-and-trust.md).

Numbers identify partners, purposes and categories inside; slugs are their names on the wire. Neither ever changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Literal

import msgspec

from consent_registry.domain.approvals import Approval, ApprovalGate
from consent_registry.domain.flags import ATTENDANCE, CategoryFlags, Policies, PurposeFlags

Basis = Literal["consent", "statute"]


class Network(msgspec.Struct, frozen=True):
    """A tenant: one cooperation with its own catalogue, consents and log."""

    network_id: int
    slug: str
    name: str
    about: str
    log_origin: str


class Partner(msgspec.Struct, frozen=True):
    """One organisational unit that may send or receive (§ 67 Abs. 4 Satz 2 SGB X)."""

    partner_id: int
    slug: str
    name: str
    organisation: str | None
    kind: str
    regime: str | None
    secrecy_holder: bool
    selectable: bool
    isolated: bool
    suspended: bool
    coordinating_post: bool = False


class Category(msgspec.Struct, frozen=True):
    """A kind of data; `special` is Art. 9 DSGVO, `secrecy` means § 203 StGB can apply."""

    category_id: int
    slug: str
    name_de: str
    name_en: str
    special: bool
    secrecy: bool
    flags: CategoryFlags = CategoryFlags()


class Purpose(msgspec.Struct, frozen=True):
    """What data may be exchanged for, with the categories that can be needed for it."""

    purpose_id: int
    slug: str
    name_de: str
    name_en: str
    category_ids: frozenset[int]
    flags: PurposeFlags = PurposeFlags()


class Agreement(msgspec.Struct, frozen=True):
    """A version of the network's frame; open ends mean no limit."""

    agreement_id: str
    version: str
    valid_from: datetime | None
    valid_until: datetime | None
    ended: bool

    def in_force(self, at: datetime) -> bool:
        """Whether this version holds at `at`: valid_from <= at < valid_until and not ended."""
        begun = self.valid_from is None or self.valid_from <= at
        over = self.valid_until is not None and self.valid_until <= at
        return begun and not over and not self.ended


class Flow(msgspec.Struct, frozen=True):
    """A flow an agreement allows: directed, for one purpose, on consent or on the statute `norm`."""

    agreement: Agreement
    sender_id: int
    recipient_id: int
    purpose_id: int
    category_ids: frozenset[int]
    basis: Basis
    norm: str | None


class TextLanguage(msgspec.Struct, frozen=True):
    """One language of a text: SHA-256 of the exact bytes (64 hex digits). New consents are taken neither on a `stale`
    translation nor on a text that was `void` from the start; consents on the latter were voided with it.
    """

    language: str
    sha256: str
    stale: bool
    void: bool = False


class Text(msgspec.Struct, frozen=True):
    """A published consent text; immutable."""

    text_id: str
    version: str
    languages: Mapping[str, TextLanguage]


FlowKey = tuple[int, int, int]


class FlowRules(msgspec.Struct, frozen=True):
    """A network's rules for data from one sender to one recipient for one purpose, the same for every client: the flows
    of its agreements, the approval gates, and whether this is the back channel of an advice office.
    """

    flows: tuple[Flow, ...]
    gates: tuple[ApprovalGate, ...] = ()
    is_back_channel: bool = False


class CredentialFacts(msgspec.Struct, frozen=True):
    """Whose a credential is (a partner's number, 0 for the network's administration), what for, and if it was revoked.
    None of it but `revoked` ever changes.
    """

    partner_id: int
    scopes: frozenset[str]
    revoked: bool


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """Everything a decision needs to know about its network, as of `version`; `credentials` by client id."""

    network: Network
    version: int
    partners: Mapping[str, Partner]
    categories: Mapping[str, Category]
    purposes: Mapping[str, Purpose]
    agreements: tuple[Agreement, ...]
    flows: Mapping[FlowKey, tuple[Flow, ...]]
    texts: Mapping[str, Text]
    credentials: Mapping[str, CredentialFacts]
    policies: Policies = Policies()
    approvals: tuple[Approval, ...] = ()

    @cached_property
    def partner_by_id(self) -> Mapping[int, Partner]:
        """The partners by number."""
        return {one.partner_id: one for one in self.partners.values()}

    @cached_property
    def category_by_id(self) -> Mapping[int, Category]:
        """The data categories by number."""
        return {one.category_id: one for one in self.categories.values()}

    @cached_property
    def purpose_by_id(self) -> Mapping[int, Purpose]:
        """The purposes by number."""
        return {one.purpose_id: one for one in self.purposes.values()}

    def flows_between(self, sender_id: int, recipient_id: int, purpose_id: int) -> tuple[Flow, ...]:
        """The flows of all agreements for this direction and purpose."""
        return self.flows.get((sender_id, recipient_id, purpose_id), ())

    @cached_property
    def _flow_rules(self) -> dict[FlowKey, FlowRules]:
        return {}

    def flow_rules(self, sender_id: int, recipient_id: int, purpose_id: int) -> FlowRules:
        """The rules for this direction and purpose; computed once for each version of the catalogue."""
        key = (sender_id, recipient_id, purpose_id)
        if key not in self._flow_rules:
            self._flow_rules[key] = FlowRules(
                self.flows_between(*key), tuple(self._gates(*key)), self.is_advice_office(sender_id, purpose_id)
            )
        return self._flow_rules[key]

    def is_advice_office(self, partner_id: int, purpose_id: int) -> bool:
        """Whether the partner advises for a purpose whose way back is narrow: some agreement brings it more for that
        purpose than attendance needs. What it sends for the purpose is then the way back.
        """
        return partner_id in advice_offices(
            (flow for several in self.flows.values() for flow in several), self.purpose_by_id, self.category_by_id
        ).get(purpose_id, ())

    def _gates(self, sender_id: int, recipient_id: int, purpose_id: int) -> Iterator[ApprovalGate]:
        fitting = [one for one in self.approvals if one.fits(sender_id, recipient_id, purpose_id)]
        for member, partner_id in (("sender", sender_id), ("recipient", recipient_id)):
            if self.partner_by_id[partner_id].isolated:
                approvals = tuple(one for one in fitting if one.partner_id == partner_id)
                yield ApprovalGate("isolated_partner", member, approvals)
        if self.purpose_by_id[purpose_id].flags.dpo_approval:
            approvals = tuple(one for one in fitting if one.subject_purpose_id == purpose_id)
            yield ApprovalGate("dpo_approval", "purpose", approvals)

    def category_slugs(self, category_ids: frozenset[int] | tuple[int, ...] | list[int]) -> list[str]:
        """The slugs of these categories, in the given order (a set: in the catalogue's order)."""
        ordered = sorted(category_ids) if isinstance(category_ids, frozenset) else category_ids
        return [self.category_by_id[one].slug for one in ordered]


def advice_offices(
    flows: Iterable[Flow], purposes: Mapping[int, Purpose], categories: Mapping[int, Category]
) -> dict[int, frozenset[int]]:
    """For each purpose with a narrow way back the partners that advise: who receives more than attendance for it."""
    found: dict[int, frozenset[int]] = {}
    for flow in flows:
        if purposes[flow.purpose_id].flags.back_channel == "attendance_only" and any(
            categories[one].slug not in ATTENDANCE for one in flow.category_ids
        ):
            found[flow.purpose_id] = found.get(flow.purpose_id, frozenset()) | {flow.recipient_id}
    return found
