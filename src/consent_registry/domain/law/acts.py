"""The rules about the act of consenting: when it was, what proves it, and from when until when its grants hold."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from consent_registry.domain.berlin import months_later_in_berlin
from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant

CLOCK_TOLERANCE = timedelta(seconds=60)


def act_refusals(catalogue: Catalogue, consent: ProposedConsent, now: datetime) -> Iterator[Fault]:
    """The faults of an act of consent that is in the future or lacks its evidence."""
    if consent.act.given_at > now + CLOCK_TOLERANCE:
        yield Fault("/act/given_at", "A consent cannot have been given in the future.", "given_at")
    # A refused grant needs no evidence, because nothing can ever be passed on by it.
    evidence_required = consent.given and not catalogue.policies.evidence_may_follow
    if evidence_required and consent.act.evidence is None and consent.act.method != "oral":
        yield Fault("/act/evidence", "A consent that was not given orally needs its evidence.", "evidence")


def validity_refusals(grant: ProposedGrant, given_at: datetime, pointer: str, longest_months: int) -> Iterator[Fault]:
    """The faults of a grant that begins before it was given, or ends before it begins."""
    if grant.valid_from < given_at:
        yield Fault(
            f"{pointer}/valid_from",
            "A grant cannot begin before it was given: a later approval makes no earlier transfer lawful.",
            "valid_from",
        )
    if grant.valid_until <= grant.valid_from:
        yield Fault(f"{pointer}/valid_until", "A grant must end after it begins.", "valid_until")
    elif _is_longer(grant, longest_months):
        detail = f"In this network a grant lasts {longest_months} months at most: then the client is asked again."
        yield Fault(f"{pointer}/valid_until", detail, "valid_until")


def _is_longer(grant: ProposedGrant, months: int) -> bool:
    """Whether a grant lasts longer than so many months of the German calendar."""
    if grant.valid_until - grant.valid_from < timedelta(days=28 * months):
        return False
    return grant.valid_until > months_later_in_berlin(grant.valid_from, months)
