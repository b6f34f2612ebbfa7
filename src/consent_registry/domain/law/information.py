"""The rules about how the client was informed: what was said, and who interpreted."""

from collections.abc import Iterator, Sequence

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant

GERMAN = frozenset({"de", "de-simple"})
# Two codes for one statement: refusing has no consequences. The contract knows both, either is enough.
SAID_NO_EFFECT = frozenset({"consequences_of_refusal", "no_effect_on_benefits"})


def needs_benefits_notice(grants: Sequence[ProposedGrant]) -> bool:
    """Whether the client must be informed that refusing has no effect on benefits.

    That is so if a Jobcenter takes part in a grant whose purpose has the flag `notice`.
    """
    return any(
        grant.purpose.flags.notice and "jobcenter" in {grant.sender.kind, grant.recipient.kind} for grant in grants
    )


def interpreter_refusals(consent: ProposedConsent) -> Iterator[Fault]:
    """The fault of an interpreter whose language is not on record."""
    interpreter = consent.information.interpreter
    if interpreter.kind != "none" and interpreter.language is None:
        yield Fault(
            "/information/interpreter/language",
            "Say into which language was interpreted.",
            "interpreter_language",
        )


def information_refusals(catalogue: Catalogue, consent: ProposedConsent) -> Iterator[Fault]:
    """The faults in what the client was told, and in who interpreted."""
    informed_of = frozenset(consent.information.told)
    if needs_benefits_notice(consent.given) and informed_of and not informed_of & SAID_NO_EFFECT:
        yield Fault(
            "/information/told",
            "Towards a Jobcenter the client must be told that refusing has no effect on benefits.",
            "benefits_notice",
        )
    kind = consent.information.interpreter.kind
    if catalogue.policies.interpreter_required and kind == "none" and consent.text.language not in GERMAN:
        yield Fault(
            "/information/interpreter/kind",
            "This network asks who interpreted whenever the text was not German.",
            "interpreter_required",
        )
