"""Recording a withdrawal: by consent, by client or by receipt code. It takes effect at once
(docs/design/withdrawals.md).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from consent_registry.domain.errors import Conflict, Fault, Malformed, RegistryError
from consent_registry.domain.grants import Grant
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.withdrawals import still_given, withdraw
from consent_registry.operations.clients.clients import require_reference
from consent_registry.operations.consents.schemas import WithdrawalRequest
from consent_registry.operations.consents.withdrawal_records import NewWithdrawal, record_withdrawal
from consent_registry.operations.consents.withdrawal_scope import choose, find_scope
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import (
    CONSTANT_TIME_FOR_ALL_NUMBERS,
    Command,
    new_id,
    run_command,
)
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import LogEntry, instant_at
from consent_registry.storage.log.append import LogPlace


class WithdrawalAnswer(msgspec.Struct, frozen=True):
    """The recorded withdrawal. `withdrawn` lists the grants it covers, `still_given` the grants of other consents that
    still permit the same flows. Neither lists a grant that the caller may not see.
    """

    withdrawal_id: str
    withdrawn: list[str]
    still_given: list[str]
    recorded_at: AnsweredInstant
    log: LogEntry


WITHDRAWAL = StoredShape("withdrawal", 1, WithdrawalAnswer)


async def withdraw_consent(
    runtime: Runtime, actor: Actor, request: WithdrawalRequest, idempotency_key: IdempotencyKey
) -> CommandResult[WithdrawalAnswer]:
    """Record a withdrawal. A decision that begins after this answer does not permit what was withdrawn.

    Raises NotFound for an unknown target and, without a difference, for one that the caller may not see; Conflict if
    nothing is left to withdraw; TooMany after too many wrong codes.
    """
    _require_one_target(request)

    async def work(command: Command) -> WorkResult[WithdrawalAnswer] | RegistryError:
        category_ids = _category_ids(command, request)
        scope = await find_scope(command, request)
        if isinstance(scope, RegistryError):
            return scope
        now = await command.now()
        declared_at, received_at = _times(request, now)
        chosen = choose(request, scope)
        withdrawn = withdraw(chosen.grants, received_at, now, category_ids)
        releases = [release for release in chosen.releases if release.live] if category_ids is None else []
        if not withdrawn and not releases:
            raise Conflict("Nothing is left to withdraw.")
        withdrawal = NewWithdrawal(
            act_id=new_id(now),
            client_id=scope.client_id,
            client_of_consent={grant.consent_id: grant.client_id for grant in scope.all_grants},
            known=frozenset(grant.grant_id for grant in scope.seen),
            by=_target(request),
            channel=request.channel,
            declared_at=declared_at,
            received_at=received_at,
            withdrawn=withdrawn,
            releases=releases,
        )
        reference = request.client if isinstance(request.client, str) else None
        place = await record_withdrawal(command, withdrawal, reference, now)
        answer = _answer(withdrawal, still_given(scope.seen, withdrawn, now), now, place)
        return WorkResult(answer, client_ids=tuple(withdrawal.numbers))

    return await run_command(
        runtime,
        actor,
        work,
        idempotency_key=idempotency_key,
        shape=WITHDRAWAL,
        constant_time=CONSTANT_TIME_FOR_ALL_NUMBERS,
    )


def _answer(withdrawal: NewWithdrawal, remaining: Sequence[Grant], now: datetime, place: LogPlace) -> WithdrawalAnswer:
    return WithdrawalAnswer(
        withdrawal.act_id,
        [item.grant.grant_id for item in withdrawal.withdrawn if withdrawal.caller_may_see(item.grant)],
        [grant.grant_id for grant in remaining],
        format_instant(now),
        LogEntry.of(place),
    )


def _target(request: WithdrawalRequest) -> str:
    if request.consent_id is not UNSET:
        return "consent"
    return "client" if request.client is not UNSET else "receipt_code"


def _require_one_target(request: WithdrawalRequest) -> None:
    targets = [request.consent_id, request.client, request.receipt_code]
    if sum(target is not UNSET for target in targets) != 1:
        raise Malformed(faults=(Fault("", "needs exactly one of consent_id, client and receipt_code"),))
    if isinstance(request.client, str):
        require_reference(request.client, "/client")
    for member in ("grants", "releases", "categories"):
        values = getattr(request, member)
        if values is not UNSET and len(set(values)) != len(values):
            raise Malformed(faults=(Fault(f"/{member}", "must not name anything twice"),))
    if request.categories is not UNSET and request.releases is not UNSET:
        raise Malformed(faults=(Fault("/releases", "a release has no categories: withdraw it on its own"),))


def _category_ids(command: Command, request: WithdrawalRequest) -> frozenset[int] | None:
    if isinstance(request.categories, UnsetType):
        return None
    categories = command.catalogue.categories
    faults = [
        Fault(f"/categories/{number}", f"{slug!r} is no data category of this network")
        for number, slug in enumerate(request.categories)
        if slug not in categories
    ]
    if faults:
        raise Malformed(faults=tuple(faults))
    return frozenset(categories[slug].category_id for slug in request.categories)


def _times(request: WithdrawalRequest, now: datetime) -> tuple[datetime, datetime]:
    """The instants at which the withdrawal was declared and received. Neither delays its effect.

    Raises Malformed unless declared <= received <= now.
    """
    faults: list[Fault] = []
    received = instant_at(None if request.received_at is UNSET else request.received_at, "/received_at", faults)
    declared = instant_at(None if request.declared_at is UNSET else request.declared_at, "/declared_at", faults)
    received_at = received or now
    declared_at = declared or received_at
    if received_at > now:
        faults.append(Fault("/received_at", "must not be in the future"))
    if declared_at > received_at:
        faults.append(Fault("/declared_at", "must not be after received_at"))
    if faults:
        raise Malformed(faults=tuple(faults))
    return declared_at, received_at
