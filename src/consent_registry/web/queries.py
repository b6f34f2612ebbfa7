"""Checks and parses the query parameters of a request."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request

from consent_registry.domain.errors import Fault, Malformed, quoted
from consent_registry.domain.instants import NotAnInstant, parse_instant
from consent_registry.web.operation import Operation
from consent_registry.web.parameters import PARAMETERS

MOST = 100
"""The greatest number of query parameters in a request."""


def require_declared(request: Request[Any, Any, Any]) -> None:
    """Raise Malformed for a query parameter that the route does not declare, or that is given twice.

    If it were ignored, the caller would take the answer for an answer to its whole question (docs/wire.md).
    """
    query = request.scope["query_string"]
    if not query:
        return
    operation: Operation = request.route_handler.opt["operation"]
    if operation.any_query:
        return
    names = [PARAMETERS[member].get("name", member) for member in operation.query]
    try:
        given = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST)]
    except ValueError as error:
        raise Malformed(faults=[Fault("", f"the query has more than {MOST} parameters")]) from error
    faults = [
        Fault("", f"{quoted(name)} is no parameter of this call") for name in dict.fromkeys(given) if name not in names
    ]
    faults += [Fault.of_query(name, "is given twice") for name in names if given.count(name) > 1]
    if faults:
        raise Malformed(faults=faults)


def query_instant(text: str | None, name: str) -> datetime | None:
    """Parse an instant in a query; raises Malformed."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except NotAnInstant as error:
        hint = "; a plus sign is written %2B in a query" if " " in text else ""
        raise Malformed(faults=[Fault.of_query(name, f"{error}{hint}")]) from error


def query_number(text: str, name: str, bounds: tuple[int, int]) -> int:
    """Parse a number in a query; raises Malformed outside its bounds, which are at most 9999."""
    least, most = bounds
    if re.fullmatch(r"[0-9]{1,4}", text) is None or not least <= int(text) <= most:
        raise Malformed(faults=[Fault.of_query(name, f"must be a number from {least} to {most}")])
    return int(text)


def page_limit(text: str) -> int:
    """Parse the length of a page; raises Malformed unless it is a number from 1 to 200."""
    return query_number(text, "limit", (1, 200))
