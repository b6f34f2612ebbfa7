"""A network in which every flag of the catalogue matters: the demonstration's catalogue, six offices, many flows."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from consent_registry.demo.documents import read_catalogue, read_network
from consent_registry.domain.catalogue import Agreement, Category, Cover, Flow, Network, Partner, Purpose
from consent_registry.domain.flags import Policies
from consent_registry.operations.catalogue.network_document_plan import read_catalogue_parts
from consent_registry.operations.catalogue.network_plan import AgreementPlan, NetworkPlan
from consent_registry.operations.catalogue.network_setup import establish_network, issue_credential
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import load_keys
from tests.support.installation import ISSUER, Installation
from tests.support.texts import Entries, publication, text_of

SLUG = "flags"
NUMBER = 98
CASE = ("identity", "contact", "family")
# slug → kind, regime, isolated, coordinating post
OFFICES = {
    "aid": ("welfare", "gdpr_bdsg", False, True),
    "jobcenter": ("jobcenter", "sgb_x", False, False),
    "youth": ("youth_office", "sgb_x", False, False),
    "foreigners": ("foreigners_authority", "dsg_nrw", True, False),
    "debts": ("welfare", "gdpr_bdsg", False, False),
    "school": ("municipality", "dsg_nrw", False, False),
}
# The agreement's flows on consent: sender, recipient, purpose, categories (all of the purpose's where none are named).
FLOWS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("aid", "jobcenter", "employment", ()),
    ("aid", "jobcenter", "subsistence", ()),
    ("aid", "jobcenter", "appointment", ()),
    ("aid", "jobcenter", "case-conference", CASE),
    ("aid", "school", "case-conference", CASE),
    ("aid", "school", "school", ()),
    ("aid", "youth", "school", ()),
    ("aid", "youth", "health", ()),
    ("aid", "debts", "psychosocial", ()),
    ("aid", "youth", "psychosocial", ()),
    ("aid", "debts", "residence-advice", ()),
    ("aid", "foreigners", "residence-advice", ()),
    ("aid", "foreigners", "appointment", ()),
    ("foreigners", "aid", "appointment", ()),
    ("jobcenter", "debts", "debt-advice", ()),
    ("debts", "jobcenter", "debt-advice", ("identity", "contact")),
    ("youth", "aid", "appointment", ()),
    ("youth", "school", "school", ()),
)
# The data of these flows were entrusted to the youth office: sender and purpose.
ENTRUSTED = frozenset({("youth", "appointment"), ("youth", "school")})


def flag_network(**changed: Any) -> NetworkPlan:  # noqa: ANN401 - any member of a plan
    """Return the plan. One thing is unlike the demonstration: health advice may need what is off by default."""
    categories, purposes = parts()
    category_ids = {category.slug: category.category_id for category in categories}
    partners = list(_partners())
    plan = NetworkPlan(
        network=Network(NUMBER, SLUG, "Flags", "Six made-up offices.", f"registry.test/{SLUG}"),
        policies=Policies(longest_months=84),
        partners=partners,
        categories=categories,
        purposes=purposes,
        agreements=[AgreementPlan("1", None, None, flows(FLOWS, partners, purposes, category_ids))],
        texts=[text_of(Entries(partners, purposes, categories), flag_covers())],
    )
    return msgspec.structs.replace(plan, **changed)


def flag_covers() -> list[Cover]:
    """What the network's texts cover: each flow in both directions, for every category."""
    slugs = tuple(category.slug for category in parts()[0])
    there = [(sender, recipient, purpose) for sender, recipient, purpose, _ in FLOWS]
    back = [(recipient, sender, purpose) for sender, recipient, purpose in there]
    return [Cover(*way, slugs) for way in dict.fromkeys([*there, *back])]


def published(version: str, *languages: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - any member
    """Return the body that publishes a version of the text in German and these languages."""
    categories, purposes = parts()
    return publication(Entries(list(_partners()), purposes, categories), flag_covers(), version, *languages) | members


def parts() -> tuple[list[Category], list[Purpose]]:
    """The demonstration's catalogue, with protected identity among what health advice may need."""
    categories, purposes = read_catalogue_parts(read_catalogue(read_network("herne")))
    protected = next(category.category_id for category in categories if category.slug == "protected-identity")
    return categories, [
        msgspec.structs.replace(purpose, category_ids=purpose.category_ids | {protected})
        if purpose.slug == "health"
        else purpose
        for purpose in purposes
    ]


def flows(
    wanted: Sequence[tuple[str, str, str, tuple[str, ...]]],
    partners: Sequence[Partner],
    purposes: Sequence[Purpose],
    category_ids: dict[str, int],
) -> list[Flow]:
    """Flows on consent from these names."""
    numbers = {partner.slug: partner.partner_id for partner in partners}
    by_slug = {purpose.slug: purpose for purpose in purposes}
    frame = Agreement("", "1", None, None, ended=False)
    return [
        Flow(
            frame,
            numbers[sender],
            numbers[recipient],
            by_slug[purpose].purpose_id,
            frozenset(category_ids[category] for category in categories) or by_slug[purpose].category_ids,
            "consent",
            None,
            (sender, purpose) in ENTRUSTED,
        )
        for sender, recipient, purpose, categories in wanted
    ]


def _partners() -> Iterator[Partner]:
    for number, (slug, (kind, regime, isolated, coordinating)) in enumerate(OFFICES.items(), start=1):
        yield Partner(
            number,
            slug,
            f"Office {slug}",
            f"Town {slug}",
            kind,
            regime,
            functions=(),
            selectable=True,
            isolated=isolated,
            suspended=False,
            coordinating_post=coordinating,
        )


async def with_flags(installation: Installation, database: str) -> Installation:
    """Set it up in a database; returns the installation with its credentials."""
    pool = await open_pool(installation.dsn(database), 2)
    try:
        runtime = Runtime(pool, load_keys(installation.keys), ISSUER)
        plan = flag_network()
        await establish_network(runtime, plan)
        pairs = {partner.slug: await issue_credential(runtime, plan.network, partner) for partner in plan.partners}
        pairs["coordination"] = await issue_credential(runtime, plan.network, plan.partners[0], "coordinating_post")
        pairs["dpo"] = await issue_credential(runtime, plan.network, plan.partners[0], "dpo")
        admin = await issue_credential(runtime, plan.network, None)
    finally:
        await pool.close()
    entry = {
        "slug": plan.network.slug,
        "admin": {"client_id": admin[0], "client_secret": admin[1]},
        "partners": [{"slug": slug, "client_id": pair[0], "client_secret": pair[1]} for slug, pair in pairs.items()],
    }
    return Installation(installation.cluster, installation.keys, installation.networks | {"flags": entry})
