"""From which age a client gives consent alone: one dated row for each regime and age band (docs/rules.md).

The client needs insight, not legal capacity (§ 36 SGB I by analogy). The rows of the sender's and of the recipient's
regime apply, as of the day of the consent; both must allow it. Rows with `to_confirm` interpret the law: a
data-protection officer confirms them before a network relies on them.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Literal

from consent_registry.domain.errors import Fault
from consent_registry.domain.law.dated import Dated
from consent_registry.domain.law.proposed import AgeBand, Giver, ProposedConsent

# What the row asks for: nothing; that somebody assessed the client's insight; or that and that the child came for
# advice by itself.
OwnConsentNeed = Literal["nothing", "insight", "own_counselling"]


class OwnConsentRow(Dated, frozen=True, kw_only=True):
    """What a regime asks for where a client of this age band gives consent alone."""

    regime: str
    age_band: AgeBand
    asks: OwnConsentNeed
    norm: str
    to_confirm: bool

    def is_met_by(self, giver: Giver) -> bool:
        """Whether the giver, who is the client, has what the row asks for."""
        if self.asks == "nothing":
            return True
        assessed = giver.insight_assessed_by is not None
        return assessed and (self.asks == "insight" or giver.direct_counselling)


_GDPR, _KDG_ENDED, _EKD_ENDED = date(2018, 5, 25), date(2026, 2, 28), date(2025, 4, 30)
_CHURCHES, _KDG_2026, _EKD_2025 = date(2018, 5, 24), date(2026, 3, 1), date(2025, 5, 1)


def _row(
    regime: str,
    age_band: AgeBand,
    asks: OwnConsentNeed,
    norm: str,
    since: date,
    until: date | None = None,
    *,
    to_confirm: bool = True,
) -> OwnConsentRow:
    return OwnConsentRow(
        regime=regime, age_band=age_band, asks=asks, norm=norm, since=since, until=until, to_confirm=to_confirm
    )


_CONSENT = "Art. 4 Nr. 11 DSGVO"
_SOCIAL = "§ 36 Abs. 1 Satz 1 SGB I"
_RELIGION = "§ 12 DSG-EKD; § 5 RelKErzG"

OWN_CONSENT_ROWS: tuple[OwnConsentRow, ...] = (
    _row("sgb_x", "under_14", "own_counselling", "§ 8 Abs. 3 SGB VIII", _GDPR),
    _row("sgb_x", "14", "insight", _SOCIAL, _GDPR, to_confirm=False),
    _row("sgb_x", "15_17", "nothing", _SOCIAL, _GDPR, to_confirm=False),
    _row("sgb_x", "adult", "nothing", _CONSENT, _GDPR, to_confirm=False),
    _row("gdpr_bdsg", "under_14", "own_counselling", _CONSENT, _GDPR),
    _row("gdpr_bdsg", "14", "insight", _CONSENT, _GDPR, to_confirm=False),
    _row("gdpr_bdsg", "15_17", "insight", _CONSENT, _GDPR, to_confirm=False),
    _row("gdpr_bdsg", "adult", "nothing", _CONSENT, _GDPR, to_confirm=False),
    _row("dsg_nrw", "under_14", "own_counselling", _CONSENT, _GDPR),
    _row("dsg_nrw", "14", "insight", _CONSENT, _GDPR, to_confirm=False),
    _row("dsg_nrw", "15_17", "insight", _CONSENT, _GDPR, to_confirm=False),
    _row("dsg_nrw", "adult", "nothing", _CONSENT, _GDPR, to_confirm=False),
    # The act of 2018 wanted 13 years for free counselling. The band does not show them: who assesses the insight does.
    _row("kdg", "under_14", "own_counselling", "§ 8 Abs. 8 KDG", _CHURCHES, _KDG_ENDED),
    _row("kdg", "under_14", "own_counselling", "§ 8 KDG", _KDG_2026),
    _row("kdg", "14", "insight", "§ 8 KDG", _CHURCHES),
    _row("kdg", "15_17", "insight", "§ 8 KDG", _CHURCHES),
    _row("kdg", "adult", "nothing", "§ 4 Nr. 13 KDG", _CHURCHES),
    _row("dsg_ekd", "under_14", "own_counselling", "§ 12 DSG-EKD", _CHURCHES, _EKD_ENDED),
    _row("dsg_ekd", "14", "insight", "§ 12 DSG-EKD", _CHURCHES, _EKD_ENDED),
    _row("dsg_ekd", "15_17", "insight", "§ 12 DSG-EKD", _CHURCHES, _EKD_ENDED),
    _row("dsg_ekd", "under_14", "own_counselling", _RELIGION, _EKD_2025),
    _row("dsg_ekd", "14", "nothing", _RELIGION, _EKD_2025),
    _row("dsg_ekd", "15_17", "nothing", _RELIGION, _EKD_2025),
    _row("dsg_ekd", "adult", "nothing", "§ 4 Nr. 13 DSG-EKD", _CHURCHES),
)


def find_own_consent_row(regime: str | None, age_band: AgeBand, at: datetime) -> OwnConsentRow | None:
    """The row of a regime for this age band at an instant; None if the regime has none."""
    for row in OWN_CONSENT_ROWS:
        if row.regime == regime and row.age_band == age_band and row.holds(at):
            return row
    return None


def own_consent_rows(consent: ProposedConsent) -> list[OwnConsentRow]:
    """The rows that apply to a client who gives this consent, those of senders and of recipients, each once."""
    regimes = (partner.regime for grant in consent.given for partner in (grant.sender, grant.recipient))
    found = [
        find_own_consent_row(regime, consent.giver.age_band, consent.act.given_at) for regime in dict.fromkeys(regimes)
    ]
    return [row for row in found if row is not None]


def own_consent_refusals(consent: ProposedConsent) -> Iterator[Fault]:
    """The faults of a client who gives consent alone: too young, or without insight."""
    giver, rows = consent.giver, own_consent_rows(consent)
    failing = next((row for row in rows if not row.is_met_by(giver)), None)
    norm = rows[0].norm if rows else _CONSENT
    if giver.insight == "lacking":
        yield Fault("/giver/insight", "Who lacks insight does not decide alone.", "insight", norm)
    elif failing is not None:
        yield Fault(
            "/giver",
            "A client of this age decides alone only if insight was assessed, under 14 only when asking for advice.",
            "capacity",
            failing.norm,
        )
    elif giver.insight is not None and giver.insight_assessed_by is None:
        yield Fault("/giver/insight_assessed_by", "Say who assessed the insight.", "insight", norm)
