"""Recording a withdrawal: by consent, by client or by receipt code. It takes effect at once
(docs/design/withdrawals.md).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.errors import Conflict, RegistryError
from consent_registry.domain.grants import Grant
from consent_registry.domain.instants import AnsweredInstant, format_instant
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.withdrawals import (
    ProposedWithdrawal,
    RecordedWithdrawal,
    coverage_of,
    still_given,
    take_back,
    was_given_until,
    withdraw,
)
from consent_registry.operations.consents.schemas import WithdrawalRequest
from consent_registry.operations.consents.withdrawal_records import NewWithdrawal, record_withdrawal
from consent_registry.operations.consents.withdrawal_requests import resolve_withdrawal, times_of
from consent_registry.operations.consents.withdrawal_scope import WithdrawalScope, choose, find_scope
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.commands import (
    CONSTANT_TIME_FOR_ALL_NUMBERS,
    Command,
    new_id,
    run_command,
)
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import CommandResult, IdempotencyKey, StoredShape, WorkResult
from consent_registry.operations.runtime.wire_members import LogEntry
from consent_registry.storage.log.append import LogPlace


class WithdrawalAnswer(msgspec.Struct, frozen=True):
    """The recorded withdrawal. `withdrawn` lists the grants it covers, `still_given` the grants of other consents that
    still permit the same flows. Neither lists a grant that the caller may not see. Both are empty if nothing is on
    record yet: the withdrawal is kept, and counts for papers that are recorded later.
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
    nothing is left to withdraw of a consent or code; TooMany after too many wrong codes.
    """

    async def work(command: Command) -> WorkResult[WithdrawalAnswer] | RegistryError:
        asked = resolve_withdrawal(command.catalogue, request)
        scope = await find_scope(command, asked)
        if isinstance(scope, RegistryError):
            return scope
        now = await command.now()
        chosen = choose(asked, scope)
        withdrawal = _new_withdrawal(asked, scope, chosen, actor.partner_id, now)
        if asked.target != "client" and not asked.everything and not _takes_what_it_names(withdrawal, chosen):
            raise Conflict("Nothing is left to withdraw.")
        place = await record_withdrawal(command, withdrawal, now)
        named = chosen.grants if asked.names_papers else []
        remaining = still_given(scope.seen, named, withdrawal.coverage, withdrawal.withdrawn, now)
        return WorkResult(_answer(withdrawal, remaining, now, place), client_ids=tuple(scope.client_ids))

    return await run_command(
        runtime,
        actor,
        work,
        idempotency_key=idempotency_key,
        shape=WITHDRAWAL,
        constant_time=CONSTANT_TIME_FOR_ALL_NUMBERS,
        may_be_suspended=True,
    )


def _new_withdrawal(
    asked: ProposedWithdrawal, scope: WithdrawalScope, chosen: WithdrawalScope, partner_id: int, now: datetime
) -> NewWithdrawal:
    """What the withdrawal changes: the grants it names whenever they were given, and those of covered flows that were
    given until it was received. `scope` is all it may reach, `chosen` what it names.
    """
    declared_at, received_at = times_of(asked, now)
    act_id = new_id(now)
    coverage = coverage_of(asked, chosen.grants, partner_id)
    named = chosen.grants if asked.names_papers else []
    of_flows = [grant for grant in scope.all_grants if grant not in named]
    withdrawn = [
        *withdraw(named, received_at, now, asked.category_ids),
        *take_back(of_flows, RecordedWithdrawal(act_id, received_at, coverage), now),
    ]
    return NewWithdrawal(
        act_id=act_id,
        client_id=scope.client_id,
        client_ids=scope.client_ids,
        client_of_consent={grant.consent_id: grant.client_id for grant in scope.all_grants},
        known=frozenset(grant.grant_id for grant in scope.seen),
        by_name=_by_name(asked, scope, chosen),
        asked=asked,
        coverage=coverage,
        declared_at=declared_at,
        received_at=received_at,
        withdrawn=withdrawn,
        releases=_releases(asked, scope, chosen, received_at),
    )


def _by_name(asked: ProposedWithdrawal, scope: WithdrawalScope, chosen: WithdrawalScope) -> frozenset[str]:
    """The consents under the number of a receipt code of which the caller learns what is withdrawn: that of the code,
    and those bound to it by renewal.
    """
    if asked.target != "receipt_code":
        return frozenset()
    consents = {grant.consent_id for grant in (*scope.grants, *chosen.grants) if grant.client_id == scope.client_id}
    return frozenset(consents)


def _releases(
    asked: ProposedWithdrawal, scope: WithdrawalScope, chosen: WithdrawalScope, received_at: datetime
) -> list[RecordedRelease]:
    """The releases that are withdrawn: those it names whenever they were given; else those of consents that were given
    until it was received. A release has no categories.
    """
    if asked.category_ids is not None:
        return []
    if asked.names_papers:
        return [release for release in chosen.releases if release.live]
    given = {grant.consent_id for grant in scope.all_grants if was_given_until(grant, received_at)}
    return [release for release in scope.all_releases if release.live and release.consent_id in given]


def _takes_what_it_names(withdrawal: NewWithdrawal, chosen: WithdrawalScope) -> bool:
    named = {grant.grant_id for grant in chosen.grants}
    return bool(withdrawal.releases) or any(item.grant.grant_id in named for item in withdrawal.withdrawn)


def _answer(withdrawal: NewWithdrawal, remaining: Sequence[Grant], now: datetime, place: LogPlace) -> WithdrawalAnswer:
    return WithdrawalAnswer(
        withdrawal.act_id,
        [item.grant.grant_id for item in withdrawal.withdrawn if withdrawal.caller_may_see(item.grant)],
        [grant.grant_id for grant in remaining],
        format_instant(now),
        LogEntry.of(place),
    )
