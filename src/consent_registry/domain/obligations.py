"""What a permit binds sender and recipient to (domain.md 2.2: every permit carries purpose binding and § 78 notice)."""

from functools import cache

import msgspec

from consent_registry.domain.catalogue import Partner

PURPOSE_BINDING_NORMS = {
    "sgb_x": "§ 78 SGB X",
    "kdg": "§ 7 Abs. 1 lit. b KDG",
    "dsg_ekd": "§ 5 Abs. 1 Nr. 2 DSG-EKD",
}
GDPR_PURPOSE_BINDING = "Art. 5 Abs. 1 lit. b DSGVO"


class Obligation(msgspec.Struct, frozen=True):
    """A duty that comes with the data: its code, its norm, and a sentence that can be written on the message."""

    code: str
    norm: str
    text: str


def obligations_for(sender: Partner, recipient: Partner) -> tuple[Obligation, ...]:
    """The obligations of a permitted transfer between two partners, social law first where either side is under it."""
    return _obligations("sgb_x" if "sgb_x" in {sender.regime, recipient.regime} else recipient.regime)


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
