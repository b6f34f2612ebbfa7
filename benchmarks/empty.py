"""The empty endpoint, with which the registry is compared: the same server and framework, but no decision is made."""

from typing import Annotated, Literal

import msgspec
from litestar import Litestar, post
from litestar.params import JSONBody
from msgspec import Meta

Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request body with the members of a decision request."""

    client: Annotated[str, Meta(min_length=1, max_length=128)]
    recipient: Slug
    purpose: Slug
    categories: Annotated[list[Slug], Meta(min_length=1, max_length=100)]
    basis: Literal["consent", "statute"] = "consent"
    receipt: bool = False


class Duty(msgspec.Struct, frozen=True):
    """An obligation that is as long as the obligations of a permit."""

    code: str
    norm: str
    text: str


class Place(msgspec.Struct, frozen=True):
    """A place in a log that does not exist."""

    origin: str
    index: int
    leaf: str


class Answered(msgspec.Struct, frozen=True):
    """An answer with the members of a permit."""

    decision_id: str
    outcome: str
    permitted_categories: list[str]
    denied_categories: list[str]
    not_consent_based_categories: list[str]
    decided_at: str
    expires_at: str
    obligations: tuple[Duty, ...]
    log: Place


DUTIES = tuple(Duty(code, "§ 78 SGB X", "x" * 120) for code in ("purpose", "onward", "sender"))
PLACE = Place("consent-registry.demo/kreis-herford", 1_000_000, "A" * 44)
ID = "01a201c4-de61-719c-a551-3730febc653d"
INSTANT = "2026-11-22T05:40:08.929443Z"


@post("/empty", status_code=200)
async def answer(data: JSONBody[Asked]) -> Answered:
    """Send the same answer to every request. It is as long as a permit."""
    return Answered(ID, "permit", data.categories, [], [], INSTANT, INSTANT, DUTIES, PLACE)


def create_app() -> Litestar:
    """Make the ASGI application, which is served in the same way as the registry."""
    return Litestar(route_handlers=[answer], openapi_config=None, debug=False)
