"""A consent as its recorder proposes it, before the rules accept or refuse it. Slugs are entries of the catalogue here,
and texts of instants are instants.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from consent_registry.domain.catalogue import Category, Partner, Purpose
from consent_registry.domain.grants import EntrustedBy, Precision, ThirdParties
from consent_registry.domain.law.codes import InformationItem
from consent_registry.domain.secrecy import Release

AgeBand = Literal["under_14", "14", "15_17", "adult"]
GiverRole = Literal["self", "parent", "guardian", "youth_office_custody", "custodian", "attorney", "entrusting_person"]
CoGiverRole = Literal["self", "parent", "guardian", "entrusting_person"]
Insight = Literal["present", "lacking"]
# How parents decide: both together, one with sole custody, one whom the other authorised, one in an everyday matter.
Care = Literal["joint", "sole", "authorised", "everyday"]
Method = Literal["written", "signature_pad", "electronic", "oral"]
SpecialCircumstances = Literal["urgency", "cannot_write", "remote", "other"]
InterpreterKind = Literal["none", "lay", "sworn", "staff", "family"]


class ProposedGrant(msgspec.Struct, frozen=True, kw_only=True):
    """The client's yes or no to one flow, with its validity."""

    sender: Partner
    recipient: Partner
    purpose: Purpose
    categories: tuple[Category, ...]
    explicit: bool
    answer: Literal["given", "refused"]
    valid_from: datetime
    valid_until: datetime
    # The end before it was cut to the end of the giver's mandate.
    asked_until: datetime
    # Whether the request names an end, for the grant or for the whole consent.
    has_stated_end: bool
    # What the recorder says about data of other persons; None if nothing was said.
    stated_third_parties: Literal["none", "consented", "not_consented"] | None = None
    # The other persons' own consents to the same flow.
    third_party_consents: tuple[str, ...] = ()
    # Who entrusted the data to the youth office; None if nothing was said.
    entrusted_by: EntrustedBy | None = None

    @property
    def flow(self) -> tuple[int, int, int]:
        """Sender, recipient and purpose by their numbers."""
        return self.sender.partner_id, self.recipient.partner_id, self.purpose.purpose_id

    @property
    def is_special(self) -> bool:
        """Whether the grant covers special data (Art. 9 DSGVO): by a category, or because the flow reveals them."""
        return self.purpose.flags.flow_itself_is_special or any(category.special for category in self.categories)

    @property
    def third_parties(self) -> ThirdParties | None:
        """What is recorded about data of other persons: `unstated` if nothing was said, None if no category of the
        grant can hold such data.
        """
        if not any(category.flags.third_party_data for category in self.categories):
            return None
        return self.stated_third_parties or "unstated"


class ProposedRelease(msgspec.Struct, frozen=True):
    """A release from professional secrecy (§ 203 StGB) of the holder's function or person towards a partner. A limit
    that is None is that of the grants which it serves.
    """

    holder: Partner
    towards: Partner
    function: str | None
    person: str | None
    purposes: tuple[Purpose, ...] | None = None
    categories: tuple[Category, ...] | None = None
    valid_until: datetime | None = None

    def of_flow(self) -> Release:
        """What a grant needs to know of it."""
        purposes, categories = self.purposes, self.categories
        return Release(
            self.holder.partner_id,
            self.towards.partner_id,
            live=True,
            purpose_ids=None if purposes is None else frozenset(purpose.purpose_id for purpose in purposes),
            category_ids=None if categories is None else frozenset(category.category_id for category in categories),
            valid_until=self.valid_until,
        )


class CoGiver(msgspec.Struct, frozen=True):
    """Who gave the consent together with the giver, and who assessed this person's insight."""

    role: CoGiverRole
    insight_assessed_by: str | None = None


class Giver(msgspec.Struct, frozen=True):
    """Who gave the consent, and what shows that this person could decide.

    `age_band` and `insight` are the client's. `adult_from` is the first day of the month in which the client comes of
    age; `scope` are the purposes of a mandate, None without limit. `direct_counselling`: a child asked for advice by
    itself. `partner` is the partner that represents the client, where one does.
    """

    role: GiverRole
    age_band: AgeBand
    insight_assessed_by: str | None = None
    mandate_until: datetime | None = None
    partner: Partner | None = None
    adult_from: date | None = None
    insight: Insight | None = None
    direct_counselling: bool = False
    care: Care | None = None
    scope: tuple[Purpose, ...] | None = None
    co_givers: tuple[CoGiver, ...] = ()

    def together_with(self, role: CoGiverRole) -> bool:
        """Whether somebody in this role gave the consent together with the giver."""
        return any(co_giver.role == role for co_giver in self.co_givers)


class Evidence(msgspec.Struct, frozen=True):
    """What proves the consent: the SHA-256 of a file (64 hex digits), its media type, and where it is kept."""

    sha256: str
    media_type: str
    kept_at: str


class ClientAct(msgspec.Struct, frozen=True):
    """How and when the consent was given."""

    method: Method
    given_at: datetime
    special_circumstances: SpecialCircumstances | None
    evidence: Evidence | None
    given_at_precision: Precision = "instant"


class Interpreter(msgspec.Struct, frozen=True):
    """Who interpreted, and into which language."""

    kind: InterpreterKind
    language: str | None


class Information(msgspec.Struct, frozen=True):
    """How the client was informed (§ 67b Abs. 2 Satz 3 SGB X, Art. 13 DSGVO)."""

    explained_by: str
    interpreter: Interpreter
    told: tuple[InformationItem, ...]
    copy_handed: bool | None
    client_language: str | None = None


class ShownText(msgspec.Struct, frozen=True):
    """The text and the language that the client was shown; the text may not exist."""

    text_id: str
    language: str


class ProposedConsent(msgspec.Struct, frozen=True):
    """A consent to be recorded: one act of a client, one text and language, one or more grants. `renews` is the earlier
    consent that it renews.
    """

    reference: str
    text: ShownText
    grants: tuple[ProposedGrant, ...]
    releases: tuple[ProposedRelease, ...]
    giver: Giver
    act: ClientAct
    information: Information
    renews: str | None

    @property
    def given(self) -> list[ProposedGrant]:
        """The grants that the client gave, without those it refused."""
        return [grant for grant in self.grants if grant.answer == "given"]
