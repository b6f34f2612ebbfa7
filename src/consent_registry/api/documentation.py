"""What the OpenAPI document says of a route beside its types: the answer's shape, the problems, the scope."""

from typing import Any

from litestar.openapi.datastructures import ResponseSpec

from consent_registry.api.problems import HTTP_TITLES, PROBLEM_TYPE, TABLE, Problem
from consent_registry.domain.errors import (
    CannotRecord,
    Conflict,
    Malformed,
    NotAllowed,
    NotAuthentic,
    NotFound,
    Refused,
    TooMany,
)

_READING = (Malformed, NotAuthentic, NotAllowed, NotFound, CannotRecord)
_CHANGING = (*_READING, Conflict, Refused, TooMany)


def answers(status: int, kind: Any, summary: str, *, scope: str = "", changes: bool = True) -> dict[str, Any]:  # noqa: ANN401
    """Keyword arguments for a route: its success answer, the problems it can answer with, and the scope it needs."""
    responses = {status: ResponseSpec(kind, description=summary, generate_examples=False)}
    for error in _CHANGING if changes else _READING:
        code, slug, title = TABLE[error]
        responses[code] = _problem(slug, title)
    for code in (406, 413, 415) if changes else (406,):
        responses[code] = _problem(*HTTP_TITLES[code])
    security = [{"oauth2": [scope]}] if scope else None
    return {"responses": responses, "summary": summary, "security": security}


def _problem(slug: str, title: str) -> ResponseSpec:
    return ResponseSpec(
        Problem, description=f"{title} (`/problems/{slug}`).", media_type=PROBLEM_TYPE, generate_examples=False
    )
