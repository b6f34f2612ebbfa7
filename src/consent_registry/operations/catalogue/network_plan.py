"""The plan of a new network: what it begins with, and the rules it must keep."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import msgspec

from consent_registry.domain.catalogue import Category, Flow, Network, Partner, Purpose, advice_offices
from consent_registry.domain.errors import Fault
from consent_registry.domain.flags import ATTENDANCE, NOT_A_PURPOSE, Policies
from consent_registry.domain.identifiers import origin_fault
from consent_registry.domain.law.publishing import ProposedText, TextSurroundings, publication_refusals
from consent_registry.domain.law.rules.all_rules import network_refusal

# Words that are used in place of a partner's slug: for a bundle of all events, and for the network's administration.
RESERVED_SLUGS = frozenset({"all", "administration"})


class AgreementPlan(msgspec.Struct, frozen=True):
    """A version of the agreement with its flows, as it will be set up."""

    version: str
    valid_from: datetime | None
    valid_until: datetime | None
    flows: Sequence[Flow]


class NetworkPlan(msgspec.Struct, frozen=True):
    """All that a new network begins with.

    `texts`: each with the exact bytes by language, German among them. `text_ids`: by version the id of a text; a
    version without one gets a new id.
    """

    network: Network
    policies: Policies
    partners: Sequence[Partner]
    categories: Sequence[Category]
    purposes: Sequence[Purpose]
    agreements: Sequence[AgreementPlan]
    texts: Sequence[ProposedText]
    demonstration: bool = False
    text_ids: Mapping[str, str] = {}


def plan_faults(plan: NetworkPlan) -> Iterator[Fault]:
    """The faults of a plan: what its own flags or the registry forbid, each with its place in the document."""
    yield from _names(plan)
    categories = {category.category_id: category for category in plan.categories}
    purposes = {purpose.purpose_id: purpose for purpose in plan.purposes}
    for number, purpose in enumerate(plan.purposes):
        if purpose.slug in NOT_A_PURPOSE:
            detail = f"{purpose.slug!r} is no purpose that a client could agree to."
            yield network_refusal(f"/purposes/{number}/slug", detail, "not_a_purpose")
        for slug in _never_shared(purpose.category_ids, categories):
            yield network_refusal(f"/purposes/{number}/categories", f"{slug!r} is never shared.", "never_shared")
    offices = advice_offices((flow for agreement in plan.agreements for flow in agreement.flows), purposes, categories)
    for at, agreement in enumerate(plan.agreements):
        for number, flow in enumerate(agreement.flows):
            pointer = f"/agreements/{at}/flows/{number}/categories"
            for slug in _never_shared(flow.category_ids, categories):
                yield network_refusal(pointer, f"{slug!r} is never shared.", "never_shared")
            if flow.sender_id in offices.get(flow.purpose_id, ()):
                for slug in sorted(categories[category_id].slug for category_id in flow.category_ids):
                    if slug not in ATTENDANCE:
                        detail = f"{slug!r} is more than attendance, and the sender advises for this purpose."
                        yield network_refusal(pointer, detail, "attendance_only")


def text_faults(plan: NetworkPlan, published_on: date) -> Iterator[Fault]:
    """The faults of the plan's texts, if they are published on this German day."""
    flows = [flow for agreement in plan.agreements for flow in agreement.flows]
    around = TextSurroundings.of(plan.partners, plan.purposes, plan.categories, flows)
    for number, text in enumerate(plan.texts):
        pointers = {language: f"/languages/{language}" for language in text.languages}
        for fault in publication_refusals(text, around, pointers, published_on):
            yield msgspec.structs.replace(fault, pointer=f"/texts/{number}{fault.pointer}")


def _names(plan: NetworkPlan) -> Iterator[Fault]:
    if (fault := origin_fault(plan.network.log_origin)) is not None:
        yield network_refusal("/log_origin", f"The log's origin {fault}.", "log_origin")
    for number, partner in enumerate(plan.partners):
        if partner.slug in RESERVED_SLUGS:
            detail = f"{partner.slug!r} is a word of the registry's own and no partner's slug."
            yield network_refusal(f"/partners/{number}/slug", detail, "reserved_slug")


def _never_shared(category_ids: Iterable[int], categories: Mapping[int, Category]) -> list[str]:
    chosen = (categories[category_id] for category_id in sorted(category_ids))
    return [category.slug for category in chosen if category.flags.default == "not_shareable"]
