"""Building the event of a consent: it names catalogue entries by slug and holds free text as commitments only."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.commitments import commit_to
from consent_registry.domain.events.consents import (
    ConsentEvent,
    LoggedCoGiver,
    LoggedEvidence,
    LoggedGiver,
    LoggedGrant,
    LoggedInformation,
    LoggedRelease,
    LoggedText,
)
from consent_registry.domain.events.grant_changes import LoggedRenewal
from consent_registry.domain.events.receipt_codes import LoggedCode
from consent_registry.domain.grants import Grant
from consent_registry.domain.instants import format_instant
from consent_registry.domain.law.ages import month_text
from consent_registry.domain.law.proposed import Evidence, Giver, ProposedConsent
from consent_registry.operations.consents.evidence import commit_to_kept_at
from consent_registry.operations.consents.grant_changes import Changes, logged_renewals
from consent_registry.storage.consents.consents import NewConsent


def consent_event(
    catalogue: Catalogue,
    consent: ProposedConsent,
    row: NewConsent,
    grants: Sequence[Grant],
    releases: list[LoggedRelease],
    renewed: list[LoggedRenewal],
    receipt_code: LoggedCode,
) -> ConsentEvent:
    """The log's event for a consent, made from its row, grants and releases."""
    evidence, text = consent.act.evidence, catalogue.texts[consent.text.text_id]
    return ConsentEvent(
        id=row.consent_id,
        client=row.client_id,
        reference_commitment=commit_to(consent.reference),
        renews=consent.renews,
        text=LoggedText(
            id=text.text_id,
            language=consent.text.language,
            sha256=text.languages[consent.text.language].sha256,
        ),
        grants=[_logged_grant(catalogue, grant) for grant in grants],
        releases=releases,
        giver=_logged_giver(consent.giver),
        method=consent.act.method,
        special_circumstances=consent.act.special_circumstances,
        given_at=format_instant(row.given_at),
        given_at_precision=row.given_at_precision,
        evidence=None if evidence is None else _logged_evidence(evidence),
        information=msgspec.convert(consent.information, LoggedInformation, from_attributes=True),
        remarks=list(row.remarks),
        receipt_code=receipt_code,
        renewed=renewed,
    )


def _logged_grant(catalogue: Catalogue, grant: Grant) -> LoggedGrant:
    return LoggedGrant(
        grant=grant.grant_id,
        sender=catalogue.partner_by_id[grant.sender_id].slug,
        recipient=catalogue.partner_by_id[grant.recipient_id].slug,
        purpose=catalogue.purpose_by_id[grant.purpose_id].slug,
        categories=catalogue.category_slugs(grant.category_ids),
        explicit=grant.explicit,
        answer=grant.answer,
        valid_from=format_instant(grant.valid_from),
        valid_until=format_instant(grant.valid_until),
        third_parties=grant.third_parties,
        third_party_grants=list(grant.third_party_grants),
        entrusted_by=grant.entrusted_by or UNSET,
        releases=list(grant.release_ids) or UNSET,
    )


def _logged_giver(giver: Giver) -> LoggedGiver:
    return LoggedGiver(
        role=giver.role,
        age_band=giver.age_band,
        insight_assessed_by=giver.insight_assessed_by,
        mandate_until=None if giver.mandate_until is None else format_instant(giver.mandate_until),
        partner=None if giver.partner is None else giver.partner.slug,
        adult_from=UNSET if giver.adult_from is None else month_text(giver.adult_from),
        insight=giver.insight or UNSET,
        direct_counselling=giver.direct_counselling or UNSET,
        care=giver.care or UNSET,
        scope=UNSET if giver.scope is None else [purpose.slug for purpose in giver.scope],
        co_givers=msgspec.convert(giver.co_givers, list[LoggedCoGiver], from_attributes=True) or UNSET,
    )


def _logged_evidence(evidence: Evidence) -> LoggedEvidence:
    return LoggedEvidence(
        sha256=evidence.sha256, media_type=evidence.media_type, kept_at_commitment=commit_to_kept_at(evidence.kept_at)
    )


def renewed_under(client_id: str, renewed: Changes) -> list[LoggedRenewal]:
    """The grants under one client number that a consent renews, as that number's event lists them."""
    return logged_renewals([renewal for renewal in renewed if renewal[0].client_id == client_id])
