"""Who may give consent for a client, and until when: one dated row for each role and age band (docs/rules.md).

A representative gives consent for somebody who cannot decide alone. From 15 a young person decides too. An adult with
insight decides alone, also where somebody has a mandate (§§ 1814, 1823 BGB).
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Literal

from consent_registry.domain.berlin import days_later_in_berlin, midnight_in_berlin
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.ages import MINORS, fits_band
from consent_registry.domain.law.dated import Dated
from consent_registry.domain.law.proposed import AgeBand, Giver, GiverRole, ProposedConsent

# What a row asks for beside the role: `insight_or_own_yes` is that insight is lacking, and who assessed that, or the
# young person's own yes; `lacking` the first of these alone. `mandate` and `four_weeks` are an end of the mandate.
RepresentationNeed = Literal["adult_from", "care", "insight_or_own_yes", "lacking", "scope", "mandate", "four_weeks"]

# These roles represent a minor until the client comes of age.
OF_MINORS: frozenset[GiverRole] = frozenset({"parent", "guardian", "youth_office_custody"})
REPRESENTATIVES: frozenset[GiverRole] = OF_MINORS | {"custodian", "attorney"}
# Roles that an office can have.
OFFICES: frozenset[GiverRole] = frozenset({"guardian", "youth_office_custody", "custodian"})
EVERYDAY_NORM = "§ 1687 Abs. 1 Satz 2 BGB"
OFFICE_AS_PARTY_NORM = "§ 1789 Abs. 2 BGB; § 55 SGB VIII; § 68 SGB VIII"
# The purpose of an everyday matter.
EVERYDAY = "appointment"
CUSTODY_DAYS = 28


class RepresentationRow(Dated, frozen=True, kw_only=True):
    """What is asked of a representative in this role for a client of one of these age bands."""

    role: GiverRole
    age_bands: frozenset[AgeBand]
    asks: frozenset[RepresentationNeed]
    norm: str
    to_confirm: bool = False


_SINCE, _REFORM = date(2018, 5, 25), date(2023, 1, 1)
_CHILDREN: frozenset[AgeBand] = frozenset({"under_14", "14"})
_YOUTH: frozenset[AgeBand] = frozenset({"15_17"})
_ADULTS: frozenset[AgeBand] = frozenset({"adult"})


def _rows(
    role: GiverRole,
    age_bands: frozenset[AgeBand],
    asks: frozenset[RepresentationNeed],
    norm: str,
    before: str | None = None,
    *,
    to_confirm: bool = False,
) -> Iterator[RepresentationRow]:
    """The row with this norm; with `before`, the row that was in force until the reform of 2023 precedes it."""
    since = _SINCE
    if before is not None:
        last = date(2022, 12, 31)
        yield RepresentationRow(
            role=role, age_bands=age_bands, asks=asks, norm=before, since=since, until=last, to_confirm=True
        )
        since = _REFORM
    yield RepresentationRow(role=role, age_bands=age_bands, asks=asks, norm=norm, since=since, to_confirm=to_confirm)


REPRESENTATION_ROWS: tuple[RepresentationRow, ...] = (
    *_rows("parent", _CHILDREN, frozenset({"adult_from", "care"}), "§ 1626 Abs. 1 BGB; § 1629 Abs. 1 BGB"),
    *_rows(
        "parent",
        _YOUTH,
        frozenset({"adult_from", "care", "insight_or_own_yes"}),
        "§ 1626 Abs. 2 BGB; § 36 Abs. 1 Satz 1 SGB I",
    ),
    *_rows("guardian", _CHILDREN, frozenset({"adult_from"}), "§ 1773 BGB; § 1789 Abs. 2 BGB", "§ 1773 BGB; § 1793 BGB"),
    *_rows(
        "guardian",
        _YOUTH,
        frozenset({"adult_from", "insight_or_own_yes"}),
        "§ 1788 Nr. 4 BGB; § 36 Abs. 1 Satz 1 SGB I",
        "§ 1793 BGB; § 36 Abs. 1 Satz 1 SGB I",
        to_confirm=True,
    ),
    *_rows(
        "youth_office_custody",
        _CHILDREN,
        frozenset({"adult_from", "four_weeks"}),
        "§ 42 Abs. 2 Satz 4 SGB VIII; § 42a Abs. 3 SGB VIII",
    ),
    *_rows(
        "youth_office_custody",
        _YOUTH,
        frozenset({"adult_from", "four_weeks", "insight_or_own_yes"}),
        "§ 42 Abs. 2 Satz 4 SGB VIII; § 42a Abs. 3 SGB VIII",
    ),
    *_rows(
        "custodian",
        _ADULTS,
        frozenset({"lacking", "scope", "mandate"}),
        "§ 1814 Abs. 1 BGB; § 1815 Abs. 1 BGB; § 1823 BGB",
        "§ 1896 Abs. 1 BGB; § 1902 BGB",
    ),
    *_rows(
        "attorney",
        _ADULTS,
        frozenset({"lacking", "scope", "mandate"}),
        "§ 1814 Abs. 3 Satz 2 Nr. 1 BGB; § 1820 BGB",
        "§ 1896 Abs. 2 Satz 2 BGB",
        to_confirm=True,
    ),
)
# Of a role for an age band that no row has.
_NOBODY_NORMS: dict[GiverRole, str] = {
    "parent": "§ 2 BGB; § 1626 Abs. 1 BGB",
    "guardian": "§ 2 BGB; § 1773 BGB",
    "youth_office_custody": "§ 42 Abs. 1 SGB VIII",
    "custodian": "§ 1814 Abs. 1 BGB",
    "attorney": "§ 1820 BGB",
}


def find_representation_row(role: GiverRole, age_band: AgeBand, at: datetime) -> RepresentationRow | None:
    """The row of a role for an age band at an instant; None if the role represents nobody of that age."""
    for row in REPRESENTATION_ROWS:
        if row.role == role and age_band in row.age_bands and row.holds(at):
            return row
    return None


def end_of_representation(giver: Giver, given_at: datetime) -> datetime | None:
    """When the giver's right to decide for the client ends: with the mandate, or when the client comes of age.

    None if nothing ends it. An end that had come when the consent was given is not counted: a rule refuses it.
    """
    if giver.role not in REPRESENTATIVES:
        return None
    ends = [giver.mandate_until]
    if giver.role in OF_MINORS and giver.adult_from is not None:
        ends.append(midnight_in_berlin(giver.adult_from))
    return min((end for end in ends if end is not None and end > given_at), default=None)


def representation_refusals(consent: ProposedConsent) -> Iterator[Fault]:
    """The faults of a representative: of the role for the client's age, of the mandate, and of what must be shown."""
    giver, given_at = consent.giver, consent.act.given_at
    row = find_representation_row(giver.role, giver.age_band, given_at)
    if row is None:
        norm = _NOBODY_NORMS[giver.role]
        yield Fault("/giver/role", "Nobody in this role decides for a client of this age.", "representation", norm)
    else:
        yield from _adult_from(giver, row)
        if "care" in row.asks:
            yield from _care(consent)
        yield from _insight(giver, row)
        yield from _scope(consent, row)
        yield from _end_of_mandate(giver, row, given_at)
    if giver.mandate_until is not None and giver.mandate_until <= given_at:
        yield Fault("/giver/mandate_until", "The mandate had ended when the consent was given.", "mandate")
    yield from _office_as_party(consent)


def adult_from_contradicts(giver: Giver, given_at: datetime) -> bool:
    """Whether the month in which the client comes of age does not fit the age band."""
    return giver.adult_from is not None and not fits_band(giver.adult_from, giver.age_band, given_at)


def _adult_from(giver: Giver, row: RepresentationRow) -> Iterator[Fault]:
    if "adult_from" in row.asks and giver.adult_from is None:
        yield Fault(
            "/giver/adult_from",
            "Say in which month the client comes of age: this consent ends then.",
            "adult_from",
        )


def _care(consent: ProposedConsent) -> Iterator[Fault]:
    giver = consent.giver
    if giver.care is None:
        yield Fault("/giver/care", "Say how the parents decide.", "care")
    elif giver.care == "joint" and not (giver.together_with("parent") or giver.together_with("guardian")):
        yield Fault("/giver/co_givers", "Joint custody needs the yes of the second holder.", "care")
    elif giver.care == "everyday":
        for number, grant in enumerate(consent.grants):
            if grant.answer == "given" and (grant.purpose.slug != EVERYDAY or grant.is_special):
                yield Fault(
                    f"/grants/{number}/purpose",
                    "In everyday matters one parent decides about appointments alone, never about special data.",
                    "care",
                    EVERYDAY_NORM,
                )


def _insight(giver: Giver, row: RepresentationRow) -> Iterator[Fault]:
    lacking = giver.insight == "lacking" and giver.insight_assessed_by is not None
    if "lacking" in row.asks and not lacking:
        yield Fault(
            "/giver/insight",
            "An adult with insight decides alone: say that insight is lacking, and who assessed that.",
            "representation",
            row.norm,
        )
    if "insight_or_own_yes" in row.asks and not lacking and not giver.together_with("self"):
        yield Fault(
            "/giver",
            "From 15 a young person decides too: the own yes, or that insight is lacking and who assessed that.",
            "representation",
            row.norm,
        )


def _scope(consent: ProposedConsent, row: RepresentationRow) -> Iterator[Fault]:
    """A mandate with a scope is for these purposes alone, also where the row does not ask for a scope."""
    scope = consent.giver.scope
    if scope is None:
        if "scope" in row.asks:
            yield Fault("/giver/scope", "Say for which purposes the mandate is.", "representation", row.norm)
        return
    for number, grant in enumerate(consent.grants):
        if grant.answer == "given" and grant.purpose not in scope:
            yield Fault(f"/grants/{number}/purpose", "The mandate is not for this purpose.", "representation", row.norm)


def _end_of_mandate(giver: Giver, row: RepresentationRow, given_at: datetime) -> Iterator[Fault]:
    pointer, until = "/giver/mandate_until", giver.mandate_until
    if until is None:
        if row.asks & {"mandate", "four_weeks"}:
            norm = None if "mandate" in row.asks else row.norm
            yield Fault(pointer, "A mandate needs its end on record.", "mandate", norm)
    elif "four_weeks" in row.asks and until > days_later_in_berlin(given_at, CUSTODY_DAYS):
        detail = "Taken into care, a child is represented for four weeks at most; then the consent is given anew."
        yield Fault(pointer, detail, "mandate", row.norm)


def is_office_as_party(consent: ProposedConsent) -> bool:
    """Whether the office that decides for the client is itself sender or recipient of what it gives consent to."""
    office = consent.giver.partner
    return office is not None and any(office.partner_id in grant.flow[:2] for grant in consent.given)


def _office_as_party(consent: ProposedConsent) -> Iterator[Fault]:
    """An office that is a party has an interest of its own: it does not decide alone for a client of 14 and more."""
    giver = consent.giver
    if is_office_as_party(consent) and giver.age_band in MINORS - {"under_14"} and not giver.together_with("self"):
        yield Fault(
            "/giver/co_givers",
            "This office gives or gets the data itself: from 14 the young person's own yes is needed beside its own.",
            "representation",
            OFFICE_AS_PARTY_NORM,
        )
