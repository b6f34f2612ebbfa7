"""Adding evidence to a consent after it was recorded, where the network's policy `evidence_may_follow` allows it.

The consent counts from the start, because the client gave it, but special data (Art. 9 DSGVO) wait for the evidence: it
is a change `evidenced` of every grant, which the decision reads with the grant. Until then the recorder finds it by
`POST /consents/search {"evidence": "missing"}` (Art. 7 Abs. 1 DSGVO: the controller must be able to prove it).
"""

from datetime import datetime

import msgspec

from consent_registry.domain.commitments import Committed
from consent_registry.domain.errors import Conflict, NotFound, Refused
from consent_registry.domain.events.consents import EvidenceEvent
from consent_registry.domain.grants import Change
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.law.rules.all_rules import refusal
from consent_registry.operations.clients.links import locked_groups
from consent_registry.operations.consents.schemas import EvidenceRequest
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import CONSTANT_TIME, Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import LogEntry
from consent_registry.storage.consents.consents import ConsentRow, NewEvidence, add_evidence, find_consent, has_evidence
from consent_registry.storage.consents.grants import GrantChange, add_grant_changes, find_grants_of_consents


class EvidenceAnswer(msgspec.Struct, frozen=True):
    """The recorded evidence of a consent."""

    id: str
    consent_id: str
    sha256: str
    media_type: str
    recorded_at: AnsweredInstant
    log: LogEntry


EVIDENCE = StoredShape("evidence", 1, EvidenceAnswer)


async def add_following_evidence(
    runtime: Runtime, actor: Actor, consent_id: str, request: EvidenceRequest, idempotency_key: IdempotencyKey
) -> CommandResult[EvidenceAnswer]:
    """Add the evidence of a consent. It can be added once and never changed.

    Raises NotFound for everybody but the recorder of the consent, Refused if the network demands evidence at recording,
    Conflict if there is evidence already.
    """

    async def work(command: Command) -> WorkResult[EvidenceAnswer]:
        network_id = command.network.network_id
        consent = await find_consent(command.connection, network_id, consent_id)
        if consent is None or consent.recorder_id != actor.partner_id:
            raise NotFound
        await locked_groups(command, [consent.client_id])
        if not command.catalogue.policies.evidence_may_follow:
            detail = "In this network a consent is recorded with its evidence."
            raise Refused(faults=(refusal("", detail, "evidence_follows", consent.given_at, command.regime),))
        if await has_evidence(command.connection, network_id, consent_id):
            raise Conflict("This consent has its evidence.")
        now = await command.now()
        evidence_id = new_id(now)
        await add_evidence(command.connection, network_id, _row(command, consent, evidence_id, request, now))
        grants = await _change_grants(command, consent_id, evidence_id, now)
        event = EvidenceEvent(
            id=evidence_id,
            client=consent.client_id,
            consent=consent_id,
            sha256=request.sha256,
            media_type=request.media_type,
            kept_at_commitment=commit_to_kept_at(request.kept_at),
            grants=grants,
        )
        place = (await command.append(event))[0]
        answer = EvidenceAnswer(
            evidence_id, consent_id, request.sha256, request.media_type, format_instant(now), LogEntry.of(place)
        )
        return WorkResult(answer, client_ids=(consent.client_id,))

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=EVIDENCE, constant_time=CONSTANT_TIME
    )


def _row(
    command: Command, consent: ConsentRow, evidence_id: str, request: EvidenceRequest, now: datetime
) -> NewEvidence:
    return NewEvidence(
        consent_id=consent.consent_id,
        evidence_id=evidence_id,
        client_id=consent.client_id,
        partner_ids=[command.actor.partner_id],
        sha256=bytes.fromhex(request.sha256),
        media_type=request.media_type,
        kept_at=command.encrypt("consent_evidence.kept_at", consent.consent_id, request.kept_at),
        recorded_at=now,
    )


async def _change_grants(command: Command, consent_id: str, evidence_id: str, now: datetime) -> list[str]:
    """Record with each grant of the consent that its evidence came. Returns the grants' ids."""
    network_id = command.network.network_id
    grants = await find_grants_of_consents(command.connection, network_id, [consent_id])
    change = Change("evidenced", now, now)
    changes = [GrantChange(grant, new_id(now), evidence_id, change) for grant in grants]
    await add_grant_changes(command.connection, network_id, changes)
    return [grant.grant_id for grant in grants]


def commit_to_kept_at(kept_at: str) -> Committed:
    """The commitment to the place where the original is kept. The place is free text, so no event holds it."""
    return Committed("kept_at", kept_at.encode())
