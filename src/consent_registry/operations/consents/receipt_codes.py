"""Receipt codes: the client takes one home and can withdraw the consent with it at any partner of the network."""

import secrets
from datetime import datetime

import msgspec

from consent_registry.domain.commitments import Committed
from consent_registry.domain.errors import NotFound, Refused
from consent_registry.domain.events.receipt_codes import LoggedCode, ReceiptCodeEvent
from consent_registry.domain.identifiers import make_code, read_code
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.law.rules.all_rules import refusal
from consent_registry.operations.clients.links import locked_groups
from consent_registry.operations.consents.views import visible_grants
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import CONSTANT_TIME, Command, new_id, run_command
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import LogEntry
from consent_registry.storage.consents.consents import find_consent
from consent_registry.storage.consents.grants import find_grants_of_consents
from consent_registry.storage.consents.receipt_codes import ReceiptCode, add_receipt_code, last_receipt_code


class ReceiptCodeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request for a new code. It has no members."""


class ReceiptCodeAnswer(msgspec.Struct, frozen=True):
    """The new receipt code of a consent. It is shown once and replaces the earlier code."""

    consent_id: str
    receipt_code: str
    recorded_at: AnsweredInstant
    log: LogEntry


async def issue_code(command: Command, code: ReceiptCode, issue: int, now: datetime) -> tuple[str, LoggedCode]:
    """Make a receipt code for a consent and store its keyed digest. Codes issued earlier no longer work.

    Returns the code and the members that its event holds: digest key and commitment.
    """
    text = make_code(secrets.token_bytes(8))
    key_id, digest = command.keys.digest_key_id, receipt_code_digests(command, text)[0]
    await add_receipt_code(command.connection, command.network.network_id, (key_id, digest), code, issue, now)
    return text, LoggedCode(digest_key=key_id, digest_commitment=Committed("receipt_code", digest))


def receipt_code_digests(command: Command, text: str) -> tuple[bytes, ...]:
    """The keyed digests of a receipt code, one for each digest key.

    A text that is no possible code gets digests as well, so a wrong check digit takes the same time as an unknown code.
    """
    return command.keys.digests("receipt code", command.network.network_id, 0, read_code(text) or text)


RECEIPT_CODE = StoredShape("receipt_code", 1, ReceiptCodeAnswer)


async def reissue_receipt_code(
    runtime: Runtime, actor: Actor, consent_id: str, _: ReceiptCodeRequest, idempotency_key: IdempotencyKey
) -> CommandResult[ReceiptCodeAnswer]:
    """Issue a new receipt code for a consent that the caller recorded. The old code no longer works.

    Raises NotFound for an unknown consent and, without a difference, for one that the caller may not see; Refused if
    the caller may see it but did not record it.
    """

    async def work(command: Command) -> WorkResult[ReceiptCodeAnswer]:
        network_id = command.network.network_id
        consent = await find_consent(command.connection, network_id, consent_id)
        # Constant time: an unknown consent costs the same lock and queries as one whose grants the caller may not see.
        client_id = consent_id if consent is None else consent.client_id
        await locked_groups(command, [client_id])
        now = await command.now()
        grants = await find_grants_of_consents(command.connection, network_id, [consent_id])
        last = await last_receipt_code(command.connection, network_id, consent_id)
        if consent is None or last is None or not visible_grants(grants, actor.partner_id, now):
            raise NotFound
        if consent.recorder_id != actor.partner_id:
            detail = "Only who recorded the consent hands out its code."
            fault = refusal("", detail, "who_may_reissue", now, command.regime)
            raise Refused(faults=(fault,))
        code, issue = last
        text, logged = await issue_code(command, code, issue + 1, now)
        code_id = new_id(now)
        event = ReceiptCodeEvent(
            id=code_id,
            client=client_id,
            consent=consent_id,
            issue=issue + 1,
            digest_key=logged.digest_key,
            digest_commitment=logged.digest_commitment,
        )
        place = (await command.append(event))[0]
        answer = ReceiptCodeAnswer(consent_id, text, format_instant(now), LogEntry.of(place))
        return WorkResult(answer, client_ids=(client_id,))

    return await run_command(
        runtime, actor, work, idempotency_key=idempotency_key, shape=RECEIPT_CODE, constant_time=CONSTANT_TIME
    )
