"""Partners' acts on recorded consents: confirm, end, invalidate, restrict (Art. 18 DSGVO)."""

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
    """The route of one kind of act: `nouns` is its path below a consent, `about` its description."""
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
        "A grant that its sender did not record is `requested` until the sender confirms it: the sender answers for the"
        " transfer, so no recipient can make it liable. If the consent renews an earlier one, it does so from now on.",
    ),
    _route(
        "end",
        "endings",
        ENDING,
        EndingRequest,
        "End grants without the client's doing",
        "The case is closed, the purpose reached, or a partner left: from now on nothing is permitted by these grants,"
        " nor by those that renewed them or that they renew.",
    ),
    _route(
        "invalidate",
        "invalidations",
        INVALIDATION,
        InvalidationRequest,
        "Say that grants were void from the start",
        "Back to when the consent was given. Recipients may not use what was passed on by it, and are told so. An"
        " earlier consent that was renewed by it is what it was before.",
    ),
    _route(
        "restrict",
        "restrictions",
        RESTRICTION,
        RestrictionRequest,
        "Restrict processing (Art. 18 DSGVO)",
        "While processing is restricted nothing is permitted by these grants, or of these categories of them; their"
        " status stays what it is.",
    ),
    _route(
        "lift_restriction",
        "restriction-liftings",
        LIFTING,
        RestrictionRequest,
        "Lift a restriction",
        "The grants permit again what they permitted before.",
    ),
]
