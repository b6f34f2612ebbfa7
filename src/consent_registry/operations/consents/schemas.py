"""Request bodies of the calls that record, search and withdraw consents."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consent_registry.domain.grants import Precision
from consent_registry.domain.law.codes import InformationItem
from consent_registry.domain.withdrawals import Channel
from consent_registry.operations.runtime.wire_members import (
    Instant,
    Language,
    MediaType,
    Month,
    Reference,
    Sha256,
    ShortText,
    Slug,
    StaffReference,
    Uuid,
)


class TextRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text and language the client was shown."""

    id: Uuid
    language: Language


class GrantRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The client's yes or no to one flow: sender, recipient, purpose and categories."""

    sender: Slug
    recipient: Slug
    purpose: Slug
    categories: Annotated[list[Slug], Meta(min_length=1, max_length=100)]
    explicit: bool = False
    answer: Literal["given", "refused"] = "given"
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    # Whether the grant covers data about third parties, and whether they agreed.
    third_parties: Literal["none", "consented", "not_consented"] | None = None
    # The third parties' own consents to the same flow.
    third_party_consents: Annotated[list[Uuid], Meta(max_length=20)] = []
    # Who entrusted the data to the youth office, on a flow marked as entrusted (§ 65 SGB VIII).
    entrusted_by: Literal["self", "other"] | None = None


class ReleaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release from professional secrecy (§ 203 StGB). It names a function of the holder by its slug, or a person by
    staff reference. It serves the grants of its consent for their purposes, categories and end unless it says less.
    """

    holder: Slug
    towards: Slug
    function: ShortText | None = None
    person: ShortText | None = None
    purposes: Annotated[list[Slug], Meta(min_length=1, max_length=100)] | None = None
    categories: Annotated[list[Slug], Meta(min_length=1, max_length=100)] | None = None
    valid_until: Instant | None = None


class CoGiverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gave the consent together with the giver."""

    role: Literal["self", "parent", "guardian", "entrusting_person"]
    insight_assessed_by: StaffReference | None = None


class GiverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gave the consent, and what shows that this person could decide."""

    role: Literal["self", "parent", "guardian", "youth_office_custody", "custodian", "attorney", "entrusting_person"]
    age_band: Literal["under_14", "14", "15_17", "adult"]
    insight_assessed_by: StaffReference | None = None
    mandate_until: Instant | None = None
    # The partner that is the client's guardian or custodian, or that took the client into care, where one is.
    partner: Slug | None = None
    adult_from: Month | None = None
    insight: Literal["present", "lacking"] | None = None
    direct_counselling: bool | None = None
    care: Literal["joint", "sole", "authorised", "everyday"] | None = None
    scope: Annotated[list[Slug], Meta(min_length=1, max_length=100)] | None = None
    co_givers: Annotated[list[CoGiverRequest], Meta(max_length=3)] = []


class EvidenceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What proves the consent: the hash of a file that the recorder keeps, and where the file is."""

    sha256: Sha256
    media_type: MediaType
    kept_at: ShortText


class ActRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How and when the consent was given."""

    method: Literal["written", "signature_pad", "electronic", "oral"]
    given_at: Instant
    given_at_precision: Annotated[
        Precision, Meta(description="`day` if the paper bears a day and no hour: it then counts for the whole day.")
    ] = "instant"
    special_circumstances: Literal["urgency", "cannot_write", "remote", "other"] | None = None
    evidence: EvidenceRequest | None = None


class InterpreterRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who interpreted, and into which language."""

    kind: Literal["none", "lay", "sworn", "staff", "family"]
    language: Language | None = None


class InformationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the client was informed (§ 67b Abs. 2 Satz 3 SGB X, Art. 13 DSGVO)."""

    explained_by: StaffReference
    interpreter: InterpreterRequest
    told: Annotated[list[InformationItem], Meta(max_length=50)] = []
    copy_handed: bool | None = None
    client_language: Language | None = None


class ConsentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A consent to be recorded: one act, one text version and language, one or more grants."""

    client: Reference
    text: TextRequest
    grants: Annotated[list[GrantRequest], Meta(min_length=1, max_length=50)]
    giver: GiverRequest
    act: ActRequest
    information: InformationRequest
    releases: Annotated[list[ReleaseRequest], Meta(max_length=50)] = []
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    renews: Annotated[Uuid, Meta(description="The earlier consent of this client that this act renews.")] | None = None


class SearchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which consents to list: those of one client, in one status, without evidence, or all that the caller may see."""

    client: Reference | None = None
    status: (
        Literal["requested", "given", "renewed", "refused", "withdrawn", "ended", "expired", "invalidated"] | None
    ) = None
    evidence: Annotated[Literal["missing"], Meta(description="Recorded by the caller, evidence to follow.")] | None = (
        None
    )
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=400)] | None = None


class WithdrawalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client's withdrawal, whole or in part. It names exactly one of consent_id, client and receipt_code."""

    channel: Channel
    consent_id: Uuid | UnsetType = UNSET
    client: Reference | UnsetType = UNSET
    receipt_code: Annotated[str, Meta(min_length=1, max_length=40)] | UnsetType = UNSET
    grants: Annotated[list[Uuid], Meta(min_length=1, max_length=1000)] | UnsetType = UNSET
    releases: Annotated[list[Uuid], Meta(min_length=1, max_length=1000)] | UnsetType = UNSET
    categories: Annotated[list[Slug], Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    scope: (
        Annotated[
            Literal["everything"],
            Meta(description="Every grant and release of this client in the network, whoever recorded it."),
        ]
        | UnsetType
    ) = UNSET
    only_this_consent: Annotated[
        bool, Meta(description="Whether other papers for the same flows go on. They are listed in `still_given`.")
    ] = False
    declared_at: Instant | UnsetType = UNSET
    received_at: Instant | UnsetType = UNSET
