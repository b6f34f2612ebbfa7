"""The first event of a network. It holds the whole catalogue, so that the tables can be compared with it later."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import TypeVar

import msgspec
from msgspec import UNSET

from consent_registry.domain.catalogue import Category, Partner, Purpose
from consent_registry.domain.events.catalogue import (
    CatalogueEvent,
    LoggedAgreement,
    LoggedCategory,
    LoggedFlow,
    LoggedPartner,
    LoggedPurpose,
    LoggedTextLanguage,
    LoggedVersion,
)
from consent_registry.domain.instants import format_instant
from consent_registry.operations.catalogue.logged_texts import logged_languages, logged_members
from consent_registry.operations.catalogue.network_plan import AgreementPlan, NetworkPlan

T = TypeVar("T", LoggedPartner, LoggedCategory, LoggedPurpose)


def setup_event(
    event_id: str, plan: NetworkPlan, agreement_ids: Mapping[str, str], text_ids: Mapping[str, str], today: date
) -> CatalogueEvent:
    """The event that records a network's setup with its whole catalogue. `agreement_ids` and `text_ids` give ids by
    version; `today` is the day in Germany.
    """
    about = plan.network
    categories = {category.category_id: category.slug for category in plan.categories}
    return CatalogueEvent(
        id=event_id,
        name=about.name,
        about=about.about,
        log_origin=about.log_origin,
        demonstration=plan.demonstration,
        policies=msgspec.to_builtins(plan.policies),
        partners=[_logged(LoggedPartner, partner, number=partner.partner_id) for partner in plan.partners],
        categories=[_logged(LoggedCategory, category, number=category.category_id) for category in plan.categories],
        purposes=[
            _logged(
                LoggedPurpose,
                purpose,
                number=purpose.purpose_id,
                category_ids=_named(purpose.category_ids, categories),
            )
            for purpose in plan.purposes
        ],
        agreements=[_agreement(agreement, agreement_ids[agreement.version]) for agreement in plan.agreements],
        flows=list(_flows(plan, agreement_ids, categories)),
        texts=[
            LoggedVersion(version=text.version, id=text_ids[text.version], **logged_members(text, today))
            for text in plan.texts
        ],
        text_languages=[
            LoggedTextLanguage(text=text_ids[text.version], **language)
            for text in plan.texts
            for language in logged_languages(text)
        ],
    )


def _logged(kind: type[T], entry: Partner | Category | Purpose, **members: object) -> T:
    """A partner, category or purpose as the event names it. Members that are not given are taken from the entry's
    attributes of the same name.
    """
    copied = {name: getattr(entry, name) for name in kind.__struct_fields__ if name not in members}
    return msgspec.convert(msgspec.to_builtins(copied | members), kind)


def _agreement(agreement: AgreementPlan, agreement_id: str) -> LoggedAgreement:
    return LoggedAgreement(
        id=agreement_id,
        version=agreement.version,
        valid_from=None if agreement.valid_from is None else format_instant(agreement.valid_from),
        valid_until=None if agreement.valid_until is None else format_instant(agreement.valid_until),
    )


def _flows(plan: NetworkPlan, agreement_ids: Mapping[str, str], categories: Mapping[int, str]) -> Iterator[LoggedFlow]:
    partners = {partner.partner_id: partner.slug for partner in plan.partners}
    purposes = {purpose.purpose_id: purpose.slug for purpose in plan.purposes}
    for agreement in plan.agreements:
        for number, flow in enumerate(agreement.flows, start=1):
            yield LoggedFlow(
                agreement=agreement_ids[agreement.version],
                number=number,
                sender=partners[flow.sender_id],
                recipient=partners[flow.recipient_id],
                purpose=purposes[flow.purpose_id],
                category_ids=_named(flow.category_ids, categories),
                basis=flow.basis,
                norm=flow.norm,
                entrusted=flow.entrusted or UNSET,
            )


def _named(numbers: Iterable[int], slugs: Mapping[int, str]) -> list[str]:
    return sorted(slugs[number] for number in numbers)
