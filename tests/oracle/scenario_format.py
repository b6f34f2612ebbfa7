"""The neutral form of a question and of everything the answer depends on.

A scenario is plain data (dicts, lists, strings, booleans, datetimes), so that neither the oracle nor the generators
need the product's types; an adapter elsewhere turns it into them. Holds for every scenario that is generated:

- every instant is aware, in UTC, with microseconds, and later than ``ORIGIN``: use ``ORIGIN`` wherever the product
  wants a time the scenario does not name (when a consent was given or recorded, when an agreement was made);
- ``request.sender`` differs from ``request.recipient``; the asked categories are not empty and not repeated; every slug
  in a request, flow, approval, grant or release is in ``partners`` or ``categories``;
- the sender is selectable, because a partner that is not has no access of its own; it may be suspended, because that
  can happen between its token's check and its question;
- ``valid_from < valid_until`` in grants and, where both are set, in agreements; a renewal's ``valid_until`` is later
  than its grant's ``valid_from``; an agreement's missing end means that it is open on that side;
- ``consents`` are all consents of the client in question; none stands for an unknown client as for one never asked;
  each has at least one grant;
- grant ids are unique in a scenario; the ``recorded_at`` of one grant's changes are distinct, and the changes are
  listed in no particular order, as are flows, consents, grants, releases and approvals;
- ``effective_at`` and ``recorded_at`` are independent: a change may be recorded before it takes effect, or long after,
  and even "after" ``now``, since clocks step back while what is visible stays visible;
- a change's ``categories`` is None for the whole grant, or a non-empty part of the grant's categories (``withdrawn``,
  ``restricted`` and ``unrestricted`` alone); its ``valid_until`` is set for ``renewed`` alone;
- a grant's ``given_at`` is None where it was recorded before that was kept; its ``others`` are the other persons' own
  grants it depends on (``consented`` alone, and then at least one), None for one that is no longer on record.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypedDict

ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)

Basis = Literal["consent", "statute"]
GivenAnswer = Literal["given", "refused", "requested"]
ChangeKind = Literal[
    "confirmed", "renewed", "unrenewed", "withdrawn", "ended", "invalidated", "restricted", "unrestricted"
]
Status = Literal["requested", "given", "renewed", "refused", "withdrawn", "ended", "expired", "invalidated"]
ThirdParties = Literal["unstated", "none", "consented", "not_consented"]
Outcome = Literal["permit", "partial", "no_permission", "not_consent_based"]


class Request(TypedDict):
    """What the sender asks, the categories in the order asked."""

    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    basis: Basis


class Partner(TypedDict):
    """What the catalogue says of one partner."""

    selectable: bool
    isolated: bool
    suspended: bool
    secrecy_holder: bool


class Category(TypedDict):
    """What the catalogue says of one data category."""

    secrecy: bool
    special: bool
    default: Literal["on", "off", "not_shareable"]
    third_party: bool


class Purpose(TypedDict):
    """What the catalogue says of one purpose."""

    special_flow: bool
    attendance_only: bool
    needs_approval: bool


class Flow(TypedDict):
    """One flow of an agreement."""

    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    basis: Basis


class Agreement(TypedDict):
    """One agreement of the network."""

    valid_from: datetime | None
    valid_until: datetime | None
    ended: bool
    flows: list[Flow]


class Approval(TypedDict):
    """A DPO's approval of an isolated partner or of a purpose; a limit that is None leaves that open."""

    about: Literal["partner", "purpose"]
    name: str
    sender: str | None
    recipient: str | None
    purpose: str | None
    recorded_at: datetime
    valid_until: datetime | None
    revoked: bool


class Change(TypedDict):
    """What happened to a grant after it was recorded."""

    kind: ChangeKind
    categories: list[str] | None
    effective_at: datetime
    recorded_at: datetime
    valid_until: datetime | None


class Grant(TypedDict):
    """One grant of a consent."""

    id: str
    sender: str
    recipient: str
    purpose: str
    categories: list[str]
    explicit: bool
    answer: GivenAnswer
    valid_from: datetime
    valid_until: datetime
    changes: list[Change]
    given_at: datetime | None
    third_parties: ThirdParties | None
    others: list[Grant | None]


class Release(TypedDict):
    """A release from professional secrecy, part of the consent with it. A limit that is None: as its grants."""

    holder: str
    towards: str
    withdrawn: bool
    purposes: list[str] | None
    categories: list[str] | None
    valid_until: datetime | None


class Consent(TypedDict):
    """One consent of the client."""

    grants: list[Grant]
    releases: list[Release]


class Scenario(TypedDict):
    """One question with all the facts."""

    now: datetime
    request: Request
    partners: dict[str, Partner]
    categories: dict[str, Category]
    purposes: dict[str, Purpose]
    agreements: list[Agreement]
    approvals: list[Approval]
    consents: list[Consent]


class Answer(TypedDict):
    """What the oracle holds for right; ``used`` names one grant per permitted category."""

    outcome: Outcome
    permitted: list[str]
    denied: list[str]
    not_consent_based: list[str]
    expires_at: datetime
    used: set[str]
    obligations_expected: bool


class StatusCase(TypedDict):
    """A question about the visible grants of one consent: their status at ``at`` as known at ``known_at``."""

    grants: list[Grant]
    at: datetime
    known_at: datetime
