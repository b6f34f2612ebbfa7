"""Queries: which parameters a call takes, and what they hold."""

import re
from collections.abc import Collection
from datetime import datetime
from urllib.parse import parse_qsl

from consent_registry.api.callers import ApiRequest
from consent_registry.domain.errors import Fault, Malformed
from consent_registry.domain.instants import INSTANT_PATTERN, parse_instant


def require_only(request: ApiRequest, names: Collection[str]) -> None:
    """Raise Malformed for a parameter that is none of these, and for one given twice: an answer to less than was asked
    would look like the answer (api.md, head: unknown and duplicate members are refused).
    """
    query = request.scope["query_string"].decode("latin-1")
    given = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
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
