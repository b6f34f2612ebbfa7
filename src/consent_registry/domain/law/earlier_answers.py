"""What a new consent is compared with: the client's earlier answers and what was said of age and insight then.

A partner's consents are compared only with what it may see: with the refusals, age bands and insight that it recorded
itself. So no refusal, remark or finding says what another partner keeps of a client.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.errors import Fault
from consent_registry.domain.grants import Answer
from consent_registry.domain.law.ages import of_one_person
from consent_registry.domain.law.own_consent import find_own_consent_row
from consent_registry.domain.law.proposed import AgeBand, Insight, ProposedConsent, ProposedGrant


class EarlierAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A client's answer to one flow, with who gave it. `is_own`: the client gave it, alone or together with others."""

    client_id: str
    consent_id: str
    grant_id: str
    recorder_id: int
    flow: tuple[int, int, int]
    category_ids: frozenset[int]
    answer: Answer
    is_own: bool
    age_band: AgeBand | None
    insight: Insight | None
    insight_assessed_by: str | None
    explained_by: str
    given_at: datetime
    recorded_at: datetime

    @property
    def is_by_person_with_insight(self) -> bool:
        """Whether the client gave it with insight: from 14 on unless found lacking, under 14 only if assessed."""
        assessed = self.age_band != "under_14" or self.insight_assessed_by is not None
        return self.is_own and self.insight != "lacking" and assessed


def overridden_refusal(yes: EarlierAnswer, answers: Iterable[EarlierAnswer]) -> EarlierAnswer | None:
    """The client's own no, given with insight, that a representative's yes to the same flow would override; or None.

    For each category the client's last word until that yes counts. Somebody other than who explained may have found
    since that insight is lacking; then a representative decides.
    """
    if yes.answer == "refused" or yes.is_own:
        return None
    own = [
        answer
        for answer in answers
        if answer.is_by_person_with_insight and answer.flow == yes.flow and answer.given_at <= yes.given_at
    ]
    for category_id in sorted(yes.category_ids):
        words = [answer for answer in own if category_id in answer.category_ids]
        last = max(words, key=lambda answer: (answer.given_at, answer.answer == "refused"), default=None)
        if last is not None and last.answer == "refused" and not _is_found_lacking_since(yes, last):
            return last
    return None


def _is_found_lacking_since(yes: EarlierAnswer, refusal: EarlierAnswer) -> bool:
    found = yes.insight == "lacking" and yes.insight_assessed_by not in {None, yes.explained_by}
    return found and yes.given_at > refusal.given_at


def earlier_answer_refusals(consent: ProposedConsent, answers: Sequence[EarlierAnswer]) -> Iterator[Fault]:
    """The faults of a consent against the client's earlier answers that its recorder may see."""
    for number, grant in enumerate(consent.grants):
        if overridden_refusal(_as_answer(consent, grant), answers) is not None:
            yield Fault(
                f"/grants/{number}",
                "The client refused this, with insight: nobody says yes instead of the client.",
                "refused_by_person_with_insight",
            )


def lacking_insight_refusals(
    consent: ProposedConsent, answers: Sequence[EarlierAnswer], recorder_id: int
) -> Iterator[Fault]:
    """The fault of a client who decides alone although this recorder has on record that insight is lacking."""
    giver = consent.giver
    if giver.role != "self" or giver.insight == "present" or not consent.given:
        return
    said = [answer for answer in answers if answer.recorder_id == recorder_id and answer.insight is not None]
    last = max(said, key=lambda answer: (answer.given_at, answer.recorded_at), default=None)
    if last is not None and last.insight == "lacking":
        yield Fault(
            "/giver/insight",
            "It is on record that insight is lacking: say that it is present, and who assessed that.",
            "insight",
            _consent_norm(consent, consent.given[0]),
        )


def earlier_answer_remarks(consent: ProposedConsent, answers: Iterable[EarlierAnswer], recorder_id: int) -> list[str]:
    """The codes of the remarks about a consent beside the client's earlier answers: the age band cannot be that of the
    person of whom this recorder said another band before or after.
    """
    contradicts = any(
        answer.recorder_id == recorder_id
        and answer.age_band is not None
        and not of_one_person(answer.age_band, answer.given_at, consent.giver.age_band, consent.act.given_at)
        for answer in answers
    )
    return ["age_band_contradicts"] if contradicts else []


def _as_answer(consent: ProposedConsent, grant: ProposedGrant) -> EarlierAnswer:
    giver = consent.giver
    return EarlierAnswer(
        client_id="",
        consent_id="",
        grant_id="",
        recorder_id=0,
        flow=grant.flow,
        category_ids=frozenset(category.category_id for category in grant.categories),
        answer=grant.answer,
        is_own=giver.role == "self" or giver.together_with("self"),
        age_band=giver.age_band,
        insight=giver.insight,
        insight_assessed_by=giver.insight_assessed_by,
        explained_by=consent.information.explained_by,
        given_at=consent.act.given_at,
        recorded_at=consent.act.given_at,
    )


def _consent_norm(consent: ProposedConsent, grant: ProposedGrant) -> str:
    """What a consent is by the laws of both sides: the norms of the rows for adults."""
    rows = [
        find_own_consent_row(partner.regime, "adult", consent.act.given_at)
        for partner in (grant.sender, grant.recipient)
    ]
    return "; ".join(dict.fromkeys(row.norm for row in rows if row is not None)) or "Art. 4 Nr. 11 DSGVO"
