"""A network's catalogue as one value: who may send which data to whom for which purpose
(docs/design/data-and-trust.md).

Inside, numbers identify partners, purposes and categories; on the wire, slugs do. Neither ever changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Literal

import msgspec

from consent_registry.domain.approvals import Approval, ApprovalGate
from consent_registry.domain.flags import ATTENDANCE, CategoryFlags, Policies, PurposeFlags

Basis = Literal["consent", "statute"]
SuspensionReason = Literal["security", "agreement", "other"]
# The language of which every other one is a translation.
REFERENCE_LANGUAGE = "de"


class Network(msgspec.Struct, frozen=True):
    """A tenant: one cooperation with its own catalogue, consents and log."""

    network_id: int
    slug: str
    name: str
    about: str
    log_origin: str


class PartnerFunction(msgspec.Struct, frozen=True):
    """A function at a partner, such as debt counselling. `secrecy_norm` is the norm that binds those who hold it to
    professional secrecy (§ 203 Abs. 1 StGB, with its number), or None.
    """

    slug: str
    name: str
    secrecy_norm: str | None


class Partner(msgspec.Struct, frozen=True, dict=True):
    """One organisational unit that may send or receive (§ 67 Abs. 4 Satz 2 SGB X)."""

    partner_id: int
    slug: str
    name: str
    organisation: str | None
    kind: str
    regime: str | None
    functions: tuple[PartnerFunction, ...]
    selectable: bool
    isolated: bool
    suspended: bool
    coordinating_post: bool = False
    # Why it is suspended, None while it is not.
    suspended_for: SuspensionReason | None = None

    @property
    def may_record_withdrawals(self) -> bool:
        """Whether the partner can record that a client withdraws, also while it is suspended: its clients must not be
        kept from that, unless the partner's own security is in doubt.
        """
        return not self.suspended or self.suspended_for in {"agreement", "other"}

    @cached_property
    def secrecy_holder(self) -> bool:
        """Whether one of its functions is bound to professional secrecy (§ 203 Abs. 1 StGB)."""
        return any(function.secrecy_norm is not None for function in self.functions)


class Category(msgspec.Struct, frozen=True):
    """A kind of data; `special` is Art. 9 DSGVO. `secrecy`: data that professional secrecy is mostly about. It decides
    nothing, because everything that is entrusted to a secrecy holder is secret.
    """

    category_id: int
    slug: str
    name_de: str
    name_en: str
    special: bool
    secrecy: bool
    flags: CategoryFlags = CategoryFlags()


class Purpose(msgspec.Struct, frozen=True):
    """A purpose of data exchange, with the categories that it can need."""

    purpose_id: int
    slug: str
    name_de: str
    name_en: str
    category_ids: frozenset[int]
    flags: PurposeFlags = PurposeFlags()


class Agreement(msgspec.Struct, frozen=True):
    """A version of the network's agreement. A begin or end of None means no limit."""

    agreement_id: str
    version: str
    valid_from: datetime | None
    valid_until: datetime | None
    ended: bool

    def in_force(self, at: datetime) -> bool:
        """Whether this version is in force at `at`: valid_from <= at < valid_until, and not ended."""
        begun = self.valid_from is None or self.valid_from <= at
        over = self.valid_until is not None and self.valid_until <= at
        return begun and not over and not self.ended


class Flow(msgspec.Struct, frozen=True):
    """A flow that an agreement allows, in one direction for one purpose, based on consent or on the statute `norm`.
    `entrusted`: its data were entrusted to the youth office for help in person (§ 65 SGB VIII).
    """

    agreement: Agreement
    sender_id: int
    recipient_id: int
    purpose_id: int
    category_ids: frozenset[int]
    basis: Basis
    norm: str | None
    entrusted: bool = False


class Aliases(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a text calls purposes and data categories in one language, by their slugs, beside their catalogue names."""

    purposes: Mapping[str, tuple[str, ...]] = {}
    categories: Mapping[str, tuple[str, ...]] = {}


class Cover(msgspec.Struct, frozen=True):
    """What a text asks the client about: data from one sender to one recipient for one purpose. All are slugs."""

    sender: str
    recipient: str
    purpose: str
    categories: tuple[str, ...]


class TextLanguage(msgspec.Struct, frozen=True):
    """One language of a text, with the SHA-256 of its exact bytes (64 hex digits). A `stale` translation or a `void`
    text gets no new consents; earlier consents on a `void` text were invalidated with it.
    """

    language: str
    sha256: str
    stale: bool
    void: bool = False
    aliases: Aliases = Aliases()


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A published consent text; immutable.

    `covers`: the flows about which it asks. `informs`: what it says to the client. It is used on German days
    from `in_use_since` to `in_use_until`, both included; None is open. `form_sha256` is the hash of the form that was
    used before the text was published here.
    """

    text_id: str
    version: str
    languages: Mapping[str, TextLanguage]
    covers: tuple[Cover, ...]
    informs: frozenset[str]
    in_use_since: date
    in_use_until: date | None
    form_sha256: str | None
    published_at: datetime


FlowKey = tuple[int, int, int]


class FlowRules(msgspec.Struct, frozen=True):
    """A network's rules for data from one sender to one recipient for one purpose, the same for every client: the flows
    of its agreements, the approval gates, and whether this is the back channel of an advice office.
    """

    flows: tuple[Flow, ...]
    gates: tuple[ApprovalGate, ...] = ()
    is_back_channel: bool = False


class CredentialFacts(msgspec.Struct, frozen=True):
    """A credential's partner (by number; 0 is the network's administration), its scopes, and whether it was revoked.
    Only `revoked` ever changes.
    """

    partner_id: int
    scopes: frozenset[str]
    revoked: bool


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """A network's catalogue as of `version`. `credentials` is keyed by OAuth client id."""

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
        return {partner.partner_id: partner for partner in self.partners.values()}

    @cached_property
    def category_by_id(self) -> Mapping[int, Category]:
        """The data categories by number."""
        return {category.category_id: category for category in self.categories.values()}

    @cached_property
    def purpose_by_id(self) -> Mapping[int, Purpose]:
        """The purposes by number."""
        return {purpose.purpose_id: purpose for purpose in self.purposes.values()}

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
        """Whether the partner is an advice office for a purpose whose back channel is limited to attendance: an
        agreement sends it more than attendance data. What it sends for the purpose is then the back channel.
        """
        flows = (flow for same_key in self.flows.values() for flow in same_key)
        return partner_id in advice_offices(flows, self.purpose_by_id, self.category_by_id).get(purpose_id, ())

    def _gates(self, sender_id: int, recipient_id: int, purpose_id: int) -> Iterator[ApprovalGate]:
        fitting = [approval for approval in self.approvals if approval.fits(sender_id, recipient_id, purpose_id)]
        for member, partner_id in (("sender", sender_id), ("recipient", recipient_id)):
            if self.partner_by_id[partner_id].isolated:
                approvals = tuple(approval for approval in fitting if approval.partner_id == partner_id)
                yield ApprovalGate("isolated_partner", member, approvals)
        if self.purpose_by_id[purpose_id].flags.dpo_approval:
            approvals = tuple(approval for approval in fitting if approval.subject_purpose_id == purpose_id)
            yield ApprovalGate("dpo_approval", "purpose", approvals)

    def category_slugs(self, category_ids: frozenset[int] | tuple[int, ...] | list[int]) -> list[str]:
        """The slugs of these categories in the given order; for a set in the catalogue's order."""
        ordered = sorted(category_ids) if isinstance(category_ids, frozenset) else category_ids
        return [self.category_by_id[category_id].slug for category_id in ordered]


def advice_offices(
    flows: Iterable[Flow], purposes: Mapping[int, Purpose], categories: Mapping[int, Category]
) -> dict[int, frozenset[int]]:
    """The advice offices of each purpose with a limited back channel: they receive more than attendance data."""
    found: dict[int, frozenset[int]] = {}
    for flow in flows:
        if purposes[flow.purpose_id].flags.back_channel == "attendance_only" and any(
            categories[category_id].slug not in ATTENDANCE for category_id in flow.category_ids
        ):
            found[flow.purpose_id] = found.get(flow.purpose_id, frozenset()) | {flow.recipient_id}
    return found
