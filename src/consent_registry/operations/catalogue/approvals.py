"""Recording and revoking approvals of a data-protection officer, by the network's administration.

Both take the exclusive lock of the catalogue, so the log never reads "approval revoked, permit".
"""

from datetime import datetime
from operator import attrgetter
from typing import Annotated

import msgspec
from msgspec import Meta

from consent_registry.domain.approvals import Approval
from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound, Refused
from consent_registry.domain.events.partners import ApprovalEvent, ApprovalRevocationEvent, LoggedSubject
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.law.rules.all_rules import refusal
from consent_registry.operations.decisions.decisions import Norm
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import Instant, LogEntry, Slug, StaffReference, instant_at
from consent_registry.storage.catalogue.approvals import add_approval, revoke_approval
from consent_registry.storage.catalogue.catalogue import add_version


class SubjectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is approved: either an isolated partner or a purpose."""

    partner: Slug | None = None
    purpose: Slug | None = None


class ApprovalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An approval: its subject and limits, who approved it (a staff reference), the norm and the end.

    An isolated partner is approved in one direction, so `sender` or `recipient` names it.
    """

    subject: SubjectRequest
    approved_by: Annotated[StaffReference, Meta(description="The data-protection officer, by a staff reference.")]
    sender: Slug | None = None
    recipient: Slug | None = None
    purpose: Slug | None = None
    norm: Norm | None = None
    valid_until: Instant | None = None


class ApprovalRevocationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The revocation of an approval: who revokes it (a staff reference)."""

    revoked_by: StaffReference


class ApprovalView(msgspec.Struct, frozen=True):
    """An approval with its current state."""

    approval_id: str
    subject: dict[str, str]
    sender: str | None
    recipient: str | None
    purpose: str | None
    approved_by: str
    norm: str | None
    valid_until: AnsweredInstant | None
    recorded_at: AnsweredInstant
    revoked_at: AnsweredInstant | None


class ApprovalAnswer(msgspec.Struct, frozen=True):
    """The recorded approval."""

    approval: ApprovalView
    log: LogEntry


class ApprovalRevocationAnswer(msgspec.Struct, frozen=True):
    """The recorded revocation of an approval."""

    id: str
    approval_id: str
    recorded_at: AnsweredInstant
    log: LogEntry


APPROVAL = StoredShape("approval", 1, ApprovalAnswer)


async def approve(
    runtime: Runtime, actor: Actor, request: ApprovalRequest, idempotency_key: IdempotencyKey
) -> CommandResult[ApprovalAnswer]:
    """Approve a partner or a purpose, for consents given from now on. Raises Malformed and Refused."""

    async def work(command: Command) -> WorkResult[ApprovalAnswer]:
        now = await command.now()
        approval = _approval(command.catalogue, request, new_id(now), now)
        await add_approval(command.connection, command.network.network_id, approval)
        await add_version(command.connection, command.network.network_id, now)
        view = view_approval(command.catalogue, approval)
        place = (await command.append(_event(view)))[0]
        return WorkResult(ApprovalAnswer(view, LogEntry.of(place)))

    return await run_command(runtime, actor, work, idempotency_key=idempotency_key, shape=APPROVAL, exclusive=True)


APPROVAL_REVOCATION = StoredShape("approval_revocation", 1, ApprovalRevocationAnswer)


async def revoke(
    runtime: Runtime,
    actor: Actor,
    approval_id: str,
    request: ApprovalRevocationRequest,
    idempotency_key: IdempotencyKey,
) -> CommandResult[ApprovalRevocationAnswer]:
    """Revoke an approval. From the next decision on, what needs it is denied. Raises NotFound, Conflict."""

    async def work(command: Command) -> WorkResult[ApprovalRevocationAnswer]:
        approvals_by_id = {approval.approval_id: approval for approval in command.catalogue.approvals}
        approval = approvals_by_id.get(approval_id)
        if approval is None:
            raise NotFound
        if approval.revoked_at is not None:
            raise Conflict("This approval is revoked already.")
        now = await command.now()
        revocation_id = new_id(now)
        network_id = command.network.network_id
        await revoke_approval(command.connection, network_id, revocation_id, approval_id, request.revoked_by, now)
        await add_version(command.connection, network_id, now)
        event = ApprovalRevocationEvent(id=revocation_id, approval=approval_id, revoked_by=request.revoked_by)
        place = (await command.append(event))[0]
        answer = ApprovalRevocationAnswer(revocation_id, approval_id, format_instant(now), LogEntry.of(place))
        return WorkResult(answer)

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=APPROVAL_REVOCATION, exclusive=True
    )


def _event(view: ApprovalView) -> ApprovalEvent:
    """The event of an approval. It has the members of the view."""
    shown = {name: getattr(view, name) for name in view.__struct_fields__}
    return ApprovalEvent(id=view.approval_id, **shown | {"subject": msgspec.convert(view.subject, LoggedSubject)})


def approvals(catalogue: Catalogue, _: datetime) -> dict[str, ApprovalView]:
    """The network's approvals by id, newest first, with the revoked ones."""
    newest_first = sorted(catalogue.approvals, key=attrgetter("recorded_at", "approval_id"), reverse=True)
    return {approval.approval_id: view_approval(catalogue, approval) for approval in newest_first}


def view_approval(catalogue: Catalogue, approval: Approval) -> ApprovalView:
    """The view of an approval, with slugs for numbers."""

    def partner(number: int | None) -> str | None:
        return None if number is None else catalogue.partner_by_id[number].slug

    def purpose(number: int | None) -> str | None:
        return None if number is None else catalogue.purpose_by_id[number].slug

    subject = {"partner": partner(approval.partner_id), "purpose": purpose(approval.subject_purpose_id)}
    return ApprovalView(
        approval.approval_id,
        {kind: slug for kind, slug in subject.items() if slug is not None},
        partner(approval.sender_id),
        partner(approval.recipient_id),
        purpose(approval.purpose_id),
        approval.approved_by,
        approval.norm,
        None if approval.valid_until is None else format_instant(approval.valid_until),
        format_instant(approval.recorded_at),
        None if approval.revoked_at is None else format_instant(approval.revoked_at),
    )


def _approval(catalogue: Catalogue, request: ApprovalRequest, approval_id: str, now: datetime) -> Approval:
    faults: list[Fault] = []

    def partner(slug: str | None, pointer: str) -> int | None:
        if slug is not None and slug not in catalogue.partners:
            faults.append(Fault(pointer, f"{slug!r} is no partner of this network"))
            return None
        return None if slug is None else catalogue.partners[slug].partner_id

    def purpose(slug: str | None, pointer: str) -> int | None:
        if slug is not None and slug not in catalogue.purposes:
            faults.append(Fault(pointer, f"{slug!r} is no purpose of this network"))
            return None
        return None if slug is None else catalogue.purposes[slug].purpose_id

    subject = request.subject
    if (subject.partner is None) is (subject.purpose is None):
        faults.append(Fault("/subject", "needs exactly one of partner and purpose"))
    approval = Approval(
        approval_id,
        partner(subject.partner, "/subject/partner"),
        purpose(subject.purpose, "/subject/purpose"),
        partner(request.sender, "/sender"),
        partner(request.recipient, "/recipient"),
        purpose(request.purpose, "/purpose"),
        request.approved_by,
        request.norm,
        instant_at(request.valid_until, "/valid_until", faults),
        now,
    )
    if faults:
        raise Malformed(faults=tuple(faults))
    if refused := _refusals(catalogue, request, approval, now):
        raise Refused(faults=tuple(refused))
    return approval


def _refusals(catalogue: Catalogue, request: ApprovalRequest, approval: Approval, now: datetime) -> list[Fault]:
    faults = []
    subject = request.subject
    regime = None if subject.partner is None else catalogue.partners[subject.partner].regime
    needless = (subject.partner is not None and not catalogue.partners[subject.partner].isolated) or (
        subject.purpose is not None and not catalogue.purposes[subject.purpose].flags.dpo_approval
    )
    if needless:
        detail = "Neither isolated nor in need of an approval: there is no wall to open."
        faults.append(refusal("/subject", detail, "approval_needed", now, regime))
    if subject.partner is not None and approval.partner_id not in {approval.sender_id, approval.recipient_id}:
        detail = "An isolated partner is approved in one direction: name it as sender or as recipient."
        faults.append(refusal("/subject/partner", detail, "approval_direction", now, regime))
    if subject.purpose is not None and request.purpose not in {None, subject.purpose}:
        detail = "A purpose is approved for itself alone."
        faults.append(refusal("/purpose", detail, "approval_direction", now, regime))
    if approval.valid_until is not None and approval.valid_until <= now:
        detail = "An approval that is over approves nothing: none works backwards."
        faults.append(refusal("/valid_until", detail, "approval_end", now, regime))
    return faults
