"""The rules about releases (§ 203 StGB), row by row: who needs one, what frees, and whom a release may name."""

from datetime import timedelta

import msgspec
import pytest

from consent_registry.domain.catalogue import Catalogue, Category, Network, PartnerFunction
from consent_registry.domain.law.proposed import (
    ClientAct,
    Giver,
    Information,
    Interpreter,
    ProposedConsent,
    ProposedGrant,
    ProposedRelease,
    ShownText,
)
from consent_registry.domain.law.releases import release_refusals
from consent_registry.domain.law.rules.all_rules import RULES
from consent_registry.domain.secrecy import Release
from tests.domain.cases import APPOINTMENT, CONTACT, COUNSELLING, IDENTITY, MENTAL_HEALTH, SUPPORT, day, partner

NOW = day(10)
NORM = "§ 203 Abs. 1 StGB"
CLERK = PartnerFunction("clerk", "Sachbearbeitung", None)
HOLDER = partner(1, "awo", name="AWO Paderborn", functions=(CLERK, COUNSELLING))
OFFICE = partner(2, "jobcenter", functions=(CLERK,))
RELEASE = ProposedRelease(HOLDER, OFFICE, "social-counselling", None)
CATALOGUE = Catalogue(
    network=Network(1, "paderborn", "Kooperation", "", "log"),
    version=1,
    partners={"awo": HOLDER, "jobcenter": OFFICE},
    categories={},
    purposes={},
    agreements=(),
    flows={},
    texts={},
    credentials={},
)


def grant(*categories: Category, **members: object) -> ProposedGrant:
    """A given grant of the secrecy holder for support."""
    plain = ProposedGrant(
        sender=HOLDER,
        recipient=OFFICE,
        purpose=SUPPORT,
        categories=categories,
        explicit=True,
        answer="given",
        valid_from=day(0),
        valid_until=day(100),
        asked_until=day(100),
        has_stated_end=True,
    )
    return msgspec.structs.replace(plain, **members)


def refused(
    grants: tuple[ProposedGrant, ...], *releases: ProposedRelease, inherited: tuple[Release, ...] = ()
) -> list[tuple[str, str]]:
    """The rule and pointer of each fault; every fault has a sentence, and its rule the norm."""
    consent = ProposedConsent(
        reference="N-1",
        text=ShownText("0190b9f0-0000-7000-8000-000000000000", "de"),
        grants=grants,
        releases=releases,
        giver=Giver(role="self", age_band="adult", insight_assessed_by=None, mandate_until=None, partner=None),
        act=ClientAct("written", NOW, None, None),
        information=Information("B-12", Interpreter("none", None), (), None),
        renews=None,
    )
    faults = list(release_refusals(CATALOGUE, consent, inherited, NOW))
    assert all(fault.detail and RULES[fault.rule or ""].norm(NOW, ()) == NORM for fault in faults)
    return [(fault.rule or "", fault.pointer) for fault in faults]


@pytest.mark.parametrize("category", [IDENTITY, CONTACT, MENTAL_HEALTH])
def test_every_category_of_a_holder_is_secret(category: Category) -> None:
    """Name, contact and health alike need the release; the category's flag `secrecy` decides nothing."""
    assert refused((grant(category),)) == [("release_needed", "/grants/0")]
    assert refused((grant(category),), RELEASE) == []
    assert refused((grant(category, answer="refused"),)) == []
    assert refused((grant(category, sender=OFFICE, recipient=HOLDER),)) == []


@pytest.mark.parametrize(
    ("limits", "pointers"),
    [
        ({"purposes": (SUPPORT,)}, []),
        ({"purposes": (APPOINTMENT,)}, ["/grants/0"]),
        ({"categories": (IDENTITY, CONTACT)}, []),
        ({"categories": (CONTACT,)}, ["/grants/0/categories/0"]),
        ({"valid_until": NOW + timedelta(microseconds=1)}, []),
        ({"valid_until": NOW}, ["/grants/0"]),
        ({"holder": OFFICE, "towards": HOLDER, "function": "clerk"}, ["/grants/0"]),
        ({"towards": HOLDER}, ["/grants/0"]),
    ],
)
def test_a_release_frees_within_its_limits(limits: dict[str, object], pointers: list[str]) -> None:
    """What is not released is refused where it stands; the consent's own release and an inherited one do the same."""
    release = msgspec.structs.replace(RELEASE, **limits)
    expected = [("release_needed", pointer) for pointer in pointers]
    assert refused((grant(IDENTITY, CONTACT),), release) == expected
    assert refused((grant(IDENTITY, CONTACT),), inherited=(release.of_flow(),)) == expected


def test_a_withdrawn_release_of_the_renewed_consent_frees_nothing() -> None:
    """A renewal revives no release."""
    gone = msgspec.structs.replace(RELEASE.of_flow(), live=False)
    assert refused((grant(IDENTITY),), inherited=(gone,)) == [("release_needed", "/grants/0")]


@pytest.mark.parametrize(
    ("function", "person", "member"),
    [
        ("social-counselling", None, None),
        (None, "B-12", None),
        ("social-counselling", "B-12", None),
        (None, None, ""),
        ("clerk", None, "/function"),
        ("debt-counselling", None, "/function"),
        ("Sozialberatung", None, "/function"),
        ("all staff", None, "/function"),
        ("AWO Paderborn", None, "/function"),
        (None, "Erika Muster", "/person"),
        (None, "AWO-Paderborn", "/person"),
        (None, "Ä-1", "/person"),
        (None, "B" * 33, "/person"),
    ],
)
def test_whom_a_release_may_name(function: str | None, person: str | None, member: str | None) -> None:
    """A bound function of the holder by its slug, or a person by staff reference; nothing and nobody else."""
    release = msgspec.structs.replace(RELEASE, function=function, person=person)
    expected = [] if member is None else [("released_party", f"/releases/0{member}")]
    assert refused((grant(IDENTITY),), release) == expected


def test_who_is_bound_by_nothing_may_be_released_too() -> None:
    """Of a partner without a bound function any of its functions may be released (§ 203 StGB binds persons)."""
    release = msgspec.structs.replace(RELEASE, holder=OFFICE, towards=HOLDER, function="clerk")
    assert refused((grant(IDENTITY),), RELEASE, release) == []
    another = msgspec.structs.replace(release, function="social-counselling")
    assert refused((grant(IDENTITY),), RELEASE, another) == [("released_party", "/releases/1/function")]
