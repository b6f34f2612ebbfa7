"""A decision as request, question, event and answer (docs/design/decisions.md)."""

import secrets
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consent_registry.domain.catalogue import Basis, Catalogue
from consent_registry.domain.commitments import commit_to
from consent_registry.domain.decisions import Decision, Outcome, Question
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.events.all_kinds import read_event
from consent_registry.domain.events.decisions import DecisionEvent, LoggedReceipt
from consent_registry.domain.identifiers import reference_fault
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.obligations import Obligation, obligations_for
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.wire_members import LogEntry, Reference, Slug
from consent_registry.storage.keys.keyring import Keys, base64url
from consent_registry.storage.log.append import LogPlace
from consent_registry.tlog.leaf import reference_commitment

Norm = Annotated[
    str,
    Meta(
        pattern=r"^(§|§§|Art\.) .{1,80}$(?!\n)",
        examples=["§ 69 Abs. 1 Nr. 1 SGB X"],
        extra={"rule": "must be a citation like § 69 Abs. 1 Nr. 1 SGB X"},
    ),
]


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """May I, the caller, send these categories on this client to this recipient for this purpose, now?"""

    client: Reference
    recipient: Slug
    purpose: Slug
    categories: Annotated[list[Slug], Meta(min_length=1, max_length=100)]
    basis: Basis = "consent"
    norm: Norm | UnsetType = UNSET
    receipt: bool = False

    def is_known_to(self, catalogue: Catalogue) -> bool:
        """Whether the catalogue knows all slugs of this request."""
        return (
            self.recipient in catalogue.partners
            and self.purpose in catalogue.purposes
            and all(slug in catalogue.categories for slug in self.categories)
        )


class DecisionAnswer(msgspec.Struct, frozen=True):
    """The answer to a question. Its three lists together hold exactly the categories asked, in the order asked."""

    decision_id: str
    outcome: Outcome
    permitted_categories: list[str]
    denied_categories: list[str]
    not_consent_based_categories: list[str]
    decided_at: AnsweredInstant
    expires_at: AnsweredInstant
    obligations: tuple[Obligation, ...]
    log: LogEntry
    receipt: str | UnsetType = UNSET
    client_salt: str | UnsetType = UNSET


def read_question(actor: Actor, catalogue: Catalogue, request: DecisionRequest, pointer: str = "") -> Question:
    """The question of a request, with the catalogue's entries for its slugs. Raises Malformed with every fault."""
    faults = list(_faults(actor, catalogue, request, pointer))
    if faults:
        raise Malformed(faults=tuple(faults))
    return Question(
        sender=catalogue.partner_by_id[actor.partner_id],
        recipient=catalogue.partners[request.recipient],
        purpose=catalogue.purposes[request.purpose],
        categories=tuple([catalogue.categories[slug] for slug in request.categories]),
        basis=request.basis,
        norm=None if request.norm is UNSET else request.norm,
    )


def _faults(actor: Actor, catalogue: Catalogue, request: DecisionRequest, pointer: str) -> list[Fault]:
    faults = []
    if wrong := reference_fault(request.client):
        faults.append(Fault(f"{pointer}/client", wrong))
    if request.recipient not in catalogue.partners:
        faults.append(Fault(f"{pointer}/recipient", f"{request.recipient!r} is no partner of this network"))
    elif request.recipient == actor.slug:
        faults.append(Fault(f"{pointer}/recipient", "must not be the sender, which is the caller"))
    if request.purpose not in catalogue.purposes:
        faults.append(Fault(f"{pointer}/purpose", f"{request.purpose!r} is no purpose of this network"))
    for number, slug in enumerate(request.categories):
        if slug not in catalogue.categories:
            faults.append(Fault(f"{pointer}/categories/{number}", f"{slug!r} is no data category of this network"))
    if len(set(request.categories)) != len(request.categories):
        faults.append(Fault(f"{pointer}/categories", "must not name a category twice"))
    if request.basis == "statute" and request.norm is UNSET:
        faults.append(Fault(f"{pointer}/norm", "is required when basis is statute"))
    if request.basis == "consent" and request.norm is not UNSET:
        faults.append(Fault(f"{pointer}/norm", "belongs to basis statute only"))
    return faults


def decision_event(
    promise: tuple[str, str],
    request: DecisionRequest,
    question: Question,
    decision: Decision,
    decision_id: str,
    client_id: str | None,
) -> DecisionEvent:
    """The event of a decision. It holds all that is needed to give the same answer and receipt again.

    `promise` is the issuer of receipts and the id of the log key that signs them. Empty members are left out, because
    millions of these events are stored.
    """
    statutory = [category.slug for category in decision.not_consent_based]
    return DecisionEvent(
        id=decision_id,
        actor=question.sender.slug,
        client=client_id,
        reference_commitment=commit_to(request.client),
        recipient=question.recipient.slug,
        purpose=question.purpose.slug,
        categories=request.categories,
        permitted=[category.slug for category in decision.permitted],
        not_consent_based=statutory or UNSET,
        outcome=decision.outcome,
        basis=request.basis,
        norm=UNSET if question.norm is None else question.norm,
        expires_at=format_instant(decision.expires_at),
        grants=decision.grant_ids,
        receipt=_promised(promise, request.client) if request.receipt else UNSET,
    )


def _promised(promise: tuple[str, str], reference: str) -> LoggedReceipt:
    salt = secrets.token_bytes(32)
    return LoggedReceipt(
        iss=promise[0],
        key=promise[1],
        client_salt=base64url(salt),
        client_commitment=base64url(reference_commitment(salt, reference)),
    )


def decision_of(body: bytes) -> DecisionEvent:
    """Decode the bytes of a decision's event. Raises TypeError for an event of another kind."""
    event = read_event(body)
    if not isinstance(event, DecisionEvent):
        raise TypeError(f"event {event.id} is no decision")
    return event


def make_answer(catalogue: Catalogue, event: DecisionEvent, decided_at: str, place: LogPlace) -> DecisionAnswer:
    """The answer of a decision, made from its event and its place in the log."""
    permitted, statutory = event.permitted, event.not_consent_based or []
    obligations: tuple[Obligation, ...] = ()
    if permitted:
        obligations = obligations_for(
            catalogue.partners[event.acting],
            catalogue.partners[event.recipient],
            [catalogue.categories[slug] for slug in permitted],
        )
    return DecisionAnswer(
        decision_id=event.id,
        outcome=event.outcome,
        permitted_categories=permitted,
        denied_categories=[slug for slug in event.categories if slug not in permitted and slug not in statutory],
        not_consent_based_categories=statutory,
        decided_at=decided_at,
        expires_at=event.expires_at,
        obligations=obligations,
        log=LogEntry.of(place),
    )


def with_receipt(
    answer: DecisionAnswer, keys: Keys, network: str, event: DecisionEvent, promised: LoggedReceipt
) -> DecisionAnswer:
    """The answer with a signed receipt (JWS, EdDSA), which promises that the decision's event is in the log.

    The receipt holds a commitment to the reference. The sender alone gets its salt, and can show with salt and
    reference which client the receipt is about.
    """
    claims = {
        "iss": promised.iss,
        "iat": _seconds(answer.decided_at),
        "exp": _seconds(answer.expires_at),
        "jti": answer.decision_id,
        "aud": event.recipient,
        "network": network,
        "sender": event.acting,
        "recipient": event.recipient,
        "purpose": event.purpose,
        "categories": answer.permitted_categories,
        "outcome": answer.outcome,
        "log": answer.log,
        "client_commitment": promised.client_commitment,
    }
    receipt = keys.sign_receipt(answer.log.origin, msgspec.json.encode(claims), promised.key or None)
    return msgspec.structs.replace(answer, receipt=receipt, client_salt=promised.client_salt)


def _seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())
