"""A consent for the tests of the law's tables: written, given on one day, with the grants and the giver of the test."""

from datetime import UTC, datetime

import msgspec

from consent_registry.domain.catalogue import Agreement, Catalogue, Category, Flow, Network, Purpose
from consent_registry.domain.flags import CategoryFlags, PurposeFlags
from consent_registry.domain.law.proposed import (
    ClientAct,
    Giver,
    Information,
    Interpreter,
    ProposedConsent,
    ProposedGrant,
    ShownText,
)
from tests.domain.cases import day, partner

NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)
IDENTITY = Category(1, "identity", "Stammdaten", "Identity", special=False, secrecy=False)
HEALTH = Category(2, "health", "Gesundheit", "Health", special=True, secrecy=False)
FAMILY = Category(
    3, "family", "Familie", "Family", special=False, secrecy=False, flags=CategoryFlags(third_party_data=True)
)
ADULT = Giver("self", "adult")


def purpose(number: int = 1, slug: str = "support", **flags: object) -> Purpose:
    """A purpose for which every category may be needed."""
    return Purpose(number, slug, slug, slug, frozenset({1, 2, 3}), msgspec.convert(flags, PurposeFlags))


def grant_between(sender: str, recipient: str, *categories: Category, **facts: object) -> ProposedGrant:
    """A given grant between two partners of these regimes, by default for identity."""
    plain = ProposedGrant(
        sender=partner(1, regime=sender),
        recipient=partner(2, regime=recipient),
        purpose=purpose(),
        categories=categories or (IDENTITY,),
        explicit=False,
        answer="given",
        valid_from=day(0),
        valid_until=day(1),
        asked_until=day(1),
        has_stated_end=True,
    )
    return msgspec.structs.replace(plain, **facts)


def consent_by(giver: Giver, *grants: ProposedGrant, at: datetime = NOW) -> ProposedConsent:
    """A written consent by this giver; with one grant under the DSGVO alone unless others are given."""
    return ProposedConsent(
        reference="N-1",
        text=ShownText("0190b9f0-0000-7000-8000-000000000000", "de"),
        grants=grants or (grant_between("gdpr_bdsg", "gdpr_bdsg"),),
        releases=(),
        giver=giver,
        act=ClientAct("written", at, None, None),
        information=Information("B-11", Interpreter("none", None), (), None),
        renews=None,
    )


def catalogue_with(*flows: Flow) -> Catalogue:
    """A network with these flows and nothing else."""
    return Catalogue(
        network=Network(1, "small", "Small", "", "registry.test/small"),
        version=1,
        partners={},
        categories={},
        purposes={},
        agreements=(),
        flows={(1, 2, 1): flows},
        texts={},
        credentials={},
    )


def flow_of(*categories: Category, entrusted: bool = True, **agreement: object) -> Flow:
    """A flow on consent between the partners of `grant_between`, in an agreement in force."""
    frame = msgspec.structs.replace(Agreement("a", "1", None, None, ended=False), **agreement)
    return Flow(frame, 1, 2, 1, frozenset(category.category_id for category in categories), "consent", None, entrusted)
