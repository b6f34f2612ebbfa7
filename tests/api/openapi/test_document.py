"""The OpenAPI document describes what the code does, and equals the committed file."""

import csv
import inspect
import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import msgspec
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from consent_registry import __version__
from consent_registry.api.events import _COLUMNS, _PLACE
from consent_registry.api.openapi.document import document_bytes
from consent_registry.api.openapi.examples import read_examples
from consent_registry.api.openapi.member_texts import EXACTLY_ONE, MEMBERS, MEMBERS_OF
from consent_registry.app import create_app
from consent_registry.demo.documents import (
    read_catalogue,
    read_network,
)
from consent_registry.domain.json_bodies import decode
from consent_registry.operations.access.tokens import SCOPES
from consent_registry.settings import Settings
from consent_registry.web.operation import Operation
from consent_registry.web.problem_pages import EXPLANATIONS
from consent_registry.web.problems import PROBLEM_SLUGS, PROBLEM_TYPE

JSON = dict[str, Any]
SOURCE = Path(__file__).parents[3] / "src/consent_registry"
COMMITTED = Path(__file__).parents[3] / "openapi" / "consent-registry.json"
PAGES = {"/", "/docs", "/guides", "/guides/{name}", "/log", "/openapi/openapi.json", "/problems", "/problems/{slug}"}


@pytest.fixture(scope="module")
def app() -> Litestar:
    """Return the application without starting it."""
    return create_app(Settings(database_url="", keys=Path(), issuer=""))


@pytest.fixture(scope="module")
def document(app: Litestar) -> JSON:
    """Return the OpenAPI document."""
    made: JSON = json.loads(document_bytes(app))
    return made


def operations(document: JSON) -> Iterator[tuple[str, JSON]]:
    """Return every operation by method and path."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def handlers(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler, Operation | None]]:
    """Return every route's path, handler and description."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.http_methods != {"OPTIONS"}:
                    yield route.path_format, handler, handler.opt.get("operation")


def follow(document: JSON, value: JSON) -> JSON:
    """Return the target of a reference."""
    while "$ref" in value:
        steps = value["$ref"].removeprefix("#/").split("/")
        value = document
        for step in steps:
            value = value[step]
    return value


def walk(value: object) -> Iterator[JSON]:
    """Return every object of the document."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from walk(member)
    elif isinstance(value, list):
        for member in value:
            yield from walk(member)


def test_the_committed_description_is_the_codes(app: Litestar) -> None:
    """The committed file equals the generated document, which is the same each time."""
    assert document_bytes(app) == COMMITTED.read_bytes()
    assert document_bytes(app) == document_bytes(create_app(Settings(database_url="", keys=Path(), issuer="")))


def test_the_command_writes_the_same_without_any_setting() -> None:
    """`consent-registry openapi` needs no environment, no database and no keys."""
    command = [sys.executable, "-m", "consent_registry", "openapi"]
    run = subprocess.run(command, capture_output=True, check=True, env={"PATH": ""}, cwd="/")
    assert run.stdout == COMMITTED.read_bytes()


def test_every_route_describes_itself_as_its_handler_is(app: Litestar) -> None:
    """Body, Idempotency-Key and query of a description equal the handler's signature."""
    for path, handler, operation in handlers(app):
        if operation is None:
            assert path in PAGES or path.startswith("/docs/files"), path
            continue
        parameters = inspect.signature(handler.fn).parameters
        if path != "/oauth/token":
            body = get_args(parameters["data"].annotation)[0] if "data" in parameters else None
            assert operation.takes is body, path
        assert (operation.key != "none") == ("idempotency_key" in parameters), path
        assert (operation.key == "required") == ("key_required" in inspect.getsource(handler.fn)), path
        plain = set(parameters) - {"request", "data", "idempotency_key", *re.findall(r"\w+", path)}
        assert set(operation.query) == plain, path


def test_every_operation_is_complete(document: JSON) -> None:
    """Each operation has a readable id, texts, a described success, and its problems with RFC 9457's media type."""
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for name, operation in operations(document):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), name
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= {tag["name"] for tag in document["tags"]}, name
        good = [status for status in operation["responses"] if status.startswith("2")]
        assert good, name
        for status, response in operation["responses"].items():
            said = follow(document, response)
            assert said["description"], (name, status)
            assert "X-Request-ID" in said["headers"], (name, status)
            assert ("content" in said) == (status != "304"), (name, status)
            for media_type, content in said.get("content", {}).items():
                assert content["schema"], (name, status)
                if status not in good and not name.endswith("/oauth/token"):
                    assert media_type == PROBLEM_TYPE, (name, status)
                    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                    assert content["example"]["status"] == int(status)


def test_what_needs_a_token_says_which_scope(document: JSON) -> None:
    """Below /api/v1 every operation needs a token, and its scope exists."""
    for name, operation in operations(document):
        if "/api/v1/" in name:
            (need,) = operation["security"]
            assert set(need["oauth2"]) <= set(SCOPES), name
            assert {"401", "406", "503"} <= set(operation["responses"]), name
            assert ("403" in operation["responses"]) == bool(need["oauth2"]), name
        elif name.startswith("GET /log/"):
            assert operation["security"] == [{"oauth2": []}, {}], name
        elif name != "POST /oauth/token":
            assert operation["security"] == [], name


def test_the_key_is_required_where_the_contract_says(document: JSON) -> None:
    """Idempotency-Key is required for all changes but clients and decisions, and absent if it is ignored."""
    optional = {"POST /api/v1/clients", "POST /api/v1/decisions", "POST /api/v1/decisions/batch"}
    ignored = {"POST /oauth/token", "POST /api/v1/consents/search"}
    ignored |= {"POST /api/v1/events/search", "POST /api/v1/events/exports"}
    for name, operation in operations(document):
        keys = [each for each in operation.get("parameters", []) if each["name"] == "Idempotency-Key"]
        if name.startswith("GET") or name in ignored:
            assert not keys, name
        else:
            assert [each.get("required", False) for each in keys] == [name not in optional], name


def test_references_lead_somewhere_and_nothing_is_left_over(document: JSON) -> None:
    """Every $ref resolves, and every schema and response is used."""
    used = {each["$ref"] for each in walk(document) if "$ref" in each}
    for reference in used:
        assert follow(document, {"$ref": reference})
    for kind in ("schemas", "responses", "headers"):
        for name in document["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, name


def test_no_internal_name_and_no_host(document: JSON) -> None:
    """The document contains no names of modules or machines."""
    text = json.dumps(document, ensure_ascii=False)
    assert "consent_registry" not in text
    assert not re.findall(r"127\.0\.0\.1|localhost|operations\.|msgspec|litestar", text)
    assert set(re.findall(r"https?://([^/\"]+)", text)) <= {"registry.example"}
    assert document["servers"] == [{"url": "/"}]


def test_examples_are_read_as_the_registry_reads(app: Litestar) -> None:
    """The registry's decoder accepts every example request, and every example answer has its type."""
    examples = read_examples()
    described = {
        handler.name or handler.handler_name: operation
        for _, handler, operation in handlers(app)
        if operation is not None
    }
    assert set(examples) == set(described)
    for name, operation in described.items():
        example = examples[name]
        assert (example.request is None) == (operation.takes is None), name
        if operation.takes is not None:
            decode(json.dumps(example.request).encode(), operation.takes)
        assert msgspec.convert(example.answer, operation.answer, strict=True) is not None, name


def test_examples_speak_of_a_network_of_the_demonstration() -> None:
    """Partners, purposes and categories in the examples are Paderborn's."""
    paderborn = read_network("paderborn")
    shared = read_catalogue(paderborn)
    partners = {partner.slug for partner in paderborn.partners}
    for example in json.loads((files("consent_registry.api.openapi") / "examples.json").read_bytes()).values():
        for said in walk(example):
            assert {said[name] for name in ("sender", "recipient") if name in said} <= partners
            assert (
                {said["purpose"]} - {None} <= {purpose.slug for purpose in shared.purposes}
                if "purpose" in said
                else True
            )


def test_every_property_says_what_it_is(document: JSON) -> None:
    """Each schema, member and parameter has a description, and every description is used."""
    schemas = document["components"]["schemas"]
    named = {(name, member) for name, schema in schemas.items() for member in schema.get("properties", {})}
    silent = {(name, member) for name, member in named if not schemas[name]["properties"][member].get("description")}
    assert silent == set()
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []
    assert set(MEMBERS) <= {member for _, member in named}
    assert set(MEMBERS_OF) <= {f"{name}.{member}" for name, member in named}
    for name, operation in operations(document):
        assert [each["name"] for each in operation.get("parameters", []) if not each.get("description")] == [], name


def test_the_project_is_named(document: JSON) -> None:
    """The document has version, licence and contact; the version is the package's."""
    assert document["info"]["version"] == __version__
    assert document["info"]["license"]["identifier"] == "EUPL-1.2"
    assert document["info"]["contact"]["name"]


def test_exactly_one_is_in_the_schema_wherever_the_code_asks_for_it(document: JSON) -> None:
    """Where the code demands exactly one of several members, the schema refuses none and two."""
    asked = {
        frozenset(re.split(r", | and ", found))
        for path in (SOURCE / "operations").rglob("*.py")
        for found in re.findall(r"needs exactly one of ([a-z0-9_, ]+)", path.read_text())
    }
    assert asked == {frozenset(members) for members in EXACTLY_ONE.values()}
    for name, members in EXACTLY_ONE.items():
        (schema,) = [{"oneOf": document["components"]["schemas"][name]["oneOf"]}]
        for given in itertools.product((0, 1), repeat=len(members)):
            body = {member: "x" for member, is_there in zip(members, given, strict=True) if is_there}
            assert jsonschema_rs.is_valid(schema, body) == (sum(given) == 1), (name, body)
        assert jsonschema_rs.is_valid(
            schema, {members[0]: "x"} | ({members[1]: None} if name == "SubjectRequest" else {})
        )


def contents(document: JSON) -> Iterator[tuple[str, str, JSON]]:
    """Return every content of a request or answer with its place and media type."""
    for name, operation in operations(document):
        for status, response in {"request": operation.get("requestBody", {}), **operation["responses"]}.items():
            for media_type, content in follow(document, response).get("content", {}).items():
                yield f"{name} {status}", media_type, content


def errors(document: JSON, content: JSON) -> list[str]:
    """Return an example's violations of its schema."""
    schema = {**content["schema"], "components": document["components"]}
    return [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(content["example"])]


def test_every_example_is_valid_by_its_schema(document: JSON) -> None:
    """Requests, answers and problems, by JSON Schema itself. The control: with a member too many or of another type, an
    example is found.
    """
    found = {where: errors(document, content) for where, _, content in contents(document) if "example" in content}
    assert {where: faults for where, faults in found.items() if faults} == {}
    assert len(found) > 150
    for where, media_type, content in contents(document):
        assert "example" in content or where.startswith("POST /oauth/token 4"), (where, media_type)
    broken = [
        where
        for where, _, content in contents(document)
        if where.endswith("request") and errors(document, {**content, "example": {**content["example"], "shoe": 1}})
    ]
    assert len(broken) > 20


def test_an_example_has_the_form_of_its_media_type(document: JSON) -> None:
    """CSV and JSON Lines examples have their format, and a text is not JSON."""
    by_type = {media_type: content["example"] for _, media_type, content in contents(document) if "example" in content}
    head, *rows = csv.reader(io.StringIO(by_type["text/csv"], newline=""), strict=True)
    assert head == [*_COLUMNS, *_PLACE]
    assert rows
    assert {len(row) for row in rows} == {len(head)}
    assert by_type["text/csv"].endswith("\r\n")
    assert all(json.loads(line) for line in by_type["application/jsonl"].splitlines())
    assert not by_type["text/plain"].startswith(("{", "["))


def test_every_problem_type_is_explained() -> None:
    """Each problem type has a page that explains it."""
    assert set(EXPLANATIONS) == set(PROBLEM_SLUGS)
