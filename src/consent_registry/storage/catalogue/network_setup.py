"""Statements that set up a network's catalogue: partners, categories, purposes, agreements and texts."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from consent_registry.domain.catalogue import REFERENCE_LANGUAGE, Category, Flow, Partner, Purpose
from consent_registry.domain.law.publishing import ProposedText, aliases_in
from consent_registry.storage.database.database import Connection


async def add_partners(connection: Connection, network_id: int, partners: Sequence[Partner], at: datetime) -> None:
    """Add partners to a network."""
    await connection.executemany(
        """
        insert into registry.partners
            (network_id, partner_id, slug, name, organisation, kind, regime, functions, selectable, isolated,
             coordinating_post, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11, $12)
        """,
        [
            (
                network_id,
                partner.partner_id,
                partner.slug,
                partner.name,
                partner.organisation,
                partner.kind,
                partner.regime,
                msgspec.json.encode(partner.functions).decode(),
                partner.selectable,
                partner.isolated,
                partner.coordinating_post,
                at,
            )
            for partner in partners
        ],
    )


async def add_categories(connection: Connection, network_id: int, categories: Sequence[Category]) -> None:
    """Add data categories to a network."""
    await connection.executemany(
        """
        insert into registry.data_categories (network_id, category_id, slug, name_de, name_en, special, secrecy, flags)
        values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)
        """,
        [
            (network_id, *msgspec.structs.astuple(category)[:-1], msgspec.json.encode(category.flags).decode())
            for category in categories
        ],
    )


async def add_purposes(connection: Connection, network_id: int, purposes: Sequence[Purpose]) -> None:
    """Add purposes to a network."""
    await connection.executemany(
        """
        insert into registry.purposes (network_id, purpose_id, slug, name_de, name_en, category_ids, flags)
        values ($1, $2, $3, $4, $5, $6, $7::jsonb)
        """,
        [
            (
                network_id,
                purpose.purpose_id,
                purpose.slug,
                purpose.name_de,
                purpose.name_en,
                sorted(purpose.category_ids),
                msgspec.json.encode(purpose.flags).decode(),
            )
            for purpose in purposes
        ],
    )


async def add_agreement(
    connection: Connection,
    network_id: int,
    agreement_id: str,
    version: str,
    validity: tuple[datetime | None, datetime | None],
    flows: Sequence[Flow],
    at: datetime,
) -> None:
    """Add a version of the agreement with the flows it allows."""
    await connection.execute(
        """
        insert into registry.agreements (network_id, agreement_id, version, valid_from, valid_until, recorded_at)
        values ($1, $2, $3, $4, $5, $6)
        """,
        network_id,
        agreement_id,
        version,
        *validity,
        at,
    )
    await connection.executemany(
        """
        insert into registry.flows
            (network_id, agreement_id, flow_number, sender_id, recipient_id, purpose_id, category_ids, basis, norm,
             entrusted)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        [
            (
                network_id,
                agreement_id,
                number,
                flow.sender_id,
                flow.recipient_id,
                flow.purpose_id,
                sorted(flow.category_ids),
                flow.basis,
                flow.norm,
                flow.entrusted,
            )
            for number, flow in enumerate(flows, start=1)
        ],
    )


async def add_text(
    connection: Connection, network_id: int, text_id: str, text: ProposedText, in_use_since: date, at: datetime
) -> None:
    """Publish a text: the exact bytes in each language. Each translation names the SHA-256 of its German original."""
    await connection.execute(
        """
        insert into registry.texts
            (network_id, text_id, version, asked_flows, informs, in_use_since, in_use_until, form_sha256,
             recorded_at)
        values ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9)
        """,
        network_id,
        text_id,
        text.version,
        msgspec.json.encode(text.covers).decode(),
        list(text.informs),
        in_use_since,
        text.in_use_until,
        None if text.form_sha256 is None else bytes.fromhex(text.form_sha256),
        at,
    )
    await connection.executemany(
        """
        insert into registry.text_languages (network_id, text_id, language, content, sha256, translation_of, aliases)
        values ($1, $2, $3, $4, sha256($4), sha256($5), $6::jsonb)
        """,
        [
            (
                network_id,
                text_id,
                language,
                content,
                text.languages[REFERENCE_LANGUAGE],
                msgspec.json.encode(aliases_in(text, language)).decode(),
            )
            for language, content in text.languages.items()
        ],
    )
