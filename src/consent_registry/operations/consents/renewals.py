"""Renewing an earlier consent by recording a new one (member `renews`): which grants may be renewed."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.errors import Fault, NotFound
from consent_registry.domain.grants import Grant, status_of
from consent_registry.domain.renewals import renewable
from consent_registry.operations.consents.resolve import ResolvedGrant
from consent_registry.operations.consents.schemas import ConsentRequest
from consent_registry.operations.consents.views import visible_grants
from consent_registry.operations.runtime.commands import Command
from consent_registry.storage.consents.grants import find_grants_of_clients

_NORM = "Art. 7 Abs. 1 DSGVO"


async def earlier_grants(
    command: Command, client_ids: Sequence[str], request: ConsentRequest, now: datetime
) -> list[Grant]:
    """The grants of the consent to be renewed that the caller may see. Empty if the request renews nothing.

    Raises NotFound for an unknown consent, for another client's, and for one in which the caller has no part; the
    three cannot be distinguished.
    """
    if request.renews is None:
        return []
    grants = await find_grants_of_clients(command.connection, command.network.network_id, client_ids)
    seen = visible_grants(grants, command.actor.partner_id, now)
    earlier = [grant for grant in seen if grant.consent_id == request.renews]
    if not earlier:
        raise NotFound
    return earlier


def renewal_refusals(
    request: ConsentRequest, grants: Sequence[ResolvedGrant], earlier: Sequence[Grant], now: datetime
) -> Iterator[Fault]:
    """The faults of a renewal. It may renew given grants only, add no category and leave no gap in time."""
    if request.renews is None:
        return
    for number, grant in enumerate(grants):
        pointer = f"/grants/{number}"
        given = renewable(earlier, grant.flow, now)
        if grant.answer == "refused":
            if given is not None:
                yield _fault(
                    f"{pointer}/answer",
                    "What the client no longer wants is withdrawn, so that the earlier consent does not go on.",
                    "renewal_refused",
                    "Art. 7 Abs. 3 DSGVO",
                )
        elif given is None:
            yield _not_given(earlier, grant.flow, pointer, now)
        else:
            for position, category in enumerate(grant.categories):
                if category.category_id not in given.category_ids:
                    yield _fault(
                        f"{pointer}/categories/{position}",
                        "The earlier consent does not give this category: a renewal never widens.",
                        "renewal_widens",
                    )
            if grant.valid_from > given.until:
                yield _fault(
                    f"{pointer}/valid_from",
                    "The earlier consent ends before this begins: a renewal leaves no gap.",
                    "renewal_gap",
                )
    if all(grant.answer == "refused" for grant in grants):
        yield _fault("/renews", "Nothing is given here that could renew anything.", "renewal_gives_nothing")


def _not_given(earlier: Sequence[Grant], flow: tuple[int, int, int], pointer: str, now: datetime) -> Fault:
    statuses = {status_of(grant, now, now) for grant in earlier if grant.flow == flow}
    if not statuses:
        return _fault(pointer, "The earlier consent has no such flow: a renewal never widens.", "renewal_widens")
    if "renewed" in statuses:
        return _fault(pointer, "This was renewed before: renew the newest consent.", "renewal_of_newest")
    return _fault(
        pointer,
        "What was withdrawn, has ended or was never given is not revived: record a new consent.",
        "renewal_revives",
    )


def _fault(pointer: str, detail: str, rule: str, norm: str = _NORM) -> Fault:
    return Fault(pointer, detail, rule, norm)
