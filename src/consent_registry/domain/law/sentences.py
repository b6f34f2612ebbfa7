"""What a German text must contain to inform of a code: fixed sentences, recognised by their words.

A plain text has no clauses, so a sentence is looked for anywhere in it. That proves that it is there, not that it is
understood.
"""

import re
import unicodedata
from collections.abc import Mapping

from consent_registry.domain.law.codes import Informs

# For each code the patterns that must all be found. A text is compared case-folded ("ß" is "ss") with single
# spaces; no pattern reaches beyond the end of a sentence.
_SENTENCES: Mapping[Informs, tuple[str, ...]] = {
    "purpose": (r"\bwofür\b|\bzwecke?s?\b",),
    "recipients": (r"\bstellen?\b",),
    "voluntary": (r"\bfreiwillig\b|\bentscheiden frei\b|\bniemand darf (sie )?drängen\b",),
    "withdrawal": (r"\bjederzeit\b", r"\bwiderruf|\bzurücknehmen\b|\bohne grund\b|\bkeinen grund\b"),
    "consequences_of_refusal": (
        r"\bnein sag|\bnicht (zustimm|einwillig)|\bverweiger",
        (
            r"\b(send|gesand|gesend|weitergeb|weitergegeb|übermittel)[^.!?]*\bnicht\b"
            r"|\bnichts?\b[^.!?]*\b(send|gesand|gesend|weitergeb|weitergegeb|übermittel)"
        ),
    ),
    "no_effect_on_benefits": (
        r"\b(geld|leistung)[^.!?]*\b(nicht davon ab|kein)|\b(kein|nicht)[^.!?]*\b(geld|leistung)",
    ),
    "no_effect_on_residence": (r"\b(nicht|kein)[^.!?]*\baufenthalt|\baufenthalt[^.!?]*\b(nicht|kein)",),
    "authority_may_use_otherwise": (
        r"behörde[^.!?]*\b(weiss|erfährt|bekommt)[^.!?]*\b(darf|muss|kann)\b[^.!?]*\b(nutz|verwend)",
    ),
    "statute_beside_consent": (r"\bohne (ihr ja|(ihre )?(einwilligung|zustimmung))\b",),
    "complaint": (r"beschwer",),
    "release_separate": (r"schweigepflicht", r"\beigenen? (erklärung|seite|unterschrift)\b"),
    "registry": (r"register", r"\banfragen?\b|\bprotokoll"),
    "third_persons": (
        (
            r"\bandere (erwachsene|personen|menschen)\b[^.!?]*\bselbst\b"
            r"|\bselbst\b[^.!?]*\bandere (erwachsene|personen|menschen)\b"
        ),
    ),
    "special_explicit": (r"\bausdrücklich",),
    "after_withdrawal": (r"\b(vorher|schon|bereits|bisher) gesendet|\bgesendeten daten\b",),
    "storage": (r"\b(aufgehoben|aufbewahrt|gespeichert)\b",),
    "rights": (r"\bauskunft\b|\bzu erfahren\b", r"\bberichtig", r"\blösch"),
    "minors": (r"\bkind(er|ern|es)?\b",),
    "onward": (
        (
            r"\b(keine|nicht|nur)\b[^.!?]*\b(weitergabe|weitergeben|weitergegeben|weitersenden)\b"
            r"|\b(weitergabe|weitergeben|weitergegeben|weitersenden)\b[^.!?]*\b(nicht|nur)\b"
        ),
    ),
    "copy": (r"\b(kopie|exemplar|abschrift)\b",),
}
# Items of the checklist that no code stands for.
_ITEMS: Mapping[str, str] = {
    "direction": r"\bin dieser richtung\b",
    "duration": r"\bmonate?n?\b|\bjahre?n?\b|\bbis zum\b|\bbis \d",
}
# Phrases that name nothing to which a client could agree, in comparable form.
BLANKET = (
    "alle stellen",
    "netzwerkpartner",
    "soweit erforderlich",
    "zur aufgabenerledigung",
    "für die durchführung der beratung",
)
_FOUND = {code: tuple(map(re.compile, patterns)) for code, patterns in _SENTENCES.items()}


def comparable(text: str) -> str:
    """A text or a name in the form in which they are compared: without case, with single spaces (NFC)."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def informs_of(german: str, code: Informs) -> bool:
    """Whether a German text, in comparable form, has the sentences that inform of a code."""
    return all(pattern.search(german) for pattern in _FOUND[code])


def has_sentence(german: str, item: str) -> bool:
    """Whether a German text, in comparable form, has the sentence of an item that no code stands for."""
    return re.search(_ITEMS[item], german) is not None


def names(text: str, name: str) -> bool:
    """Whether a text names this, as words of its own; both are in comparable form."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
