"""Remarks: weaknesses of a consent that do not refuse it but that a reviewer must see (docs/rules.md).

The record and the log hold the code; this table has the norm and the sentence.
"""

from collections.abc import Iterator, Sequence

import msgspec

from consent_registry.domain.law.information import needs_benefits_notice
from consent_registry.domain.law.proposed import Giver, ProposedConsent, ProposedGrant

LAY = frozenset({"lay", "family"})


class Remark(msgspec.Struct, frozen=True):
    """A weakness to look at: its code, its norm, and a sentence for people."""

    code: str
    norm: str
    text: str


REMARKS = {
    remark.code: remark
    for remark in (
        Remark(
            "benefits_notice_unstated",
            "§ 67b Abs. 2 Satz 3 SGB X",
            "Ein Jobcenter ist beteiligt, und es steht nicht fest, ob gesagt wurde, was eine Verweigerung bedeutet.",
        ),
        Remark(
            "guardian_is_recipient",
            "§ 1789 Abs. 2 BGB",
            "Die Stelle, die als Vormund oder Betreuung entschieden hat, bekommt die Daten selbst.",
        ),
        Remark(
            "mandate_ends_first",
            "§§ 1773, 1814 BGB",
            "Die Einwilligung endet mit der Vertretung, früher als gewünscht.",
        ),
        Remark(
            "third_parties_unstated",
            "Art. 6 Abs. 1 lit. a DSGVO",
            "Es steht nicht fest, ob Daten anderer Personen dabei sind; für sie gilt diese Einwilligung nicht.",
        ),
        Remark(
            "lay_interpreter",
            "Art. 9 Abs. 2 lit. a DSGVO",
            "Besondere Daten wurden ohne beeidigte Sprachmittlung erklärt; das schwächt den Nachweis.",
        ),
        Remark(
            "family_interpreter",
            "Art. 7 Abs. 4 DSGVO",
            "Angehörige haben übersetzt; ob die Einwilligung freiwillig war, ist zu prüfen.",
        ),
    )
}


def remarks_of(codes: Sequence[str]) -> list[Remark]:
    """The remarks with these codes."""
    return [REMARKS[code] for code in codes]


def remark_codes(consent: ProposedConsent) -> list[str]:
    """The codes of the remarks about a consent, in alphabetical order."""
    return sorted({*_about_the_act(consent, consent.given), *_about_the_giver(consent.giver, consent.given)})


def _about_the_act(consent: ProposedConsent, given: Sequence[ProposedGrant]) -> Iterator[str]:
    if needs_benefits_notice(given) and not consent.information.told:
        yield "benefits_notice_unstated"
    if any(grant.third_parties == "unstated" for grant in given):
        yield "third_parties_unstated"
    kind = consent.information.interpreter.kind
    if kind == "family":
        yield "family_interpreter"
    if kind in LAY and any(grant.is_special for grant in given):
        yield "lay_interpreter"


def _about_the_giver(giver: Giver, given: Sequence[ProposedGrant]) -> Iterator[str]:
    if giver.partner is not None and giver.partner.partner_id in {grant.recipient.partner_id for grant in given}:
        yield "guardian_is_recipient"
    mandate = giver.mandate_until
    if mandate is not None and any(grant.asked_until > mandate for grant in given):
        yield "mandate_ends_first"
