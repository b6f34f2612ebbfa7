"""Events about consents: the act of the client, and evidence that followed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.event import Event, EventPart, LoggedInstant, SearchColumns
from consent_registry.domain.events.expected_rows import NOT_SAID, ExpectedRows, Row, at, listed
from consent_registry.domain.events.grant_changes import RenewingEvent, change_of_grant
from consent_registry.domain.events.receipt_codes import LoggedCode
from consent_registry.domain.grants import Answer, readers_of
from consent_registry.domain.law.remarks import WITHDRAWN_SINCE


class LoggedText(EventPart, frozen=True, kw_only=True):
    """The text and language the client was shown, with the SHA-256 of the bytes."""

    id: str
    language: str
    sha256: str


class LoggedGrant(EventPart, frozen=True, kw_only=True):
    """One tick of the client, with the ids of the releases that serve it: absent if there are none. The first consents
    did not say whether data about others are in it.
    """

    grant: str
    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    explicit: bool
    answer: Answer
    valid_from: LoggedInstant
    valid_until: LoggedInstant
    third_parties: str | UnsetType | None = UNSET
    third_party_grants: list[str] | UnsetType = UNSET
    entrusted_by: str | UnsetType = UNSET
    releases: list[str] | UnsetType = UNSET


class LoggedRelease(EventPart, frozen=True, kw_only=True):
    """A release from professional secrecy. The log commits to the function, because only its recorder may know it. A
    limit that is absent is that of the grants which it serves.
    """

    release: str
    holder: str
    towards: str
    person: str | None
    function_commitment: Committed | None
    purposes: list[str] | UnsetType = UNSET
    categories: list[str] | UnsetType = UNSET
    valid_until: LoggedInstant | UnsetType = UNSET


class LoggedCoGiver(EventPart, frozen=True, kw_only=True):
    """Who gave the consent together with the giver."""

    role: str
    insight_assessed_by: str | None


class LoggedGiver(EventPart, frozen=True, kw_only=True):
    """Who gave the consent; `partner` is the guardian or custodian that is a partner itself. Of what was not said
    nothing is written: `adult_from` (YYYY-MM) and what follows it.
    """

    role: str
    age_band: str | None
    insight_assessed_by: str | None
    mandate_until: LoggedInstant | None
    partner: str | None
    adult_from: str | UnsetType = UNSET
    insight: str | UnsetType = UNSET
    direct_counselling: bool | UnsetType = UNSET
    care: str | UnsetType = UNSET
    scope: list[str] | UnsetType = UNSET
    co_givers: list[LoggedCoGiver] | UnsetType = UNSET

    def columns(self) -> dict[str, Any]:
        """The columns of a consent's row that say who gave it."""
        said = {name: None if value is UNSET else value for name, value in msgspec.structs.asdict(self).items()}
        co_givers: list[LoggedCoGiver] = said["co_givers"] or []
        return {
            "giver_role": self.role,
            "giver_age_band": self.age_band,
            "giver_insight_assessed_by": self.insight_assessed_by,
            "giver_mandate_until": self.mandate_until,
            "guardian_id": self.partner,
            "giver_adult_from": said["adult_from"],
            "giver_insight": said["insight"],
            "giver_direct_counselling": said["direct_counselling"],
            "giver_care": said["care"],
            "giver_scope": said["scope"],
            "co_giver_roles": [co_giver.role for co_giver in co_givers],
            "co_giver_assessors": [co_giver.insight_assessed_by for co_giver in co_givers],
        }


class LoggedEvidence(EventPart, frozen=True, kw_only=True):
    """The proof of the act. Where the original is kept is free text, to which the log commits."""

    sha256: str
    media_type: str
    kept_at_commitment: Committed


class LoggedInterpreter(EventPart, frozen=True, kw_only=True):
    """Who interpreted, and into which language."""

    kind: str
    language: str | None


class LoggedInformation(EventPart, frozen=True, kw_only=True):
    """How the client was informed, and by whom."""

    explained_by: str
    interpreter: LoggedInterpreter
    told: list[str]
    copy_handed: bool | None
    client_language: str | UnsetType | None = UNSET


class ConsentEvent(RenewingEvent, frozen=True, kw_only=True, tag="consent"):
    """A consent was recorded: one act of a client, with its grants and releases."""

    number = 3
    retention_class = "state"

    renews: str | None
    text: LoggedText
    grants: list[LoggedGrant]
    releases: list[LoggedRelease]
    giver: LoggedGiver
    method: str
    special_circumstances: str | None
    given_at: LoggedInstant
    # Whether the paper says the instant or the day alone; the first consents did not say it.
    given_at_precision: str | UnsetType = UNSET
    evidence: LoggedEvidence | None
    information: LoggedInformation
    remarks: list[str]
    receipt_code: LoggedCode

    def entries(self) -> int:
        """The number of the act's log entries: its own, one about the consent that it renews, and one about withdrawals
        that take it back, which its remark says.
        """
        return 1 + (self.renews is not None) + (WITHDRAWN_SINCE in self.remarks)

    def searched(self) -> SearchColumns:
        """The search columns: the person who explained the consent."""
        return SearchColumns(person=self.information.explained_by)

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: consent, first receipt code, grants, releases, shown text, and earlier grants renewed."""
        yield self._consent_row()
        yield self.row(
            "receipt_codes",
            consent_id=self.id,
            issue=1,
            client_id=self.client,
            partner_ids=self._readers(self.grants),
            digest_key=self.receipt_code.digest_key,
            digest=expected.opened("receipt_code", self.receipt_code.digest_commitment),
        )
        for grant in self.grants:
            yield self._grant_row(grant)
        for release in self.releases:
            yield self._release_row(release)
        yield from self._text_rows(expected)
        yield from self.renewal_rows(expected)

    def _consent_row(self) -> Row:
        evidence, information = self.evidence, self.information
        return self.row(
            "consents",
            consent_id=self.id,
            client_id=self.client,
            recorder_id=self.acting,
            partner_ids=self._readers(self.grants),
            text_id=self.text.id,
            language=self.text.language,
            **self.giver.columns(),
            evidence_sha256=None if evidence is None else evidence.sha256,
            evidence_media_type=None if evidence is None else evidence.media_type,
            has_kept_at=evidence is not None,
            explained_by=information.explained_by,
            interpreter_kind=information.interpreter.kind,
            interpreter_language=information.interpreter.language,
            told=information.told,
            copy_handed=information.copy_handed,
            client_language=NOT_SAID if information.client_language is UNSET else information.client_language,
            given_at_precision=self.given_at_precision or "instant",
            valid_from=min(at(grant.valid_from) for grant in self.grants),
            valid_until=max(at(grant.valid_until) for grant in self.grants),
        )

    def _grant_row(self, grant: LoggedGrant) -> Row:
        # Grants that did not say whether data about others are in them did not keep when they were given either.
        of_others: dict[str, Any] = {"given_at": self.given_at}
        if grant.third_parties is UNSET:
            of_others = {"given_at": None, "third_parties": None}
        return self.row(
            "grants",
            grant,
            grant_id=grant.grant,
            consent_id=self.id,
            client_id=self.client,
            recorder_id=self.acting,
            sender_id=grant.sender,
            recipient_id=grant.recipient,
            purpose_id=grant.purpose,
            category_ids=grant.categories,
            third_party_grants=tuple(grant.third_party_grants or ()) or None,
            entrusted_by=None if grant.entrusted_by is UNSET else grant.entrusted_by,
            evidence_follows=self.evidence is None and self.method != "oral",
            release_ids=tuple(grant.releases or ()) or None,
            **of_others,
        )

    def _release_row(self, release: LoggedRelease) -> Row:
        sides = (release.holder, release.towards)
        served = [grant for grant in self.grants if (grant.sender, grant.recipient) == sides]
        return self.row(
            "releases",
            release,
            release_id=release.release,
            consent_id=self.id,
            client_id=self.client,
            partner_ids=self._readers(served),
            holder_id=release.holder,
            towards_id=release.towards,
            has_function=release.function_commitment is not None,
            purpose_ids=release.purposes or None,
            category_ids=release.categories or None,
            valid_until=release.valid_until or None,
        )

    def _text_rows(self, expected: ExpectedRows) -> Iterator[Row]:
        """The bytes the client was shown, unless an earlier event says them; raises ValueError for other bytes."""
        text = self.text
        if not expected.has("text_languages", text.id, text.language):
            yield self.row(
                "text_languages", text, text_id=text.id, content=text.sha256, translation_of=NOT_SAID, aliases=NOT_SAID
            )
        elif expected.value("text_languages", "sha256", text.id, text.language) != text.sha256:
            raise ValueError("this text had other bytes before")

    def _readers(self, grants: Sequence[LoggedGrant]) -> tuple[str, ...]:
        recorder = self.acting
        each = [readers_of(grant.answer, recorder, grant.sender, grant.recipient) for grant in grants]
        return listed({recorder}.union(*each))


class EvidenceEvent(Event, frozen=True, kw_only=True, tag="evidence"):
    """Evidence was added to a consent that was recorded without it; `grants` waited for it."""

    number = 35
    retention_class = "state"

    consent: str
    sha256: str
    media_type: str
    kept_at_commitment: Committed
    grants: list[str] | UnsetType = UNSET

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: the evidence, which only its recorder may read, and a change of each grant."""
        yield self.row(
            "consent_evidence",
            evidence_id=self.id,
            consent_id=self.consent,
            client_id=self.client,
            partner_ids=(self.acting,),
        )
        for grant in self.grants or ():
            yield from change_of_grant(self, expected, grant, "evidenced", effective_at=self.at)
