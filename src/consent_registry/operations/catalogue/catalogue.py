"""Reading a network's catalogue, for its own partners. It holds no data of clients, so a read is not logged."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from consent_registry.domain.catalogue import Agreement, Catalogue, Category, Flow, Partner, Purpose
from consent_registry.domain.errors import NotFound
from consent_registry.domain.flags import CategoryFlags, Policies, PurposeFlags
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.operations.runtime.actors import Actor, require_standing
from consent_registry.operations.runtime.commands import Command, run_query
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.pagination import Page, make_cursor, read_cursor
from consent_registry.storage.catalogue.catalogue import find_text, lock_catalogue
from consent_registry.storage.database.database import transaction


class NetworkView(msgspec.Struct, frozen=True):
    """The network that the caller belongs to."""

    slug: str
    name: str
    about: str
    log_origin: str
    policies: Policies


class FunctionView(msgspec.Struct, frozen=True):
    """A function at a partner, with the norm that binds it to professional secrecy."""

    slug: str
    name: str
    secrecy_norm: str | None


class PartnerView(msgspec.Struct, frozen=True):
    """A partner: one organisational unit."""

    slug: str
    name: str
    organisation: str | None
    kind: str
    regime: str | None
    secrecy_holder: bool
    functions: list[FunctionView]
    selectable: bool
    isolated: bool
    suspended: bool
    coordinating_post: bool


class Names(msgspec.Struct, frozen=True):
    """The name of an entry of the catalogue in German and English."""

    de: str
    en: str


class CategoryView(msgspec.Struct, frozen=True):
    """A data category. `special`: Art. 9 DSGVO applies. `secrecy`: § 203 StGB can apply."""

    slug: str
    name: Names
    special: bool
    secrecy: bool
    flags: CategoryFlags


class PurposeView(msgspec.Struct, frozen=True):
    """A purpose with the categories that can be needed for it."""

    slug: str
    name: Names
    categories: list[str]
    flags: PurposeFlags


class FlowView(msgspec.Struct, frozen=True):
    """A flow that an agreement allows."""

    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    basis: str
    norm: str | None
    entrusted: bool


class AgreementView(msgspec.Struct, frozen=True):
    """A version of the network's agreement."""

    agreement_id: str
    version: str
    status: str
    valid_from: AnsweredInstant | None
    valid_until: AnsweredInstant | None
    flows: list[FlowView]


class CallerView(msgspec.Struct, frozen=True):
    """The caller by its access token."""

    network: str
    partner: str | None
    client_id: str
    scopes: list[str]
    expires_at: AnsweredInstant


# A function that gives the catalogue's entries of one kind by slug or id, at an instant.
View = Callable[[Catalogue, datetime], dict[str, Any]]


async def who_am_i(runtime: Runtime, actor: Actor) -> CallerView:
    """The caller by its access token. Raises NotAuthentic if it was suspended or revoked since the token was issued."""
    async with (
        runtime.turn(actor, "reads"),
        transaction(runtime.pool, actor.network.network_id, [actor.partner_id]) as connection,
    ):
        await lock_catalogue(connection, actor.network.network_id)
        require_standing(actor, await runtime.catalogue(connection, actor.network))
    expires_at = format_instant(datetime.fromtimestamp(actor.expires_at, UTC))
    partner = actor.slug if actor.partner_id else None
    return CallerView(actor.network.slug, partner, actor.client_id, sorted(actor.scopes), expires_at)


async def show_network(runtime: Runtime, actor: Actor) -> NetworkView:
    """The network of the caller."""

    async def work(command: Command) -> NetworkView:
        network = command.network
        return NetworkView(network.slug, network.name, network.about, network.log_origin, command.catalogue.policies)

    return await run_query(runtime, actor, work)


async def show_list(runtime: Runtime, actor: Actor, view: View, name: str, limit: int, cursor: str | None) -> Page[Any]:
    """A page of the catalogue's entries of one kind."""
    filter_of_page = f"{name} {actor.network.slug}".encode()

    async def work(command: Command) -> Page[Any]:
        after = read_cursor(command.keys, filter_of_page, cursor, in_query=True)
        entries = view(command.catalogue, await command.now())
        names = list(entries)
        first = names.index(after) + 1 if after in entries else 0
        chosen = names[first : first + limit]
        following = chosen[-1] if first + limit < len(names) else None
        return Page([entries[name] for name in chosen], make_cursor(command.keys, filter_of_page, following))

    return await run_query(runtime, actor, work)


async def show_one(runtime: Runtime, actor: Actor, view: View, name: str) -> Any:  # noqa: ANN401 - an entry of whatever the view is of
    """One entry of the catalogue, by slug or id."""

    async def work(command: Command) -> Any:  # noqa: ANN401 - as above
        entries = view(command.catalogue, await command.now())
        if name not in entries:
            raise NotFound
        return entries[name]

    return await run_query(runtime, actor, work)


async def read_text(runtime: Runtime, actor: Actor, text_id: str, language: str) -> bytes:
    """The exact bytes of a text in one language."""
    async with (
        runtime.turn(actor, "reads"),
        transaction(runtime.pool, actor.network.network_id, [actor.partner_id]) as connection,
    ):
        await lock_catalogue(connection, actor.network.network_id)
        catalogue = await runtime.catalogue(connection, actor.network)
        require_standing(actor, catalogue)
        if text_id not in catalogue.texts or language not in catalogue.texts[text_id].languages:
            raise NotFound
        content = await find_text(connection, actor.network.network_id, text_id, language)
    if content is None:
        raise NotFound
    return content


def partners(catalogue: Catalogue, _: datetime) -> dict[str, PartnerView]:
    """The network's partners by slug."""
    return {slug: _partner(partner) for slug, partner in catalogue.partners.items()}


def _partner(partner: Partner) -> PartnerView:
    return msgspec.convert(partner, PartnerView, from_attributes=True)


def categories(catalogue: Catalogue, _: datetime) -> dict[str, CategoryView]:
    """The network's data categories by slug."""
    return {slug: _category(category) for slug, category in catalogue.categories.items()}


def _category(category: Category) -> CategoryView:
    return CategoryView(
        category.slug, Names(category.name_de, category.name_en), category.special, category.secrecy, category.flags
    )


def purposes(catalogue: Catalogue, _: datetime) -> dict[str, PurposeView]:
    """The network's purposes by slug."""
    return {slug: _purpose(catalogue, purpose) for slug, purpose in catalogue.purposes.items()}


def _purpose(catalogue: Catalogue, purpose: Purpose) -> PurposeView:
    names = Names(purpose.name_de, purpose.name_en)
    return PurposeView(purpose.slug, names, catalogue.category_slugs(purpose.category_ids), purpose.flags)


def agreements(catalogue: Catalogue, now: datetime) -> dict[str, AgreementView]:
    """The network's agreements by id."""
    flows = [flow for parallel in catalogue.flows.values() for flow in parallel]
    return {agreement.agreement_id: _agreement(catalogue, agreement, flows, now) for agreement in catalogue.agreements}


def _agreement(catalogue: Catalogue, agreement: Agreement, flows: Sequence[Flow], now: datetime) -> AgreementView:
    return AgreementView(
        agreement.agreement_id,
        agreement.version,
        _agreement_status(agreement, now),
        None if agreement.valid_from is None else format_instant(agreement.valid_from),
        None if agreement.valid_until is None else format_instant(agreement.valid_until),
        [_flow(catalogue, flow) for flow in flows if flow.agreement.agreement_id == agreement.agreement_id],
    )


def _agreement_status(agreement: Agreement, now: datetime) -> str:
    if agreement.in_force(now):
        return "in_force"
    begins_later = agreement.valid_from is not None and now < agreement.valid_from
    return "ended" if agreement.ended or not begins_later else "adopted"


def _flow(catalogue: Catalogue, flow: Flow) -> FlowView:
    return FlowView(
        catalogue.partner_by_id[flow.sender_id].slug,
        catalogue.partner_by_id[flow.recipient_id].slug,
        catalogue.purpose_by_id[flow.purpose_id].slug,
        catalogue.category_slugs(flow.category_ids),
        flow.basis,
        flow.norm,
        flow.entrusted,
    )
