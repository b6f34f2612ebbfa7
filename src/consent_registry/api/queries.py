"""Queries: which parameters a call takes, and what they hold."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request

from consent_registry.api.documentation import Operation
from consent_registry.api.openapi_words import PARAMETERS
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.instants import INSTANT_PATTERN, parse_instant


def require_declared(request: Request[Any, Any, Any]) -> None:
    """Raise Malformed for a parameter that the route does not say it takes, and for one given twice: an answer to less
    than was asked would look like the answer (api.md, head: unknown and duplicate members are refused).
    """
    query = request.scope["query_string"]
    if not query:
        return
    operation: Operation = request.route_handler.opt["operation"]
    if operation.any_query:
        return
    names = [PARAMETERS[one].get("name", one) for one in operation.query]
    given = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
    unknown = [name for name in dict.fromkeys(given) if name not in names]
    faults = [Fault("", f"{name[:60]!r} is no parameter of this call") for name in unknown]
    faults += [Fault("", f"{name} is given twice") for name in names if given.count(name) > 1]
    if faults:
        raise Malformed(faults=tuple(faults))


def query_instant(text: str | None, name: str) -> datetime | None:
    """An instant in a query; raises Malformed for what is none."""
    if text is None:
        return None
    malformed = Malformed(faults=(Fault("", f"{name} must be an instant like 2026-11-20T09:30:00.000000Z"),))
    if re.search(INSTANT_PATTERN, text) is None:
        raise malformed
    try:
        return parse_instant(text)
    except ValueError as error:
        raise malformed from error
