"""Reading a request to withdraw: slugs become numbers, texts instants, and what contradicts itself is refused."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import UNSET, UnsetType

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.identifiers import reference_fault
from consent_registry.domain.withdrawals import ProposedWithdrawal, WithdrawalTarget
from consent_registry.operations.consents.schemas import WithdrawalRequest
from consent_registry.operations.runtime.wire_members import instant_at

_TARGETS: tuple[tuple[str, WithdrawalTarget], ...] = (
    ("consent_id", "consent"),
    ("client", "client"),
    ("receipt_code", "receipt_code"),
)


def resolve_withdrawal(catalogue: Catalogue, request: WithdrawalRequest) -> ProposedWithdrawal:
    """The withdrawal that a request asks for. Raises Malformed with every fault."""
    named = [
        (value, target) for member, target in _TARGETS if not isinstance(value := getattr(request, member), UnsetType)
    ]
    if len(named) != 1:
        raise Malformed(faults=(Fault("", "needs exactly one of consent_id, client and receipt_code"),))
    ((name, target),) = named
    faults = [*_list_faults(request), *_scope_faults(request, target)]
    if target == "client" and (wrong := reference_fault(name)):
        faults.append(Fault("/client", wrong))
    category_ids = _category_ids(catalogue, request, faults)
    received_at = _instant(request.received_at, "/received_at", faults)
    declared_at = _instant(request.declared_at, "/declared_at", faults)
    if faults:
        raise Malformed(faults=tuple(faults))
    return ProposedWithdrawal(
        target=target,
        name=name,
        channel=request.channel,
        everything=request.scope == "everything",
        only_this_consent=request.only_this_consent,
        grant_ids=None if isinstance(request.grants, UnsetType) else tuple(request.grants),
        release_ids=None if isinstance(request.releases, UnsetType) else tuple(request.releases),
        category_ids=category_ids,
        declared_at=declared_at,
        received_at=received_at,
    )


def _list_faults(request: WithdrawalRequest) -> Iterator[Fault]:
    for member in ("grants", "releases", "categories"):
        values = getattr(request, member)
        if values is not UNSET and len(set(values)) != len(values):
            yield Fault(f"/{member}", "must not name anything twice")
    if request.categories is not UNSET and request.releases is not UNSET:
        yield Fault("/releases", "a release has no categories: withdraw it on its own")


def _scope_faults(request: WithdrawalRequest, target: WithdrawalTarget) -> Iterator[Fault]:
    """The faults of a withdrawal of everything, which names no part; and of one that is to reach one consent alone."""
    if request.scope == "everything":
        if target == "consent":
            yield Fault("/scope", "everything is withdrawn by client or receipt_code")
        for member in ("grants", "releases", "categories"):
            if getattr(request, member) is not UNSET:
                yield Fault(f"/{member}", "everything is withdrawn: name no part of it")
    if request.only_this_consent and (target == "client" or request.scope == "everything"):
        yield Fault("/only_this_consent", "name the consent by consent_id or receipt_code")


def _category_ids(catalogue: Catalogue, request: WithdrawalRequest, faults: list[Fault]) -> frozenset[int] | None:
    if isinstance(request.categories, UnsetType):
        return None
    categories = catalogue.categories
    faults += [
        Fault(f"/categories/{number}", f"{slug!r} is no data category of this network")
        for number, slug in enumerate(request.categories)
        if slug not in categories
    ]
    return frozenset(categories[slug].category_id for slug in request.categories if slug in categories)


def _instant(value: str | UnsetType, pointer: str, faults: list[Fault]) -> datetime | None:
    return instant_at(None if isinstance(value, UnsetType) else value, pointer, faults)


def times_of(asked: ProposedWithdrawal, now: datetime) -> tuple[datetime, datetime]:
    """The instants at which the withdrawal was declared and received. Neither delays its effect.

    Raises Malformed unless declared <= received <= now.
    """
    faults: list[Fault] = []
    received_at = asked.received_at or now
    declared_at = asked.declared_at or received_at
    if received_at > now:
        faults.append(Fault("/received_at", "must not be in the future"))
    if declared_at > received_at:
        faults.append(Fault("/declared_at", "must not be after received_at"))
    if faults:
        raise Malformed(faults=tuple(faults))
    return declared_at, received_at
