"""Consent texts for tests: a German text that shows all that a text must show, with what it covers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from consent_registry.domain.catalogue import Aliases, Category, Cover, Partner, Purpose
from consent_registry.domain.law.codes import INFORMS, Informs
from consent_registry.domain.law.publishing import ProposedText

# A sentence for each code, as a German text says it.
SENTENCES: Mapping[Informs, str] = {
    "purpose": "Jede Zeile nennt den Zweck.",
    "recipients": "Jede Zeile nennt die Stelle, die gibt, und die Stelle, die bekommt.",
    "voluntary": "Sie entscheiden frei. Niemand darf Sie drängen.",
    "withdrawal": "Sie können jederzeit widerrufen, ganz oder zum Teil.",
    "consequences_of_refusal": "Wenn Sie Nein sagen, werden die Daten nicht gesendet; manches kann länger dauern.",
    "no_effect_on_benefits": "Ihr Geld hängt nicht davon ab, ob Sie Ja sagen.",
    "no_effect_on_residence": "Ob Sie Ja sagen, entscheidet nicht über Ihren Aufenthalt.",
    "authority_may_use_otherwise": "Was die Behörde einmal weiß, darf sie auch für andere Entscheidungen nutzen.",
    "statute_beside_consent": "Manche Ämter dürfen manches auch ohne Ihr Ja weitergeben.",
    "complaint": "Sie können sich beschweren bei der Landesbeauftragten.",
    "release_separate": "Wer Schweigepflicht hat, darf ohne Ihre eigene Erklärung nichts sagen.",
    "registry": "Das Register hält fest, wozu Sie Ja gesagt haben, und jede Anfrage.",
    "third_persons": "Über ihre Daten entscheiden andere Erwachsene selbst.",
    "special_explicit": "Um besonders geschützte Daten bitten wir ausdrücklich.",
    "after_withdrawal": "Was schon gesendet ist, wird gelöscht, wenn kein Gesetz es verlangt.",
    "storage": "Nachweise werden drei Jahre aufbewahrt.",
    "rights": "Sie haben ein Recht auf Auskunft, Berichtigung und Löschung.",
    "minors": "Für Kinder unterschreiben die Eltern.",
    "onward": "Die Daten werden nicht an andere weitergegeben.",
    "copy": "Sie bekommen ein Exemplar.",
}
FRAME = "Jede Zeile gilt nur in dieser Richtung und 24 Monate lang."
# What a text must inform of, whatever it covers, when public bodies and special data are among it.
REQUIRED: tuple[Informs, ...] = (
    *("voluntary", "complaint", "registry", "onward", "after_withdrawal", "statute_beside_consent"),
    "special_explicit",
)


def german(named: Iterable[str], informs: Sequence[Informs] = INFORMS, *, opening: str = "Einwilligung") -> str:
    """A German text that names all of `named` and informs of these codes."""
    lines = [opening, *(f"- {name}" for name in named), FRAME, *(SENTENCES[code] for code in informs)]
    return "\n".join(lines).ljust(520, ".") + "\n"


def translation(language: str, named: Iterable[str], *, opening: str = "Consent") -> str:
    """A translation: only the names in it are looked at."""
    return "\n".join((f"{opening} ({language})", *(f"- {name}" for name in named))).ljust(520, ".") + "\n"


class Entries(msgspec.Struct, frozen=True):
    """A network's entries that a text can cover."""

    partners: Sequence[Partner]
    purposes: Sequence[Purpose]
    categories: Sequence[Category]

    def named(self, language: str) -> list[str]:
        """The names of all of them in a language; German ones stand for languages without names in the catalogue."""
        member = "name_en" if language == "en" else "name_de"
        return [
            *(partner.name for partner in self.partners),
            *(getattr(entry, member) for entry in (*self.purposes, *self.categories)),
        ]

    def aliases(self) -> Aliases:
        """The German names of all of them, for a language in which the catalogue has none."""
        return Aliases(
            purposes={purpose.slug: (purpose.name_de,) for purpose in self.purposes},
            categories={category.slug: (category.name_de,) for category in self.categories},
        )


def text_of(entries: Entries, covers: Sequence[Cover], version: str = "1", **members: Any) -> ProposedText:  # noqa: ANN401 - any member
    """A text of a network in German and English, in use since the GDPR. It informs of everything."""
    languages = {
        "de": german(entries.named("de")).encode(),
        "en": translation("en", entries.named("en")).encode(),
    }
    made = ProposedText(
        version=version,
        languages=languages,
        covers=tuple(covers),
        informs=INFORMS,
        in_use_since=date(2018, 5, 1),
        form_sha256="f0" * 32,
    )
    return msgspec.structs.replace(made, **members)


def publication(entries: Entries, covers: Sequence[Cover], version: str, *languages: str) -> dict[str, Any]:
    """The body of `POST /texts` for a text in German and these languages, in use from today on."""
    contents = {"de": german(entries.named("de"), opening=f"Einwilligung {version}")}
    contents |= {language: translation(language, entries.named(language), opening=version) for language in languages}
    named = entries.aliases()
    body = {
        "version": version,
        "languages": [{"language": language, "content": content} for language, content in contents.items()],
        "covers": covers,
        "informs": INFORMS,
        "aliases": {language: named for language in languages if language != "en"},
    }
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    return made
