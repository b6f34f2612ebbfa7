"""From a network's document to the plan it is set up by."""

from datetime import UTC, datetime
from pathlib import Path

from consent_registry.domain.catalogue import Agreement, Category, Flow, Network, Partner, Purpose
from consent_registry.operations.catalogue import network_document
from consent_registry.operations.catalogue.network_document import read_text
from consent_registry.operations.catalogue.network_document_faults import read_whole
from consent_registry.operations.catalogue.network_plan import AgreementPlan, NetworkPlan


def read_plan(folder: Path, number: int, slug: str, log_origin: str, *, demonstration: bool) -> NetworkPlan:
    """The plan of the network that `folder`/networks/`slug`.json describes; raises Malformed with every fault."""
    document, shared = read_whole(folder, slug)
    categories, purposes = read_catalogue_parts(shared)
    category_ids = {one.slug: one.category_id for one in categories}
    partners = [
        Partner(
            at,
            one.slug,
            one.name,
            one.organisation,
            one.kind,
            one.regime,
            one.secrecy_holder,
            one.selectable,
            one.isolated,
            suspended=False,
            coordinating_post=one.coordinating_post,
        )
        for at, one in enumerate(document.partners, start=1)
    ]
    numbers = {one.slug: one.partner_id for one in partners}
    purpose_ids = {one.slug: one.purpose_id for one in purposes}
    network = document.network
    return NetworkPlan(
        network=Network(number, slug, network.name, network.about, log_origin),
        policies=network.policies,
        partners=partners,
        categories=categories,
        purposes=purposes,
        agreements=[_agreement(one, numbers, purpose_ids, category_ids) for one in document.agreements],
        texts={
            one.version: {language: read_text(path, folder) for language, path in one.languages.items()}
            for one in document.texts
        },
        demonstration=demonstration,
    )


def read_catalogue_parts(shared: network_document.Catalogue) -> tuple[list[Category], list[Purpose]]:
    """The data categories and purposes of a shared catalogue, numbered in its order."""
    categories = [
        Category(at, one.slug, one.name.de, one.name.en, one.special, one.secrecy, one.flags)
        for at, one in enumerate(shared.data_categories, start=1)
    ]
    category_ids = {one.slug: one.category_id for one in categories}
    purposes = [
        Purpose(
            at,
            one.slug,
            one.name.de,
            one.name.en,
            frozenset(category_ids[name] for name in one.categories),
            one.flags,
        )
        for at, one in enumerate(shared.purposes, start=1)
    ]
    return categories, purposes


def _agreement(
    one: network_document.Agreement, partners: dict[str, int], purposes: dict[str, int], categories: dict[str, int]
) -> AgreementPlan:
    begins, ends = (
        None if day is None else datetime.fromisoformat(day).replace(tzinfo=UTC)
        for day in (one.valid_from, one.valid_until)
    )
    frame = Agreement("", one.version, begins, ends, ended=False)
    flows = [
        Flow(
            frame,
            partners[flow.sender],
            partners[flow.recipient],
            purposes[flow.purpose],
            frozenset(categories[name] for name in flow.categories),
            flow.basis,
            flow.norm,
        )
        for flow in one.flows
    ]
    return AgreementPlan(one.version, begins, ends, flows)
