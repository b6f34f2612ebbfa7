"""Writes the OpenAPI document (3.1) from the descriptions at the routes.

Litestar's own document lacks the patterns of list items, wraps optional members in `oneOf` and shows module names.
msgspec describes types exactly as it checks them, so the schemas come from msgspec.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from consent_registry import __version__
from consent_registry.api.openapi.examples import OperationExample, read_examples
from consent_registry.api.openapi.member_texts import EXACTLY_ONE, MEMBERS, MEMBERS_OF
from consent_registry.api.openapi.texts import (
    ABOUT,
    HEADERS,
    HEADERS_OF_STATUS,
    PROBLEM_ERRORS,
    PROJECT,
    SCOPE_WORDS,
    TAG_OF_PATH,
    TAGS,
)
from consent_registry.api.tokens import TokenError
from consent_registry.domain.errors import (
    CannotRecord,
    Malformed,
    NotAllowed,
    NotAuthentic,
    NotFound,
    OverQuota,
    RegistryError,
)
from consent_registry.operations.access.tokens import SCOPES
from consent_registry.web.operation import Operation
from consent_registry.web.parameters import PARAMETERS
from consent_registry.web.problems import HTTP_TITLES, INTERNAL, PROBLEM_TYPE, TABLE, Problem

JSON = dict[str, Any]

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
LOG_PATH = "/log/"
SCHEMAS = "#/components/schemas/{name}"
_NO_EXAMPLE = OperationExample(None)


def document_bytes(app: Litestar) -> bytes:
    """The document's bytes, as committed and served. The same code always gives the same bytes."""
    return (json.dumps(make_document(app), indent=1, ensure_ascii=False) + "\n").encode()


def make_document(app: Litestar) -> JSON:
    """The document as a dictionary: paths and components by name, members in the order of their declaration."""
    operations = sorted(_operations(app), key=lambda row: (row[0], row[1]))
    kinds = [kind for *_, described in operations for kind in (described.takes, described.answer)]
    kinds = [kind for kind in kinds if kind not in {None, str, bytes}]
    examples = read_examples()
    paths: dict[str, JSON] = {}
    for path, method, name, about, operation in operations:
        paths.setdefault(path, {})[method] = _operation(path, name, about, operation, examples.get(name, _NO_EXAMPLE))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Consent registry", "version": __version__, "description": ABOUT, **PROJECT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas([*kinds, Problem, TokenError]),
            "responses": {_response_name(status): _problem(status) for status in sorted(_TITLES)},
            "headers": HEADERS,
            "securitySchemes": _security_schemes(),
        },
    }


def _operations(app: Litestar) -> Iterator[tuple[str, str, str, str, Operation]]:
    """Path, method, name, docstring and description of every described route."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                operation = handler.opt.get("operation")
                if operation is not None:
                    name = handler.name or handler.handler_name
                    for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
                        about = " ".join((handler.fn.__doc__ or "").split())
                        yield route.path_format, method.lower(), name, about, operation


def _operation(path: str, name: str, about: str, operation: Operation, example: OperationExample) -> JSON:
    made: JSON = {"operationId": name, "summary": operation.summary, "description": about, "tags": [_tag(path)]}
    if parameters := [_parameter(parameter, operation) for parameter in _parameters(path, operation)]:
        made["parameters"] = parameters
    if operation.takes is not None:
        media_type = "application/x-www-form-urlencoded" if path == TOKEN_PATH else "application/json"
        content = {"schema": _schema(operation.takes), "example": example.request}
        made["requestBody"] = {"required": True, "content": {media_type: content}}
    responses = {
        status: _success(words, operation, example)
        for status, words in {operation.status: operation.summary, **operation.others}.items()
    }
    if "ETag" in operation.headers:
        responses[304] = {"description": "If-None-Match named it.", "headers": _headers(["X-Request-ID", "ETag"])}
    responses |= _failures(path, operation)
    made["responses"] = {str(status): responses[status] for status in sorted(responses)}
    made["security"] = _security(path, operation)
    return made


def _tag(path: str) -> str:
    return TAG_OF_PATH.get(path.removeprefix("/api/v1").split("/")[1], "catalogue")


def _parameters(path: str, operation: Operation) -> list[str]:
    key = [] if operation.key == "none" else ["Idempotency-Key"]
    return [*re.findall(r"\{(\w+)\}", path), *operation.query, *key]


def _parameter(name: str, operation: Operation) -> JSON:
    said = {"name": name, **PARAMETERS[name]}
    if said["in"] == "path" or (name == "Idempotency-Key" and operation.key == "required"):
        said["required"] = True
    return said


def _success(words: str, operation: Operation, example: OperationExample) -> JSON:
    names = ["X-Request-ID"]
    if operation.key != "none":
        names.append("Idempotency-Replayed")
    if operation.located:
        names.append("Location")
    names += operation.headers
    contents = {
        kind: {"schema": _schema(operation.answer), "example": example.forms.get(kind, example.answer)}
        for kind in operation.media_types
    }
    return {"description": words, "headers": _headers(names), "content": contents}


def _headers(names: list[str]) -> JSON:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


# Every status a problem can have, with the types that have it.
_TITLES: dict[int, dict[str, str]] = {}
for _status, _slug, _title in [*TABLE.values(), *((code, *words) for code, words in HTTP_TITLES.items())]:
    if _status != 405:  # noqa: PLR2004 - a path's, not an operation's
        _TITLES.setdefault(_status, {})[_slug] = _title
_TITLES[INTERNAL.status] = {"internal": INTERNAL.title}


def _failures(path: str, operation: Operation) -> dict[int, JSON]:
    """The error responses of an operation, by status."""
    if path == TOKEN_PATH:
        content = {"application/json": {"schema": _schema(TokenError)}}
        answer = {"description": "RFC 6749 section 5.2", "headers": _headers(["X-Request-ID"]), "content": content}
        return {400: answer, 401: answer} | {status: _refers(status) for status in (408, 413, 415, 429, 500, 503)}
    return {status: _refers(status) for status in _problem_statuses(path, operation)}


def _problem_statuses(path: str, operation: Operation) -> set[int]:
    kinds: set[type[RegistryError]] = {*operation.refusals, Malformed}  # every request can have a malformed Host
    if operation.scope is not None:
        kinds |= {NotAuthentic, CannotRecord}
    if operation.quota != "free":
        kinds.add(OverQuota)
    if operation.scope:
        kinds.add(NotAllowed)
    if "{" in path:
        kinds.add(NotFound)
    statuses = {TABLE[kind][0] for kind in kinds} | {500}
    if operation.scope is not None:
        statuses.add(406)
    if operation.takes is not None:
        statuses |= {408, 413, 415}
    if operation.key != "none":
        statuses |= {409, 422}  # a request with the same key is still running, or had another body
    return statuses


def _refers(status: int) -> JSON:
    return {"$ref": f"#/components/responses/{_response_name(status)}"}


def _response_name(status: int) -> str:
    return min(_TITLES[status])


def _problem(status: int) -> JSON:
    words = "; or: ".join(f"{title} (`/problems/{slug}`)" for slug, title in _TITLES[status].items())
    names = ["X-Request-ID"] + ([HEADERS_OF_STATUS[status]] if status in HEADERS_OF_STATUS else [])
    content = {"schema": _schema(Problem), "example": _problem_example(status)}
    return {"description": f"{words}.", "headers": _headers(names), "content": {PROBLEM_TYPE: content}}


def _problem_example(status: int) -> JSON:
    slug = _response_name(status)
    title = _TITLES[status][slug]
    kind = next((kind for kind, words in TABLE.items() if words[1] == slug), None)
    detail = INTERNAL.detail if status == INTERNAL.status else f"{title}." if kind is None else kind.__doc__
    example = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail}
    return example | ({"errors": PROBLEM_ERRORS[status]} if status in PROBLEM_ERRORS else {})


def _security(path: str, operation: Operation) -> list[JSON]:
    if path.startswith(LOG_PATH):
        return [{"oauth2": []}, {}]  # public logs need no token
    if path == TOKEN_PATH:
        return [{"client": []}, {}]
    return [] if operation.scope is None else [{"oauth2": [operation.scope] if operation.scope else []}]


def _security_schemes() -> JSON:
    scopes = {scope: SCOPE_WORDS[scope] for scope in SCOPES}
    flow = {"tokenUrl": TOKEN_PATH, "scopes": scopes}
    return {
        "oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}},
        "client": {"type": "http", "scheme": "basic", "description": "Client id and secret; or both in the form."},
    }


def _schemas(kinds: list[Any]) -> JSON:
    schemas = msgspec.json.schema_components(kinds, ref_template=SCHEMAS)[1]
    renamed = json.loads(_public_names(json.dumps(schemas)))
    for name, schema in renamed.items():
        for member, described in schema.get("properties", {}).items():
            described.setdefault("description", MEMBERS_OF.get(f"{name}.{member}") or MEMBERS.get(member, ""))
            if name.endswith("Request"):
                _refuse_repeats(described)
        if name in EXACTLY_ONE:
            schema["oneOf"] = [
                {"required": [member], "properties": {member: {"type": "string"}}} for member in EXACTLY_ONE[name]
            ]
    return {name: renamed[name] for name in sorted(renamed)}


def _refuse_repeats(member: JSON) -> None:
    """Demand different items in a request's list of plain values. Equal objects are refused by the operation itself."""
    for schema in (member, *member.get("anyOf", ())):
        if schema.get("type") == "array" and "$ref" not in schema["items"]:
            schema["uniqueItems"] = True


def _schema(kind: Any) -> JSON:  # noqa: ANN401 - any type that msgspec can describe
    if kind is bytes:
        return {"type": "string", "contentMediaType": "application/octet-stream"}
    (reference,), _ = msgspec.json.schema_components([kind], ref_template=SCHEMAS)
    schema: JSON = json.loads(_public_names(json.dumps(reference)))
    return schema


def _public_names(text: str) -> str:
    """Rename schemas for readers: `Page[PartnerView]` becomes `PartnerPage`, `PartnerView` becomes `Partner`."""
    text = re.sub(r"Page[_\[](\w+?)(?:View)?[_\]]", r"\1Page", text)
    return re.sub(r"\b(\w+)View\b", r"\1", text)
