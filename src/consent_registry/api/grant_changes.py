"""The routes with which partners confirm, end, invalidate or restrict grants (Art. 18 DSGVO)."""

from functools import partial

from litestar.handlers import HTTPRouteHandler

from consent_registry.domain.errors import NotFound
from consent_registry.domain.grant_changes import (
    CONFIRMATION,
    ENDING,
    INVALIDATION,
    LIFTING,
    RESTRICTION,
    GrantAct,
)
from consent_registry.operations.consents.grant_changes import (
    ChosenGrants,
    EndingRequest,
    GrantActRequest,
    GrantChangeAnswer,
    InvalidationRequest,
    RestrictionRequest,
    act_on_grants,
)
from consent_registry.web.commands import command_route


def _route(
    name: str, nouns: str, kind: GrantAct, takes: type[GrantActRequest], summary: str, about: str
) -> HTTPRouteHandler:
    """The route of one kind of change: `nouns` is its path below a consent, `about` its description."""
    return command_route(
        f"/consents/{{consent_id:str}}/{nouns}",
        partial(act_on_grants, kind),
        name=name,
        scope="consents:write",
        takes=takes,
        answer=GrantChangeAnswer,
        refusals=(NotFound,),
        summary=summary,
        about=about,
    )


ROUTES = [
    _route(
        "confirm",
        "confirmations",
        CONFIRMATION,
        ChosenGrants,
        "Confirm what another partner recorded",
        "A grant that its sender did not record is `requested` until the sender confirms it. The sender is liable for"
        " the transfer, so a recipient cannot create a valid grant alone. If the consent renews an earlier one, the"
        " renewal begins now.",
    ),
    _route(
        "end",
        "endings",
        ENDING,
        EndingRequest,
        "End grants without the client's doing",
        "For a closed case, a reached purpose or a partner that left. From now on these grants permit nothing, nor do"
        " the grants that renewed them or that they renewed.",
    ),
    _route(
        "invalidate",
        "invalidations",
        INVALIDATION,
        InvalidationRequest,
        "Mark grants as void from the start",
        "This takes effect from the time when the consent was given. Recipients may not use data that they received"
        " because of it, and are notified. An earlier consent that it renewed gets its previous status back.",
    ),
    _route(
        "restrict",
        "restrictions",
        RESTRICTION,
        RestrictionRequest,
        "Restrict processing (Art. 18 DSGVO)",
        "While processing is restricted, these grants, or these categories of them, permit nothing. Their status does"
        " not change.",
    ),
    _route(
        "lift_restriction",
        "restriction-liftings",
        LIFTING,
        RestrictionRequest,
        "Lift a restriction",
        "The grants permit the same as before the restriction.",
    ),
]
