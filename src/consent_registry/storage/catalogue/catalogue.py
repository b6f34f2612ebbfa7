"""Statements that read a network's catalogue as one value, and its lock and version.

Readers take the catalogue's shared lock, writers its exclusive lock; each change adds a version. A process may keep the
catalogue in memory as long as the version that it reads under the lock is the same.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from consent_registry.domain.catalogue import (
    REFERENCE_LANGUAGE,
    Agreement,
    Aliases,
    Catalogue,
    Category,
    Cover,
    CredentialFacts,
    Flow,
    FlowKey,
    Network,
    Partner,
    PartnerFunction,
    Purpose,
    Text,
    TextLanguage,
)
from consent_registry.domain.flags import CategoryFlags, PurposeFlags
from consent_registry.storage.catalogue.approvals import list_approvals
from consent_registry.storage.catalogue.policies import load_policies
from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_CATALOGUE


async def lock_catalogue(connection: Connection, network_id: int, *, exclusive: bool = False) -> None:
    """Take the catalogue lock until the transaction ends: shared to read the catalogue, exclusive to change it."""
    if exclusive:
        await connection.execute("select pg_advisory_xact_lock($1, 0)", LOCK_CATALOGUE | network_id)
    else:
        await connection.execute("select pg_advisory_xact_lock_shared($1, 0)", LOCK_CATALOGUE | network_id)


async def catalogue_version(connection: Connection, network_id: int) -> int:
    """The current version of the catalogue; 0 if it is empty."""
    version = await connection.fetchval(
        "select max(version) from registry.catalogue_versions where network_id = $1", network_id
    )
    return version or 0


async def add_version(connection: Connection, network_id: int, at: datetime) -> None:
    """Add a version, because the catalogue changed. The caller holds the exclusive catalogue lock."""
    await connection.execute(
        """
        insert into registry.catalogue_versions (network_id, version, recorded_at)
        values ($1, (select coalesce(max(version), 0) + 1 from registry.catalogue_versions where network_id = $1), $2)
        """,
        network_id,
        at,
    )


async def load_catalogue(connection: Connection, network: Network) -> Catalogue:
    """Read the whole catalogue. The caller holds the catalogue lock, shared or exclusive."""
    version = await catalogue_version(connection, network.network_id)
    agreements = await _agreements(connection, network.network_id)
    return Catalogue(
        network=network,
        version=version,
        partners={partner.slug: partner for partner in await _partners(connection, network.network_id)},
        categories={category.slug: category for category in await _categories(connection, network.network_id)},
        purposes={purpose.slug: purpose for purpose in await _purposes(connection, network.network_id)},
        agreements=tuple(agreements.values()),
        flows=await _flows(connection, network.network_id, agreements),
        texts={text.text_id: text for text in await _texts(connection, network.network_id)},
        credentials=await _credentials(connection, network.network_id),
        policies=(await load_policies(connection, network.network_id)).policies,
        approvals=tuple(await list_approvals(connection, network.network_id)),
    )


async def _partners(connection: Connection, network_id: int) -> list[Partner]:
    rows = await connection.fetch(
        """
        select partner_id, slug, name, organisation, kind, regime, functions::text, selectable, isolated,
            s.reason is not null as suspended, coordinating_post, s.reason as suspended_for
        from registry.partners p
        left join lateral (
            select reason from registry.suspensions s
            where s.network_id = p.network_id and s.partner_id = p.partner_id
              and not exists (
                  select from registry.reinstatements r
                  where r.network_id = s.network_id and r.suspension_id = s.suspension_id
              )
            order by suspension_id limit 1
        ) s on true
        where network_id = $1
        order by partner_id
        """,
        network_id,
    )
    return [
        Partner(**(dict(row) | {"functions": msgspec.json.decode(row["functions"], type=tuple[PartnerFunction, ...])}))
        for row in rows
    ]


async def _categories(connection: Connection, network_id: int) -> list[Category]:
    rows = await connection.fetch(
        """
        select category_id, slug, name_de, name_en, special, secrecy, flags::text
        from registry.data_categories where network_id = $1 order by category_id
        """,
        network_id,
    )
    return [
        Category(
            row["category_id"],
            row["slug"],
            row["name_de"],
            row["name_en"],
            row["special"],
            row["secrecy"],
            msgspec.json.decode(row["flags"], type=CategoryFlags),
        )
        for row in rows
    ]


async def _purposes(connection: Connection, network_id: int) -> list[Purpose]:
    rows = await connection.fetch(
        """
        select purpose_id, slug, name_de, name_en, category_ids, flags::text
        from registry.purposes where network_id = $1 order by purpose_id
        """,
        network_id,
    )
    return [
        Purpose(
            row["purpose_id"],
            row["slug"],
            row["name_de"],
            row["name_en"],
            frozenset(row["category_ids"]),
            msgspec.json.decode(row["flags"], type=PurposeFlags),
        )
        for row in rows
    ]


async def _agreements(connection: Connection, network_id: int) -> dict[str, Agreement]:
    rows = await connection.fetch(
        """
        select agreement_id, version, valid_from, valid_until,
            exists (
                select from registry.agreement_endings e
                where e.network_id = a.network_id and e.agreement_id = a.agreement_id
            ) as ended
        from registry.agreements a
        where network_id = $1
        order by recorded_at, agreement_id
        """,
        network_id,
    )
    return {str(row["agreement_id"]): Agreement(str(row["agreement_id"]), *row[1:]) for row in rows}


async def _flows(
    connection: Connection, network_id: int, agreements: dict[str, Agreement]
) -> dict[FlowKey, tuple[Flow, ...]]:
    rows = await connection.fetch(
        """
        select agreement_id, sender_id, recipient_id, purpose_id, category_ids, basis, norm, entrusted
        from registry.flows where network_id = $1 order by agreement_id, flow_number
        """,
        network_id,
    )
    flows: defaultdict[FlowKey, list[Flow]] = defaultdict(list)
    for row in rows:
        agreement = agreements[str(row["agreement_id"])]
        flow = Flow(agreement, row[1], row[2], row[3], frozenset(row[4]), *row[5:])
        flows[flow.sender_id, flow.recipient_id, flow.purpose_id].append(flow)
    return {key: tuple(same_key) for key, same_key in flows.items()}


async def _texts(connection: Connection, network_id: int) -> list[Text]:
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        """
        select t.text_id, t.version, t.asked_flows::text, t.informs, t.in_use_since, t.in_use_until, t.form_sha256,
            t.recorded_at, l.language, l.sha256, l.aliases::text,
            l.translation_of <> g.sha256 or exists (
                select from registry.stale_translations s
                where s.network_id = l.network_id and s.text_id = l.text_id and s.language = l.language
            ) as stale,
            exists (
                select from registry.text_invalidations i
                where i.network_id = l.network_id and i.text_id = l.text_id
                  and (i.language is null or i.language = l.language)
            ) as void
        from registry.texts t
        join registry.text_languages l on l.network_id = t.network_id and l.text_id = t.text_id
        join registry.text_languages g
          on g.network_id = t.network_id and g.text_id = t.text_id and g.language = $2
        where t.network_id = $1
        order by t.recorded_at, t.text_id, l.language
        """,
        network_id,
        REFERENCE_LANGUAGE,
    )
    languages: defaultdict[str, dict[str, TextLanguage]] = defaultdict(dict)
    for row in rows:
        aliases = msgspec.json.decode(row["aliases"], type=Aliases)
        language = TextLanguage(row["language"], row["sha256"].hex(), row["stale"], row["void"], aliases)
        languages[str(row["text_id"])][language.language] = language
    first = {str(row["text_id"]): row for row in reversed(rows)}
    return [_text(first[text_id], of_text) for text_id, of_text in languages.items()]


def _text(row: asyncpg.Record, languages: dict[str, TextLanguage]) -> Text:
    return Text(
        text_id=str(row["text_id"]),
        version=row["version"],
        languages=languages,
        covers=msgspec.json.decode(row["asked_flows"], type=tuple[Cover, ...]),
        informs=frozenset(row["informs"]),
        in_use_since=row["in_use_since"],
        in_use_until=row["in_use_until"],
        form_sha256=None if row["form_sha256"] is None else row["form_sha256"].hex(),
        published_at=row["recorded_at"],
    )


async def _credentials(connection: Connection, network_id: int) -> dict[str, CredentialFacts]:
    rows = await connection.fetch(
        """
        select c.client_id, coalesce(c.partner_id, 0), c.scopes, r.client_id is not null
        from registry.credentials c
        left join registry.credential_revocations r on r.network_id = c.network_id and r.client_id = c.client_id
        where c.network_id = $1
        """,
        network_id,
    )
    return {row[0]: CredentialFacts(row[1], frozenset(row[2]), row[3]) for row in rows}


async def find_text(connection: Connection, network_id: int, text_id: str, language: str) -> bytes | None:
    """The exact published bytes of a text in a language; None if there is none."""
    content: bytes | None = await connection.fetchval(
        "select content from registry.text_languages where network_id = $1 and text_id = $2 and language = $3",
        network_id,
        text_id,
        language,
    )
    return content
