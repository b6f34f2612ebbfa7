"""The view of a consent that a partner gets: its own slice of grants and releases (docs/design/consents.md)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.grants import (
    LIVE,
    Change,
    Grant,
    Status,
    ThirdParties,
    counting_changes,
    end_of_validity,
    restricted_categories,
    status_of,
    status_of_consent,
    withdrawn_categories,
)
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.law.remarks import Remark, RemarkNorms, remarks_of
from consent_registry.domain.releases import RecordedRelease, lacks_release, status_of_release
from consent_registry.operations.runtime.wire_members import LogEntry
from consent_registry.storage.consents.consents import ConsentRow


class ShownTextView(msgspec.Struct, frozen=True):
    """The text that the client was shown, with the SHA-256 of its bytes in hex."""

    id: str
    version: str
    language: str
    sha256: str


class GrantView(msgspec.Struct, frozen=True):
    """A grant with its status. `restricted_categories` is there only while some are restricted (Art. 18 DSGVO).
    `use_ban` is there only if the grant was void from the start: data passed on by it may not be used (§ 78 Abs. 1
    SGB X). `missing` is shown to the recorder alone: what a given grant lacks beside the consent, so that some of its
    categories pass nowhere.
    """

    grant_id: str
    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    explicit: bool
    status: Status
    valid_from: AnsweredInstant
    valid_until: AnsweredInstant
    withdrawn_at: AnsweredInstant | None
    withdrawn_categories: list[str]
    third_parties: ThirdParties | None
    restricted_categories: list[str] | msgspec.UnsetType = msgspec.UNSET
    use_ban: bool | msgspec.UnsetType = msgspec.UNSET
    missing: list[Literal["release"]] | msgspec.UnsetType = msgspec.UNSET


class ReleaseView(msgspec.Struct, frozen=True):
    """A release from professional secrecy with its status: withdrawn by itself, or that of the grants it serves."""

    release_id: str
    holder: str
    towards: str
    status: Status


class GiverView(msgspec.Struct, frozen=True):
    """Who gave the consent."""

    role: str


class ConsentView(msgspec.Struct, frozen=True):
    """A consent as the caller may see it: as recorder, or as sender or recipient of some of its grants."""

    consent_id: str
    client: str | None
    status: Status
    text: ShownTextView
    grants: list[GrantView]
    releases: list[ReleaseView]
    giver: GiverView
    recorded_by: str
    given_at: AnsweredInstant
    recorded_at: AnsweredInstant
    valid_from: AnsweredInstant
    valid_until: AnsweredInstant
    log: LogEntry
    remarks: list[Remark]
    renews: str | msgspec.UnsetType = msgspec.UNSET
    receipt_code: str | msgspec.UnsetType = msgspec.UNSET


class Moment(msgspec.Struct, frozen=True):
    """A point of both time axes: when it was true, and when the registry knew it."""

    at: datetime
    known_at: datetime


def visible_grants(grants: Sequence[Grant], partner_id: int, now: datetime) -> list[Grant]:
    """The grants that this partner may see."""
    return [grant for grant in grants if grant.is_visible_to(partner_id, status_of(grant, now, now))]


def view_consent(
    catalogue: Catalogue,
    consent: ConsentRow,
    grants: Sequence[Grant],
    releases: Sequence[RecordedRelease],
    reference: str | None,
    log: LogEntry,
    moment: Moment,
    *,
    to_recorder: bool,
) -> ConsentView:
    """The view of a consent at a moment. Grants and releases are those that the partner may see; the releases include
    those that the consent inherits from the one it renews.
    """
    text = catalogue.texts[consent.text_id]
    shown = [view_grant(catalogue, grant, moment) for grant in grants]
    if to_recorder:
        shown = [
            _with_missing(catalogue, grant, view, releases, moment) for grant, view in zip(grants, shown, strict=True)
        ]
    return ConsentView(
        consent_id=consent.consent_id,
        client=reference,
        status=status_of_consent(grants, moment.at, moment.known_at),
        text=ShownTextView(text.text_id, text.version, consent.language, text.languages[consent.language].sha256),
        grants=shown,
        releases=[
            _view_release(catalogue, release, grants, moment)
            for release in releases
            if release.consent_id == consent.consent_id
        ],
        giver=GiverView(consent.giver_role),
        recorded_by=catalogue.partner_by_id[consent.recorder_id].slug,
        given_at=format_instant(consent.given_at),
        recorded_at=format_instant(consent.recorded_at),
        # Only of the grants shown, because the validity of another grant is not visible to this partner.
        valid_from=min(grant.valid_from for grant in shown),
        valid_until=max(grant.valid_until for grant in shown),
        log=log,
        remarks=_view_remarks(catalogue, consent, grants, consent.remarks if to_recorder else ()),
        renews=consent.renews or msgspec.UNSET,
    )


def _view_remarks(
    catalogue: Catalogue, consent: ConsentRow, grants: Sequence[Grant], codes: Sequence[str]
) -> list[Remark]:
    partners = catalogue.partner_by_id
    flows = [(partners[grant.sender_id].regime, partners[grant.recipient_id].regime) for grant in grants]
    norms = RemarkNorms(consent.given_at, partners[consent.recorder_id].regime, flows)
    return remarks_of(codes, norms, consent.giver_adult_from)


def view_grant(catalogue: Catalogue, grant: Grant, moment: Moment) -> GrantView:
    """The view of a grant at a moment, with slugs for numbers."""
    changes = counting_changes(grant, moment.at, moment.known_at)
    status = status_of(grant, moment.at, moment.known_at)
    return GrantView(
        grant_id=grant.grant_id,
        sender=catalogue.partner_by_id[grant.sender_id].slug,
        recipient=catalogue.partner_by_id[grant.recipient_id].slug,
        purpose=catalogue.purpose_by_id[grant.purpose_id].slug,
        categories=catalogue.category_slugs(grant.category_ids),
        explicit=grant.explicit,
        status=status,
        valid_from=format_instant(grant.valid_from),
        valid_until=format_instant(end_of_validity(grant, changes)),
        withdrawn_at=_withdrawn_at(changes),
        withdrawn_categories=_in_order(catalogue, grant, withdrawn_categories(grant, changes)),
        third_parties=grant.third_parties,
        restricted_categories=_in_order(catalogue, grant, restricted_categories(grant, changes)) or msgspec.UNSET,
        use_ban=True if status == "invalidated" else msgspec.UNSET,
    )


def _with_missing(
    catalogue: Catalogue, grant: Grant, view: GrantView, releases: Sequence[RecordedRelease], moment: Moment
) -> GrantView:
    """The view of a grant as its recorder gets it: with `missing` if a live grant of a secrecy holder lacks a release
    for one of the categories that it still gives.
    """
    is_bound = catalogue.partner_by_id[grant.sender_id].secrecy_holder
    if view.status in LIVE and is_bound and lacks_release(grant, releases, moment.at, moment.known_at):
        return msgspec.structs.replace(view, missing=["release"])
    return view


def _withdrawn_at(changes: Sequence[Change]) -> str | None:
    times = [change.effective_at for change in changes if change.kind == "withdrawn"]
    return format_instant(max(times)) if times else None


def _in_order(catalogue: Catalogue, grant: Grant, chosen: frozenset[int]) -> list[str]:
    return catalogue.category_slugs([category_id for category_id in grant.category_ids if category_id in chosen])


def _view_release(
    catalogue: Catalogue, release: RecordedRelease, grants: Sequence[Grant], moment: Moment
) -> ReleaseView:
    return ReleaseView(
        release.release_id,
        catalogue.partner_by_id[release.holder_id].slug,
        catalogue.partner_by_id[release.towards_id].slug,
        status_of_release(release, grants, moment.at, moment.known_at),
    )
