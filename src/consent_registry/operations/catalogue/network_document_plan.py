"""Turning a network's document into the plan by which the network is set up."""

from datetime import UTC, date, datetime
from pathlib import Path

from consent_registry.domain.catalogue import Agreement, Category, Flow, Network, Partner, PartnerFunction, Purpose
from consent_registry.domain.law.publishing import ProposedText
from consent_registry.operations.catalogue import network_document
from consent_registry.operations.catalogue.network_document import read_text
from consent_registry.operations.catalogue.network_document_faults import read_whole
from consent_registry.operations.catalogue.network_plan import AgreementPlan, NetworkPlan
from consent_registry.operations.catalogue.text_entries import read_cover


def read_plan(folder: Path, number: int, slug: str, log_origin: str, *, demonstration: bool) -> NetworkPlan:
    """Read the plan of a network from `folder`/networks/`slug`.json. Raises Malformed with every fault."""
    document, shared = read_whole(folder, slug)
    categories, purposes = read_catalogue_parts(shared)
    category_ids = {category.slug: category.category_id for category in categories}
    functions = {
        function.slug: PartnerFunction(function.slug, function.name, function.secrecy_norm)
        for function in shared.functions
    }
    partners = [
        Partner(
            at,
            partner.slug,
            partner.name,
            partner.organisation,
            partner.kind,
            partner.regime,
            tuple(functions[name] for name in partner.functions),
            partner.selectable,
            partner.isolated,
            suspended=False,
            coordinating_post=partner.coordinating_post,
        )
        for at, partner in enumerate(document.partners, start=1)
    ]
    numbers = {partner.slug: partner.partner_id for partner in partners}
    purpose_ids = {purpose.slug: purpose.purpose_id for purpose in purposes}
    network = document.network
    return NetworkPlan(
        network=Network(number, slug, network.name, network.about, log_origin),
        policies=network.policies,
        partners=partners,
        categories=categories,
        purposes=purposes,
        agreements=[_agreement(agreement, numbers, purpose_ids, category_ids) for agreement in document.agreements],
        texts=[_text(text, folder) for text in document.texts],
        demonstration=demonstration,
    )


def read_catalogue_parts(shared: network_document.DeclaredCatalogue) -> tuple[list[Category], list[Purpose]]:
    """The data categories and purposes of a shared catalogue, numbered from 1 in its order."""
    categories = [
        Category(
            at, category.slug, category.name.de, category.name.en, category.special, category.secrecy, category.flags
        )
        for at, category in enumerate(shared.data_categories, start=1)
    ]
    category_ids = {category.slug: category.category_id for category in categories}
    purposes = [
        Purpose(
            at,
            purpose.slug,
            purpose.name.de,
            purpose.name.en,
            frozenset(category_ids[name] for name in purpose.categories),
            purpose.flags,
        )
        for at, purpose in enumerate(shared.purposes, start=1)
    ]
    return categories, purposes


def _text(text: network_document.DeclaredText, folder: Path) -> ProposedText:
    return ProposedText(
        version=text.version,
        languages={language: read_text(path, folder) for language, path in text.languages.items()},
        covers=tuple(map(read_cover, text.covers)),
        informs=text.informs,
        aliases=text.aliases,
        in_use_since=None if text.in_use_since is None else date.fromisoformat(text.in_use_since),
        in_use_until=None if text.in_use_until is None else date.fromisoformat(text.in_use_until),
        form_sha256=text.form_sha256,
    )


def _agreement(
    agreement: network_document.DeclaredAgreement,
    partners: dict[str, int],
    purposes: dict[str, int],
    categories: dict[str, int],
) -> AgreementPlan:
    begins, ends = (
        None if day is None else datetime.fromisoformat(day).replace(tzinfo=UTC)
        for day in (agreement.valid_from, agreement.valid_until)
    )
    frame = Agreement("", agreement.version, begins, ends, ended=False)
    flows = [
        Flow(
            frame,
            partners[flow.sender],
            partners[flow.recipient],
            purposes[flow.purpose],
            frozenset(categories[name] for name in flow.categories),
            flow.basis,
            flow.norm,
            flow.entrusted,
        )
        for flow in agreement.flows
    ]
    return AgreementPlan(agreement.version, begins, ends, flows)
