"""What the event that sets a network up tells: its whole catalogue by slugs, versions and ids, so that it can be held
against the tables for as long as the log is there (domain/table_check/network_rows.py reads it).
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from consent_registry.domain.catalogue import Category, Partner, Purpose
from consent_registry.domain.instants import format_instant
from consent_registry.operations.catalogue.network_plan import AgreementPlan, NetworkPlan
from consent_registry.storage.catalogue.catalogue import REFERENCE_LANGUAGE


def facts_of(plan: NetworkPlan, agreement_ids: Mapping[str, str], text_ids: Mapping[str, str]) -> dict[str, Any]:
    """The event's members; ids by the versions of agreements and texts."""
    about = plan.network
    categories = {one.category_id: one.slug for one in plan.categories}
    purposes = [
        _entry(one, "purpose_id") | {"category_ids": _named(one.category_ids, categories)} for one in plan.purposes
    ]
    return {
        "name": about.name,
        "about": about.about,
        "log_origin": about.log_origin,
        "demonstration": plan.demonstration,
        "policies": msgspec.to_builtins(plan.policies),
        "partners": [_entry(one, "partner_id") for one in plan.partners],
        "categories": [_entry(one, "category_id") for one in plan.categories],
        "purposes": purposes,
        "agreements": [_agreement(one, agreement_ids[one.version]) for one in plan.agreements],
        "flows": _flows(plan, agreement_ids, categories),
        "texts": [{"version": version, "id": text_ids[version]} for version in plan.texts],
        "text_languages": [
            one for version, languages in plan.texts.items() for one in _languages(text_ids[version], languages)
        ],
    }


def _entry(one: Partner | Category | Purpose, number: str) -> dict[str, Any]:
    """A partner, category or purpose as it is set up; its number is `number`."""
    left_out = {number, "suspended", "category_ids"}
    members = {name: getattr(one, name) for name in one.__struct_fields__ if name not in left_out}
    return {"number": getattr(one, number), **msgspec.to_builtins(members)}


def _agreement(one: AgreementPlan, agreement_id: str) -> dict[str, Any]:
    return {
        "id": agreement_id,
        "version": one.version,
        "valid_from": None if one.valid_from is None else format_instant(one.valid_from),
        "valid_until": None if one.valid_until is None else format_instant(one.valid_until),
    }


def _flows(plan: NetworkPlan, agreement_ids: Mapping[str, str], categories: Mapping[int, str]) -> list[dict[str, Any]]:
    partners = {one.partner_id: one.slug for one in plan.partners}
    purposes = {one.purpose_id: one.slug for one in plan.purposes}
    return [
        {
            "agreement": agreement_ids[agreement.version],
            "number": number,
            "sender": partners[one.sender_id],
            "recipient": partners[one.recipient_id],
            "purpose": purposes[one.purpose_id],
            "category_ids": _named(one.category_ids, categories),
            "basis": one.basis,
            "norm": one.norm,
        }
        for agreement in plan.agreements
        for number, one in enumerate(agreement.flows, start=1)
    ]


def _languages(text_id: str, languages: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Every language with the bytes it is and the German ones it renders."""
    sha256 = {language: hashlib.sha256(content).hexdigest() for language, content in languages.items()}
    return [
        {"text": text_id, "language": language, "sha256": one, "translation_of": sha256[REFERENCE_LANGUAGE]}
        for language, one in sha256.items()
    ]


def _named(numbers: Iterable[int], slugs: Mapping[int, str]) -> list[str]:
    return sorted(slugs[one] for one in numbers)
