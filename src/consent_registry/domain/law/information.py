"""What the client must be told before the yes, by regime and day, and who interpreted.

A code is proven by what the recorder says was told, or by the text that was shown (`informs`). What table rows mark
`by_text` is asked of the text when it is published, not of each consent.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Literal

from consent_registry.domain.catalogue import Catalogue, Partner
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.codes import TOLD, InformationItem
from consent_registry.domain.law.dated import Dated
from consent_registry.domain.law.norms import SEPARATOR
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant

GERMAN = frozenset({"de", "de-simple"})
PUBLIC_REGIMES = frozenset({"sgb_x", "dsg_nrw"})
# Bodies that decide about benefits, under whichever regime.
BENEFIT_KINDS = frozenset({"jobcenter", "employment_agency", "social_office"})

Occasion = Literal["always", "benefit_body", "isolated_recipient", "holder_sends", "others_data", "if_true", "by_text"]


class InformationRow(Dated, frozen=True, kw_only=True):
    """One dated row: on which occasion a side under one of `regimes` (None: any) needs this told, and by which norms.

    `sentence` is what a German text says. `until` is the last day, None if open. `if_true` and `by_text` are asked of
    no consent: the first may be said only where it is true, the second is the text's own.
    """

    code: InformationItem
    occasion: Occasion
    norms: tuple[str, ...]
    regimes: frozenset[str] | None = None
    sentence: str
    to_be_confirmed: bool = False

    def binds(self, partner: Partner) -> bool:
        """Whether the row is one of this partner's law."""
        return self.regimes is None or partner.regime in self.regimes


_GDPR, _CHURCH = date(2018, 5, 25), date(2018, 5, 24)
_WITHDRAW = "Sie können jederzeit widerrufen. Was vorher gesendet wurde, bleibt erlaubt."
_REFUSE = "Was geschieht, wenn Sie Nein sagen: Die Daten werden nicht gesendet; manches kann länger dauern."

INFORMATION: tuple[InformationRow, ...] = (
    InformationRow(
        code="purpose",
        occasion="by_text",
        norms=("§ 67b Abs. 2 Satz 3 SGB X", "Art. 13 Abs. 1 lit. c DSGVO"),
        since=_GDPR,
        sentence="Wofür die Daten gebraucht werden.",
    ),
    InformationRow(
        code="recipients",
        occasion="by_text",
        norms=("Art. 13 Abs. 1 lit. e DSGVO", "Art. 4 Nr. 11 DSGVO"),
        since=_GDPR,
        sentence="Welche Stelle gibt, welche bekommt.",
    ),
    InformationRow(
        code="voluntary",
        occasion="by_text",
        norms=("Art. 7 Abs. 4 DSGVO", "§ 8 Abs. 1 Satz 2 KDG"),
        since=_GDPR,
        sentence="Sie entscheiden frei. Niemand darf Sie drängen.",
    ),
    InformationRow(
        code="withdrawal",
        occasion="always",
        regimes=frozenset({"gdpr_bdsg", "dsg_nrw"}),
        norms=("Art. 7 Abs. 3 Satz 3 DSGVO",),
        since=_GDPR,
        sentence=_WITHDRAW,
    ),
    InformationRow(
        code="withdrawal",
        occasion="always",
        regimes=frozenset({"sgb_x"}),
        norms=("§ 67b Abs. 2 Satz 3 SGB X", "Art. 7 Abs. 3 Satz 3 DSGVO"),
        since=_GDPR,
        sentence=_WITHDRAW,
    ),
    InformationRow(
        code="withdrawal",
        occasion="always",
        regimes=frozenset({"kdg"}),
        norms=("§ 8 Abs. 6 Satz 3 KDG",),
        since=_CHURCH,
        until=date(2026, 2, 28),
        sentence="Sie können jederzeit widerrufen.",
    ),
    InformationRow(
        code="withdrawal",
        occasion="always",
        regimes=frozenset({"kdg"}),
        norms=("§ 8 Abs. 3 KDG",),
        since=date(2026, 3, 1),
        sentence="Sie können jederzeit widerrufen.",
        to_be_confirmed=True,
    ),
    InformationRow(
        code="withdrawal",
        occasion="always",
        regimes=frozenset({"dsg_ekd"}),
        norms=("§ 11 Abs. 3 DSG-EKD",),
        since=_CHURCH,
        sentence="Sie können jederzeit widerrufen.",
        to_be_confirmed=True,
    ),
    InformationRow(
        code="consequences_of_refusal",
        occasion="always",
        regimes=frozenset({"sgb_x"}),
        norms=("§ 67b Abs. 2 Satz 3 SGB X",),
        since=_GDPR,
        sentence=_REFUSE,
    ),
    InformationRow(
        code="consequences_of_refusal",
        occasion="always",
        regimes=frozenset({"kdg"}),
        norms=("§ 8 Abs. 1 Satz 1 KDG",),
        since=_CHURCH,
        until=date(2026, 2, 28),
        sentence=_REFUSE,
    ),
    InformationRow(
        code="consequences_of_refusal",
        occasion="always",
        regimes=frozenset({"gdpr_bdsg", "dsg_nrw", "kdg", "dsg_ekd"}),
        norms=("Art. 4 Nr. 11 DSGVO", "Art. 7 Abs. 4 DSGVO"),
        since=_GDPR,
        sentence=_REFUSE,
        to_be_confirmed=True,
    ),
    InformationRow(
        code="no_effect_on_benefits",
        occasion="benefit_body",
        norms=("§ 67b Abs. 2 Satz 3 SGB X", "Art. 7 Abs. 4 DSGVO"),
        since=_GDPR,
        sentence="Ihr Geld hängt nicht davon ab, ob Sie Ja sagen.",
    ),
    InformationRow(
        code="no_effect_on_residence",
        occasion="if_true",
        norms=("Art. 7 Abs. 4 DSGVO",),
        since=_GDPR,
        sentence="Ob Sie Ja sagen, entscheidet nicht über Ihren Aufenthalt.",
        to_be_confirmed=True,
    ),
    InformationRow(
        code="authority_may_use_otherwise",
        occasion="isolated_recipient",
        norms=("§ 86 AufenthG", "§ 78 Abs. 1 Satz 6 SGB X"),
        since=_GDPR,
        sentence="Was die Ausländerbehörde einmal weiß, darf oder muss sie auch für andere Entscheidungen nutzen. Ein"
        " Widerruf macht das nicht rückgängig.",
        to_be_confirmed=True,
    ),
    InformationRow(
        code="statute_beside_consent",
        occasion="by_text",
        norms=("Art. 5 Abs. 1 lit. a DSGVO", "§ 71 Abs. 2 SGB X", "§ 87 AufenthG"),
        since=_GDPR,
        sentence="Manche Ämter dürfen oder müssen manches auch ohne Ihr Ja weitergeben.",
    ),
    InformationRow(
        code="complaint",
        occasion="by_text",
        norms=("Art. 13 Abs. 2 lit. d DSGVO", "§ 81 Abs. 1 SGB X", "§ 15 KDG", "§ 17 DSG-EKD"),
        since=_GDPR,
        sentence="Sie können sich beschweren bei: {Aufsicht}.",
        to_be_confirmed=True,
    ),
    InformationRow(
        code="release_separate",
        occasion="holder_sends",
        norms=("§ 203 Abs. 1 StGB",),
        since=_GDPR,
        sentence="{Funktion} hat Schweigepflicht. Ohne Ihre eigene Erklärung darf {Stelle} nichts sagen, auch nicht,"
        " dass Sie dort beraten werden.",
    ),
    InformationRow(
        code="registry",
        occasion="by_text",
        norms=("Art. 13 Abs. 1 DSGVO",),
        since=_GDPR,
        sentence="Das Register hält fest, wozu Sie Ja gesagt haben, und jede Anfrage.",
    ),
    InformationRow(
        code="third_persons",
        occasion="others_data",
        norms=("Art. 6 Abs. 1 lit. a DSGVO",),
        since=_GDPR,
        sentence="Über ihre Daten entscheiden andere Erwachsene selbst.",
    ),
)


def _has_benefit_body(grant: ProposedGrant) -> bool:
    sides = (grant.sender, grant.recipient)
    if grant.purpose.flags.notice and any(side.regime in PUBLIC_REGIMES for side in sides):
        return True
    return any(side.regime == "sgb_x" or side.kind in BENEFIT_KINDS for side in sides)


_OCCURS: Mapping[Occasion, Callable[[ProposedGrant], bool]] = {
    "always": lambda _: True,
    "benefit_body": _has_benefit_body,
    "isolated_recipient": lambda grant: grant.recipient.isolated,
    "holder_sends": lambda grant: grant.sender.secrecy_holder,
    "others_data": lambda grant: any(category.flags.third_party_data for category in grant.categories),
    "if_true": lambda _: False,
    "by_text": lambda _: False,
}


def norms_of_information(code: InformationItem, grants: Sequence[ProposedGrant], given_at: datetime) -> list[str]:
    """The norms by which the laws of both sides ask on the day of the consent that this is told; none if they do not.

    Of several rows of one side's law the first counts.
    """
    rows = [row for row in INFORMATION if row.code == code and row.holds(given_at)]
    norms: dict[str, None] = {}
    for grant in grants:
        for side in (grant.sender, grant.recipient):
            row = next((row for row in rows if row.binds(side) and _OCCURS[row.occasion](grant)), None)
            norms |= dict.fromkeys(row.norms if row is not None else ())
    return list(norms)


def information_refusals(catalogue: Catalogue, consent: ProposedConsent) -> Iterator[Fault]:
    """The faults of a consent whose client was not told what the law asks for. A refused grant needs no information."""
    text = catalogue.texts.get(consent.text.text_id)
    informed = frozenset(consent.information.told) | (frozenset() if text is None else text.informs)
    for code in TOLD:
        norms = norms_of_information(code, consent.given, consent.act.given_at)
        if norms and code not in informed:
            yield Fault(
                "/information/told",
                f"The client must be informed of {code}: neither the text says so, nor who explained it.",
                "information_missing",
                SEPARATOR.join(norms),
            )


def interpreter_refusals(catalogue: Catalogue, consent: ProposedConsent) -> Iterator[Fault]:
    """The faults of an interpreter whose language is not on record, or who is missing by the network's policy."""
    interpreter = consent.information.interpreter
    if interpreter.kind != "none" and interpreter.language is None:
        yield Fault(
            "/information/interpreter/language",
            "Say into which language was interpreted.",
            "interpreter_language",
        )
    if not catalogue.policies.interpreter_required or interpreter.kind != "none":
        return
    if consent.information.client_language is None:
        yield Fault(
            "/information/client_language",
            "This network asks for the client's language where nobody interpreted.",
            "client_language",
        )
    if consent.text.language not in GERMAN:
        yield Fault(
            "/information/interpreter/kind",
            "This network asks who interpreted whenever the text was not German.",
            "interpreter_required",
        )
