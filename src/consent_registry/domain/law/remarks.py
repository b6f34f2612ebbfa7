"""Remarks: weaknesses of a consent that do not refuse it but that a reviewer must see (docs/rules.md).

The record and the log hold the code; the table of rules has the norm and the sentence.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

import msgspec

from consent_registry.domain.berlin import months_later
from consent_registry.domain.catalogue import Catalogue, Text
from consent_registry.domain.law.ages import FIFTEEN, FOURTEEN, OF_AGE, month_text
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant
from consent_registry.domain.law.representatives import OF_MINORS, end_of_representation, is_office_as_party
from consent_registry.domain.law.rules.all_rules import REMARKS
from consent_registry.domain.law.rules.rule import Rule, Sides
from consent_registry.domain.law.texts import is_out_of_use, was_published_later

LAY = frozenset({"lay", "family"})
# Of a paper that a withdrawal takes back which was received after the paper was given.
WITHDRAWN_SINCE = "withdrawn_since"


# By remark: how many months before the client comes of age the client is asked.
ASK_AGAIN: Mapping[str, int] = {"ask_again_at_14": OF_AGE - FOURTEEN, "ask_again_at_15": OF_AGE - FIFTEEN}


class Remark(msgspec.Struct, frozen=True):
    """A weakness to look at: its code, its norm, and a sentence for people. `{month}` stands for the month in which the
    client is asked again.
    """

    code: str
    norm: str
    text: str


class RemarkNorms(msgspec.Struct, frozen=True):
    """What decides which norm a remark cites: the day of the consent, and the regimes of its recorder and its flows."""

    given_at: datetime
    recorder: str | None
    flows: Sequence[Sides]

    def of(self, rule: Rule) -> str:
        """The norm of a remark."""
        return str(rule.norm_between(self.given_at, self.recorder, self.flows))


def remarks_of(codes: Sequence[str], norms: RemarkNorms, adult_from: str | None) -> list[Remark]:
    """The remarks with these codes about a client who comes of age in this month (YYYY-MM)."""
    return [Remark(code, norms.of(REMARKS[code]), _text(REMARKS[code], adult_from)) for code in codes]


def _text(rule: Rule, adult_from: str | None) -> str:
    if adult_from is None or rule.code not in ASK_AGAIN:
        return rule.asks_de
    month = month_text(months_later(date.fromisoformat(f"{adult_from}-01"), -ASK_AGAIN[rule.code]))
    return rule.asks_de.format(month=month)


def remark_codes(catalogue: Catalogue, consent: ProposedConsent, now: datetime) -> list[str]:
    """The codes of the remarks about a consent, in alphabetical order."""
    found = {*_about_the_act(consent, consent.given), *_about_the_giver(consent, consent.given)}
    text = catalogue.texts.get(consent.text.text_id)
    if text is not None:
        found |= {*_about_the_text(text, consent.act.given_at)}
    if any(grant.entrusted_by is None and _is_entrusted(catalogue, grant, now) for grant in consent.given):
        found.add("entrusted_by_unstated")
    return sorted(found)


def _about_the_text(text: Text, given_at: datetime) -> Iterator[str]:
    if is_out_of_use(text, given_at):
        yield "text_out_of_use"
    if was_published_later(text, given_at):
        yield "text_published_later"


def _is_entrusted(catalogue: Catalogue, grant: ProposedGrant, now: datetime) -> bool:
    """Whether an agreement in force marks a category of the grant as entrusted on its flow."""
    category_ids = {category.category_id for category in grant.categories}
    return any(
        flow.entrusted and flow.agreement.in_force(now) and not category_ids.isdisjoint(flow.category_ids)
        for flow in catalogue.flows_between(*grant.flow)
    )


def _about_the_act(consent: ProposedConsent, given: Sequence[ProposedGrant]) -> Iterator[str]:
    if any(grant.third_parties == "unstated" for grant in given):
        yield "third_parties_unstated"
    if not _is_understood(consent):
        yield "interpreter_mismatch"
    kind = consent.information.interpreter.kind
    if kind == "family":
        yield "family_interpreter"
    if kind in LAY and any(grant.is_special for grant in given):
        yield "lay_interpreter"


def _is_understood(consent: ProposedConsent) -> bool:
    """Whether the interpreter's language is the text's or the client's, whatever the script or region; nobody's is."""
    language = consent.information.interpreter.language
    if language is None:
        return True
    known = {tag.partition("-")[0] for tag in (consent.text.language, consent.information.client_language or "")}
    return language.partition("-")[0] in known


def _about_the_giver(consent: ProposedConsent, given: Sequence[ProposedGrant]) -> Iterator[str]:
    giver = consent.giver
    if is_office_as_party(consent):
        yield "guardian_is_recipient"
    until = end_of_representation(giver, consent.act.given_at)
    if until is not None and any(grant.asked_until > until for grant in given):
        yield "mandate_ends_first"
    if given and giver.role in OF_MINORS and giver.adult_from is not None:
        yield from _asked_again(consent, given)
    if giver.role == "self" and giver.age_band == "adult" and any(_is_about_children(grant) for grant in given):
        yield "adult_in_childrens_data"


def _asked_again(consent: ProposedConsent, given: Sequence[ProposedGrant]) -> Iterator[str]:
    """At 15 a client of whom others decided before is asked; at 14 where the DSG-EKD applies to a side."""
    regimes = {partner.regime for grant in given for partner in (grant.sender, grant.recipient)}
    if consent.giver.age_band == "under_14" and "dsg_ekd" in regimes:
        yield "ask_again_at_14"
    elif consent.giver.age_band in {"under_14", "14"}:
        yield "ask_again_at_15"


def _is_about_children(grant: ProposedGrant) -> bool:
    return grant.purpose.flags.minors or any(category.flags.minors for category in grant.categories)
