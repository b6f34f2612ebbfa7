"""A network of four partners, small enough to be kept in mind while reading a test."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from consent_registry.domain.catalogue import Agreement, Basis, Category, Cover, Flow, Network, Partner, Purpose
from consent_registry.domain.flags import Policies
from consent_registry.operations.catalogue.network_plan import AgreementPlan, NetworkPlan
from tests.support.releases import needed_releases
from tests.support.texts import Entries, publication, text_of

SLUG = "small"
NUMBER = 99
NORM = "§ 69 Abs. 1 Nr. 1 SGB X"

CATEGORIES = {"identity": 1, "contact": 2, "health": 3, "debts": 4}
PURPOSES = {"support": 1, "housing": 2}
PARTNERS = {"north": 1, "south": 2, "east": 3, "closed": 4}


def _partner(slug: str) -> Partner:
    return Partner(
        PARTNERS[slug],
        slug,
        f"Office {slug}",
        organisation=f"Town {slug}",
        kind="office",
        regime="gdpr_bdsg",
        functions=(),
        selectable=slug != "closed",
        isolated=False,
        suspended=False,
    )


def _flow(
    sender: str,
    recipient: str,
    purpose: str,
    categories: Sequence[str],
    basis: Basis = "consent",
    norm: str | None = None,
) -> Flow:
    frame = Agreement("", "1", None, None, ended=False)
    numbers = frozenset(CATEGORIES[category] for category in categories)
    return Flow(frame, PARTNERS[sender], PARTNERS[recipient], PURPOSES[purpose], numbers, basis, norm)


def entries() -> Entries:
    """Return the network's partners, purposes and categories."""
    categories = [
        Category(number, slug, f"{slug} (de)", f"{slug} (en)", special=slug == "health", secrecy=False)
        for slug, number in CATEGORIES.items()
    ]
    purposes = [
        Purpose(number, slug, f"{slug} (de)", f"{slug} (en)", frozenset(CATEGORIES.values()))
        for slug, number in PURPOSES.items()
    ]
    return Entries([_partner(slug) for slug in PARTNERS], purposes, categories)


def covers() -> list[Cover]:
    """Return what the network's texts cover: every flow that no statute allows."""
    return [
        Cover(sender, recipient, purpose, tuple(CATEGORIES))
        for sender in PARTNERS
        for recipient in PARTNERS
        for purpose in PURPOSES
        if sender != recipient and (sender, recipient, purpose) != ("south", "east", "housing")
    ]


def published(version: str, *languages: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - any member
    """Return the body that publishes a version of the text in German and these languages."""
    return publication(entries(), covers(), version, *languages) | members


def small_network() -> NetworkPlan:
    """Return the plan: north sends to south for two purposes, the others one flow each, one of them by statute."""
    return NetworkPlan(
        network=Network(NUMBER, SLUG, "Small network", "Four made-up offices.", f"registry.test/{SLUG}"),
        policies=Policies(),
        partners=entries().partners,
        categories=entries().categories,
        purposes=entries().purposes,
        agreements=[
            AgreementPlan(
                "1",
                datetime(2024, 1, 1, tzinfo=UTC),
                None,
                [
                    _flow("north", "south", "support", ["identity", "contact", "health"]),
                    _flow("north", "south", "housing", ["identity", "contact"]),
                    _flow("south", "north", "support", ["identity"]),
                    _flow("east", "north", "support", ["identity", "contact"]),
                    _flow("south", "east", "housing", ["identity", "debts"], "statute", NORM),
                ],
            )
        ],
        texts=[text_of(entries(), covers())],
    )


def consent_body(client: str, text_id: str, **grant: object) -> dict[str, Any]:
    """Return a written consent given just now, by default with one grant from north to south for support,
    and with the release that a secrecy holder needs.
    """
    flow = {"sender": "north", "recipient": "south", "purpose": "support", "categories": ["identity", "contact"]}
    grants = [flow | grant]
    return {
        "client": client,
        "text": {"id": text_id, "language": "de"},
        "grants": grants,
        "releases": needed_releases(grants),
        "giver": {"role": "self", "age_band": "adult"},
        "act": {
            "method": "written",
            "given_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "evidence": {"sha256": "ab" * 32, "media_type": "application/pdf", "kept_at": "File 1"},
        },
        "information": {
            "explained_by": "B-12",
            "interpreter": {"kind": "none"},
            "told": ["consequences_of_refusal", "withdrawal", "complaint"],
            "copy_handed": True,
            "client_language": "de",
        },
    }


def question(client: str, **members: object) -> dict[str, Any]:
    """Return north's question whether it may send to south."""
    asked = {"client": client, "recipient": "south", "purpose": "support", "categories": ["identity", "contact"]}
    return asked | members
