"""The rules about renewing an earlier consent: a renewal revives nothing, adds nothing and leaves no gap in time."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.errors import Fault
from consent_registry.domain.grants import Grant, status_of
from consent_registry.domain.law.proposed import ProposedConsent
from consent_registry.domain.renewals import renewable


def renewal_refusals(consent: ProposedConsent, earlier: Sequence[Grant], now: datetime) -> Iterator[Fault]:
    """The faults of a renewal. It may renew given grants only, add no category and leave no gap in time."""
    if consent.renews is None:
        return
    for number, grant in enumerate(consent.grants):
        pointer = f"/grants/{number}"
        given = renewable(earlier, grant.flow, now)
        if grant.answer == "refused":
            if given is not None:
                yield Fault(
                    f"{pointer}/answer",
                    "What the client no longer wants is withdrawn, so that the earlier consent does not go on.",
                    "renewal_refused",
                )
        elif given is None:
            yield _not_given(earlier, grant.flow, pointer, now)
        else:
            for position, category in enumerate(grant.categories):
                if category.category_id not in given.category_ids:
                    yield Fault(
                        f"{pointer}/categories/{position}",
                        "The earlier consent does not give this category: a renewal never widens.",
                        "renewal_widens",
                    )
            if grant.valid_from > given.until:
                yield Fault(
                    f"{pointer}/valid_from",
                    "The earlier consent ends before this begins: a renewal leaves no gap.",
                    "renewal_gap",
                )
    if all(grant.answer == "refused" for grant in consent.grants):
        yield Fault("/renews", "Nothing is given here that could renew anything.", "renewal_gives_nothing")


def _not_given(earlier: Sequence[Grant], flow: tuple[int, int, int], pointer: str, now: datetime) -> Fault:
    statuses = {status_of(grant, now, now) for grant in earlier if grant.flow == flow}
    if not statuses:
        return Fault(pointer, "The earlier consent has no such flow: a renewal never widens.", "renewal_widens")
    if "renewed" in statuses:
        return Fault(pointer, "This was renewed before: renew the newest consent.", "renewal_of_newest")
    return Fault(
        pointer,
        "What was withdrawn, has ended or was never given is not revived: record a new consent.",
        "renewal_revives",
    )
