"""Recording a consent: one act of a client, with its grants, releases and receipt code."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.errors import Refused
from consent_registry.domain.events.grant_changes import RenewalEvent
from consent_registry.domain.grants import Grant
from consent_registry.domain.law.ages import month_text
from consent_registry.domain.law.citations import with_norms
from consent_registry.domain.law.earlier_answers import (
    EarlierAnswer,
    earlier_answer_refusals,
    earlier_answer_remarks,
    lacking_insight_refusals,
)
from consent_registry.domain.law.proposed import ProposedConsent
from consent_registry.domain.law.recording import recording_refusals
from consent_registry.domain.law.remarks import remark_codes
from consent_registry.domain.law.rules.all_rules import refusal
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.renewals import renew
from consent_registry.operations.clients.clients import locked_client
from consent_registry.operations.consents.changes import ChangeNotice, notify_of_new_consent, notify_parties
from consent_registry.operations.consents.consent_event import consent_event, renewed_under
from consent_registry.operations.consents.grant_changes import Changes, event_ids
from consent_registry.operations.consents.late_papers import hold_against_withdrawals, record_late_paper
from consent_registry.operations.consents.receipt_codes import issue_code
from consent_registry.operations.consents.releases import (
    add_releases,
    inherited_releases,
    readers_of_grants,
    with_releases,
)
from consent_registry.operations.consents.renewals import earlier_grants
from consent_registry.operations.consents.resolve import resolve_consent
from consent_registry.operations.consents.schemas import ConsentRequest
from consent_registry.operations.consents.third_parties import ThirdPartyGrants, find_third_party_grants
from consent_registry.operations.consents.views import ConsentView, Moment, view_consent
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import CONSTANT_TIME, Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import LogEntry
from consent_registry.storage.consents import consents as storage
from consent_registry.storage.consents.earlier_answers import find_earlier_answers
from consent_registry.storage.consents.grants import GrantChange, add_grant_changes, add_grants
from consent_registry.storage.consents.receipt_codes import ReceiptCode
from consent_registry.storage.log.append import LogPlace

CONSENT = StoredShape("consent", 1, ConsentView)


async def record_consent(
    runtime: Runtime, actor: Actor, request: ConsentRequest, idempotency_key: IdempotencyKey
) -> CommandResult[ConsentView]:
    """Record a consent. The answer shows the receipt code, which is never shown again.

    Raises Malformed or Refused with every fault, NotFound if the consent to be renewed is unknown to the caller.
    """

    async def work(command: Command) -> WorkResult[ConsentView]:
        consent = resolve_consent(command.catalogue, request)
        known = await locked_client(command, consent.reference)
        now = await command.now()
        client_ids = [] if known is None else known.group.client_ids
        earlier = [] if known is None else await earlier_grants(command, client_ids, consent, now)
        inherited = await inherited_releases(command, earlier)
        third_party_grants = await find_third_party_grants(command, consent, client_ids, now)
        answers = await find_earlier_answers(command.connection, command.network.network_id, client_ids)
        _require_recordable(command, consent, earlier, inherited, answers, third_party_grants, now)
        if known is None:
            raise _unregistered(command, consent)
        consent_id = new_id(now)
        # Ids made in one millisecond are in random order. Sorted, they keep the releases in the order of the request.
        own_releases = dict(zip(sorted(new_id(now) for _ in consent.releases), consent.releases, strict=True))
        grants = _grants(command, consent, consent_id, known.client_id, third_party_grants, now)
        grants = with_releases(grants, own_releases, inherited)
        paper = await hold_against_withdrawals(command, client_ids, grants, now)
        grants = paper.grants
        remarks = [*paper.remarks, *earlier_answer_remarks(consent, answers, actor.partner_id)]
        row = _row(command, consent, consent_id, grants, now, remarks)
        await storage.add_consent(command.connection, command.network.network_id, row)
        await add_grants(command.connection, command.network.network_id, grants)
        late = await record_late_paper(command, consent_id, known.client_id, paper, now)
        renewed, ids = await _renew(command, row, earlier, paper.left(now), now)
        releases = await add_releases(command, own_releases, grants)
        receipt_code = ReceiptCode(consent_id, known.client_id, tuple(readers_of_grants(grants)))
        code, logged_code = await issue_code(command, receipt_code, 1, now)
        await notify_of_new_consent(command, paper.left(now), now)
        notice, renewed_from = ChangeNotice("consent_renewed"), [(grant, row.given_at) for grant, _ in renewed]
        await notify_parties(command, notice, renewed_from, now, except_partner_id=actor.partner_id)
        event = consent_event(
            command.catalogue, consent, row, grants, releases, renewed_under(known.client_id, renewed), logged_code
        )
        place = await command.append_padded(event, [*_renewal_events(consent_id, ids, renewed), *late])
        view = await _view_of_new(command, row, grants, consent.reference, place, now)
        answer = msgspec.structs.replace(view, receipt_code=code)
        return WorkResult(answer, (known.client_id,))

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=CONSENT, constant_time=CONSTANT_TIME
    )


async def _renew(
    command: Command, row: storage.NewConsent, earlier: Sequence[Grant], new: Sequence[Grant], now: datetime
) -> tuple[Changes, dict[str, str]]:
    """Record that the new grants renew the earlier ones. Returns the changes, and the id of the event for each client
    number under which something changes.
    """
    renewed = renew(earlier, [grant for grant in new if grant.answer == "given"], row.given_at, now)
    ids = event_ids(row.client_id, row.consent_id, [grant for grant, _ in renewed], now)
    changes = [GrantChange(grant, new_id(now), ids[grant.client_id], change) for grant, change in renewed]
    await add_grant_changes(command.connection, command.network.network_id, changes)
    return renewed, ids


def _unregistered(command: Command, consent: ProposedConsent) -> Refused:
    detail = "Register this reference first."
    fault = refusal("/client", detail, "client_registered", consent.act.given_at, command.regime)
    return Refused("This client is not registered.", faults=(fault,))


def _require_recordable(
    command: Command,
    consent: ProposedConsent,
    earlier: Sequence[Grant],
    inherited: Sequence[RecordedRelease],
    answers: Sequence[EarlierAnswer],
    third_party_grants: Sequence[ThirdPartyGrants],
    now: datetime,
) -> None:
    """Raise Refused with every fault of the consent."""
    faults = [
        *recording_refusals(
            command.catalogue,
            consent,
            command.actor.partner_id,
            earlier,
            [release.of_flow() for release in inherited],
            now,
        ),
        *earlier_answer_refusals(consent, answers),
        *lacking_insight_refusals(consent, answers, command.actor.partner_id),
        *(fault for found in third_party_grants for fault in found.faults),
    ]
    if faults:
        recorder = command.catalogue.partner_by_id[command.actor.partner_id]
        raise Refused(faults=with_norms(faults, consent, recorder))


def _grants(
    command: Command,
    consent: ProposedConsent,
    consent_id: str,
    client_id: str,
    third_party_grants: Sequence[ThirdPartyGrants],
    now: datetime,
) -> list[Grant]:
    grants = []
    # Ids made in one millisecond are in random order. Sorted, they keep the grants in the order of the request.
    ids = sorted(new_id(now) for _ in consent.grants)
    for grant_id, proposed, third_party in zip(ids, consent.grants, third_party_grants, strict=True):
        # The sender is liable for the transfer (§ 67d SGB X), so a grant that its recipient records waits for the
        # sender's confirmation.
        is_senders_own = proposed.sender.partner_id == command.actor.partner_id
        answer = proposed.answer if proposed.answer == "refused" or is_senders_own else "requested"
        grants.append(
            Grant(
                grant_id=grant_id,
                consent_id=consent_id,
                client_id=client_id,
                sender_id=proposed.sender.partner_id,
                recipient_id=proposed.recipient.partner_id,
                purpose_id=proposed.purpose.purpose_id,
                category_ids=tuple(category.category_id for category in proposed.categories),
                explicit=proposed.explicit,
                answer=answer,
                valid_from=proposed.valid_from,
                valid_until=proposed.valid_until,
                recorder_id=command.actor.partner_id,
                renews=consent.renews,
                given_at=consent.act.given_at,
                third_parties=proposed.third_parties,
                third_party_grants=third_party.grant_ids,
                entrusted_by=proposed.entrusted_by,
                evidence_follows=consent.act.evidence is None and consent.act.method != "oral",
                given_at_precision=consent.act.given_at_precision,
                recorded_at=now,
            )
        )
    return grants


def _row(
    command: Command,
    consent: ProposedConsent,
    consent_id: str,
    grants: Sequence[Grant],
    now: datetime,
    remarks: Sequence[str],
) -> storage.NewConsent:
    evidence, information, giver = consent.act.evidence, consent.information, consent.giver
    return storage.NewConsent(
        consent_id=consent_id,
        client_id=grants[0].client_id,
        recorder_id=command.actor.partner_id,
        partner_ids=readers_of_grants(grants),
        text_id=consent.text.text_id,
        language=consent.text.language,
        giver_role=giver.role,
        giver_age_band=giver.age_band,
        giver_insight_assessed_by=giver.insight_assessed_by,
        giver_mandate_until=giver.mandate_until,
        method=consent.act.method,
        special_circumstances=consent.act.special_circumstances,
        evidence_sha256=None if evidence is None else bytes.fromhex(evidence.sha256),
        evidence_media_type=None if evidence is None else evidence.media_type,
        evidence_kept_at=None
        if evidence is None
        else command.encrypt("consents.evidence_kept_at", consent_id, evidence.kept_at),
        explained_by=information.explained_by,
        interpreter_kind=information.interpreter.kind,
        interpreter_language=information.interpreter.language,
        told=list(information.told),
        copy_handed=information.copy_handed,
        client_language=information.client_language,
        given_at=consent.act.given_at,
        valid_from=min(grant.valid_from for grant in grants),
        valid_until=max(grant.valid_until for grant in grants),
        recorded_at=now,
        renews=consent.renews,
        guardian_id=None if giver.partner is None else giver.partner.partner_id,
        remarks=sorted({*remark_codes(command.catalogue, consent, now), *remarks}),
        giver_adult_from=None if giver.adult_from is None else month_text(giver.adult_from),
        giver_insight=giver.insight,
        giver_direct_counselling=giver.direct_counselling or None,
        giver_care=giver.care,
        giver_scope=None if giver.scope is None else [purpose.slug for purpose in giver.scope],
        co_giver_roles=[co_giver.role for co_giver in giver.co_givers],
        co_giver_assessors=[co_giver.insight_assessed_by for co_giver in giver.co_givers],
        given_at_precision=consent.act.given_at_precision,
    )


def _renewal_events(consent_id: str, ids: Mapping[str, str], renewed: Changes) -> list[RenewalEvent]:
    """The events for renewed grants under other client numbers than the consent's, without an actor."""
    _, *others = ids.items()
    return [
        RenewalEvent(id=event_id, act=consent_id, client=number, renewed=renewed_under(number, renewed))
        for number, event_id in others
    ]


async def _view_of_new(
    command: Command, row: storage.NewConsent, grants: Sequence[Grant], reference: str, place: LogPlace, now: datetime
) -> ConsentView:
    names = storage.ConsentRow.__struct_fields__
    consent = storage.ConsentRow(**{name: getattr(row, name) for name in names})
    served_by = [release_id for grant in grants for release_id in grant.release_ids]
    releases = await storage.find_releases(command.connection, command.network.network_id, [row.consent_id], served_by)
    moment = Moment(now, now)
    return view_consent(
        command.catalogue, consent, grants, releases, reference, LogEntry.of(place), moment, to_recorder=True
    )
