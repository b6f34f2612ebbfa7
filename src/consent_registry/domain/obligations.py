"""Obligations of sender and recipient under a permit; every permit has purpose binding and the § 78 SGB X notice."""

from collections.abc import Sequence
from functools import cache

import msgspec

from consent_registry.domain.catalogue import Category, Partner
from consent_registry.domain.flags import CategoryFlags

PURPOSE_BINDING_NORMS = {
    "sgb_x": "§ 78 SGB X",
    "kdg": "§ 7 Abs. 1 lit. b KDG",
    "dsg_ekd": "§ 5 Abs. 1 Nr. 2 DSG-EKD",
}
# The `proxy_for` words of a catalogue, and their words in the obligation.
PROXIES = {"origin": "die Herkunft", "ethnic origin": "die ethnische Herkunft"}
GDPR_PURPOSE_BINDING = "Art. 5 Abs. 1 lit. b DSGVO"


class Obligation(msgspec.Struct, frozen=True):
    """A duty that comes with the data: its code, its norm, and a sentence that can be written on the message."""

    code: str
    norm: str
    text: str


def obligations_for(sender: Partner, recipient: Partner, permitted: Sequence[Category] = ()) -> tuple[Obligation, ...]:
    """The obligations of a permitted transfer: those of the regime (SGB X if either partner is under it, else the
    recipient's), then those of the permitted categories.
    """
    general = _obligations("sgb_x" if "sgb_x" in {sender.regime, recipient.regime} else recipient.regime)
    return general + _obligations_of(tuple(dict.fromkeys(category.flags for category in permitted)))


@cache
def _obligations_of(all_flags: tuple[CategoryFlags, ...]) -> tuple[Obligation, ...]:
    found = []
    proxy_words = [PROXIES.get(flags.proxy_for, flags.proxy_for) for flags in all_flags if flags.proxy_for]
    proxies = " und ".join(dict.fromkeys(proxy_words))
    if proxies:
        found.append(
            Obligation(
                "no_inference",
                "Art. 9 Abs. 1 DSGVO",
                f"Aus diesen Daten lässt sich auf {proxies} schließen; dafür dürfen sie nicht verwendet werden.",
            )
        )
    if any(flags.high_harm for flags in all_flags):
        found.append(
            Obligation(
                "handle_as_sensitive",
                "Art. 32 Abs. 2 DSGVO",
                "Diese Daten können der Person schwer schaden; sie sind wie besondere Kategorien zu schützen.",
            )
        )
    if any(flags.social_data for flags in all_flags):
        found.append(
            Obligation(
                "social_secrecy",
                "§ 78 Abs. 1 SGB X",
                "Sozialdaten sind auch bei der empfangenden Stelle geheim zu halten wie bei der übermittelnden.",
            )
        )
    return tuple(found)


@cache
def _obligations(regime: str | None) -> tuple[Obligation, ...]:
    norm = PURPOSE_BINDING_NORMS.get(regime or "", GDPR_PURPOSE_BINDING)
    return (
        Obligation(
            "purpose_binding",
            norm,
            "Die Daten dürfen nur zu dem Zweck verarbeitet werden, zu dem sie befugt übermittelt wurden.",
        ),
        Obligation(
            "no_onward_transfer",
            norm,
            "Die Daten dürfen nicht ohne eigene Befugnis an andere weitergegeben werden.",
        ),
        Obligation(
            "sender_responsible",
            "§ 67d Abs. 1 SGB X" if regime == "sgb_x" else "Art. 5 Abs. 2 DSGVO",
            "Die Auskunft bestätigt eine Einwilligung, nicht die Rechtmäßigkeit; dafür bleibt die übermittelnde Stelle "
            "verantwortlich. Nur übermitteln, was für den Zweck erforderlich ist.",
        ),
    )
