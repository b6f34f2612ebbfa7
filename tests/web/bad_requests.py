"""Malformed requests with their answers, each made from a good one by one change."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MIB = 1 << 20
Body = dict[str, Any]

BAD_REFERENCES = {
    "empty": "",
    "129 characters": "x" * 129,
    "space first": " A-1",
    "space last": "A-1 ",
    "no-break space last": "A-1\u00a0",
    "line feed": "A\n1",
    "trailing line feed": "A-1\n",
    "nul": "A\0001",
    "delete": "A\x7f1",
    "c1 control": "A\u00851",
    "zero width space": "A\u200b1",
    "right-to-left override": "A\u202e1",
    "soft hyphen": "A\u00ad1",
    "byte order mark": "\ufeffA-1",
    "not NFC": "Mu\u0308ller",
    "not NFC, singleton": "\u212b-1",
}
GOOD_REFERENCES = (
    "A",
    "x" * 128,
    "Ü-1",
    "\U0001f600" * 128,
    "عميل",
    "a b",
    "../..",
    "'; drop table clients; --",
    "%00",
)
BAD_INSTANTS = {
    "a date": "2026-01-02",
    "seven decimals": "2026-01-02T03:04:05.0000000Z",
    "an offset without colon": "2026-01-02T03:04:05.000000+0100",
    "an offset of a day": "2026-01-02T03:04:05.000000+24:00",
    "a blank for the T": "2026-01-02 03:04:05.000000Z",
    "hour 24": "2026-01-02T24:00:00Z",
    "no zone": "2026-01-02T03:04:05.000000",
    "no such day": "2026-02-30T03:04:05.000000Z",
    "second 60": "2026-01-02T03:04:60.000000Z",
    "trailing line feed": "2026-01-02T03:04:05.000000Z\n",
    "other digits": "\u0662\u0660\u0662\u0666-01-02T03:04:05.000000Z",
    "a number": 1767323045,
    "null": None,
}
NOT_OBJECTS = {
    "nothing": b"",
    "half an object": b'{"client": "A',
    "null": b"null",
    "a list": b"[]",
    "a text": b'"A"',
    "a number": b"1",
    "NaN": b'{"client": NaN}',
    "infinity": b'{"client": 1e999}',
    "two objects": b"{} {}",
    "a comment": b"{} // good",
    "trailing comma": b'{"client": "A",}',
    "single quotes": b"{'client': 'A'}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"client": "A"}'.encode("utf-16"),
    "bytes that are not UTF-8": b'{"client": "\xff\xfe"}',
    "overlong UTF-8": b'{"client": "\xc0\xaf"}',
    "an unpaired surrogate": rb'{"client": "\ud800"}',
    "a raw control character": b'{"client": "A\x01"}',
    "100,000 brackets": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
}


@dataclass(frozen=True, slots=True)
class Case:
    """A body and the place of its fault; `statuses` has several where the contract allows them."""

    name: str
    content: bytes
    pointer: str | None
    statuses: tuple[int, ...] = (400,)


def changed(good: Body, name: str, change: Callable[[Body], object], pointer: str | None, *statuses: int) -> Case:
    """Return a case with one change of a good body."""
    body = copy.deepcopy(good)
    change(body)
    return Case(name, json.dumps(body).encode(), pointer, statuses or (400,))


def put(path: str, value: object) -> Callable[[Body], object]:
    """Return a change that sets the member at a pointer."""

    def change(body: Body) -> None:
        *parents, last = path.strip("/").split("/")
        at: Any = body
        for name in parents:
            at = at[int(name)] if isinstance(at, list) else at[name]
        at[int(last) if isinstance(at, list) else last] = value

    return change


def drop(path: str) -> Callable[[Body], object]:
    """Return a change that removes the member at a pointer."""

    def change(body: Body) -> None:
        *parents, last = path.strip("/").split("/")
        at: Any = body
        for name in parents:
            at = at[int(name)] if isinstance(at, list) else at[name]
        del at[last]

    return change


def wrong_values(good: Body, table: dict[str, tuple[Any, ...]]) -> Iterator[Case]:
    """Return a case for each member and each of its wrong values."""
    for path, values in table.items():
        for value in values:
            yield changed(good, f"{path} = {value!r:.40}", put(path, value), path)


def without(good: Body, *paths: str) -> Iterator[Case]:
    """Return a case for each required member that is missing."""
    for path in paths:
        yield changed(good, f"no {path}", drop(path), path)


def not_strict(good: Body) -> Iterator[Case]:
    """Return bodies that a lenient reader would accept, with duplicate and unknown members at several levels."""
    text = json.dumps(good)
    first = next(iter(good))
    again = json.dumps({first: good[first]})[1:-1]
    yield Case("duplicate member", f"{{{again}, {text[1:]}".encode(), None)
    yield Case("duplicate member, escaped", f'{{"\\u{ord(first[0]):04x}{again[2:]}, {text[1:]}'.encode(), None)
    yield changed(good, "unknown member", put("/reason", "x"), "/reason")
    yield changed(good, "unknown member of no name", lambda b: b.update({"": 1}), "/")
    yield changed(good, "unknown member with a slash", lambda b: b.update({"a/b~c": 1}), "/a~1b~0c")
    yield Case("unknown member that is no text", text[:-1].encode() + rb', "\udc00": 1}', None)
    yield Case("duplicate member that is no text", text[:-1].encode() + rb', "\udc00": 1, "\udc00": 1}', None)
    yield from (Case(name, content, None) for name, content in NOT_OBJECTS.items())


def references(good: Body, path: str) -> Iterator[Case]:
    """Return a case for each invalid reference."""
    for name, value in BAD_REFERENCES.items():
        yield changed(good, f"{path}: {name}", put(path, value), path)
    yield from wrong_values(good, {path: (1, [], {}, True)})


def decisions(good: Body, sender: str) -> Iterator[Case]:
    """Return bad questions."""
    yield from not_strict(good)
    yield from without(good, "/client", "/recipient", "/purpose", "/categories")
    yield from references(good, "/client")
    yield from wrong_values(
        good,
        {
            "/recipient": (sender, "nobody", "", "UPPER", "a_b", "x" * 64, good["recipient"] + "\n", 1, None, []),
            "/purpose": ("nothing", "", "a b", 1, None),
            "/categories": ([], "identity", None, {}, 1, {"0": "identity"}),
            "/basis": ("law", "", None, 1, "Consent"),
            "/receipt": ("true", 1, 0, None, [], "false"),
        },
    )
    known = good["categories"][0]
    for name, value, pointer in (
        ("repeated", [known, known], "/categories"),
        ("not in the catalogue", [known, "shoe-size"], "/categories/1"),
        ("a number inside", [known, 1], "/categories/1"),
        ("nested", [[known]], "/categories/0"),
        ("trailing line feed", [known + "\n"], "/categories/0"),
    ):
        yield changed(good, f"categories {name}", put("/categories", value), pointer)
    norms = ("", "§1", "§ ", "§ " + "x" * 81, "Art 5 DSGVO", "SGB X", "§ 69\nSGB X", "§ 69 SGB X\n", "x § 69 SGB X", 69)
    for norm in norms:
        body = good | {"basis": "statute", "norm": norm}
        yield Case(f"norm {norm!r:.30}", json.dumps(body).encode(), "/norm")
    yield Case("statute without norm", json.dumps(good | {"basis": "statute"}).encode(), "/norm")


def batches(good: Body) -> Iterator[Case]:
    """Return bad batches."""
    bad = good | {"recipient": "nobody"}
    for name, value, pointer in (
        ("none", [], "/decisions"),
        ("1001", [good] * 1001, "/decisions"),
        ("an object", good, "/decisions"),
        ("null", None, "/decisions"),
        ("a null inside", [good, None], "/decisions/1"),
        ("the fourth wrong", [good] * 3 + [bad], "/decisions/3/recipient"),
        ("an unknown member inside", [good, good | {"why": 1}], "/decisions/1/why"),
        ("a wrong reference inside", [good, good | {"client": " "}], "/decisions/1/client"),
    ):
        yield Case(f"batch of {name}", json.dumps({"decisions": value}).encode(), pointer)
    first = json.dumps(good)
    twice = f'{{"decisions": [{first[:-1]}, "client": "B"}}]}}'
    yield Case("a duplicate member inside", twice.encode(), None)
    yield from not_strict({"decisions": [good]})


def clients(good: Body) -> Iterator[Case]:
    """Return bad registrations."""
    yield from not_strict(good)
    yield from without(good, "/reference")
    yield from references(good, "/reference")
    yield from wrong_values(good, {"/link_code": ("", "0" * 41, None, 1, [], {})})


def link_codes(good: Body, issuer: str) -> Iterator[Case]:
    """Return bad requests for a link code."""
    yield from not_strict(good)
    yield from without(good, "/client")
    yield from references(good, "/client")
    yield from wrong_values(good, {"/partner": (issuer, "nobody", "", "UPPER", "x" * 64, None, 1, [])})
    yield changed(good, "somebody unknown", put("/client", "nobody"), None, 404)


def unlinkings(good: Body) -> Iterator[Case]:
    """Return bad unlinkings; `good` names a client without links."""
    yield from not_strict(good)
    yield from without(good, "/client")
    yield from references(good, "/client")
    yield changed(good, "somebody unknown", put("/client", "nobody"), None, 404)


def receipt_codes() -> Iterator[Case]:
    """Return bad requests for a new receipt code, which take an empty object."""
    yield from (Case(name, content, None) for name, content in NOT_OBJECTS.items())
    yield changed({}, "unknown member", put("/reason", "lost"), "/reason")


def withdrawals(good: Body) -> Iterator[Case]:
    """Return bad withdrawals; `good` names a consent."""
    yield from not_strict(good)
    yield from without(good, "/channel")
    yield changed(good, "by nothing", drop("/consent_id"), None)
    yield changed(good, "by two things", put("/client", "A-1"), None)
    yield changed(good, "by three things", lambda b: b.update(client="A-1", receipt_code="0000-0000-0000"), None)
    yield from wrong_values(
        good,
        {
            "/channel": ("", "fax", None, 1, "Phone"),
            "/grants": ([], "x", None, [1], [good["consent_id"], good["consent_id"]]),
            "/categories": ([], "identity", None, ["identity", "identity"], ["shoe-size"], [1]),
            "/declared_at": tuple(BAD_INSTANTS.values())[:-1],
            "/received_at": tuple(BAD_INSTANTS.values())[:-1],
        },
    )
    yield changed(good, "received tomorrow", put("/received_at", "2999-01-01T00:00:00.000000Z"), None, 400, 422)
    yield changed(good, "consent_id is a number", put("/consent_id", 1), "/consent_id")
    yield changed(good, "consent_id is no id", put("/consent_id", "A-1"), None, 400, 404)


def transfers(good: Body) -> Iterator[Case]:
    """Return bad reports of a transfer."""
    yield from not_strict(good)
    yield from without(good, "/outcome", "/categories")
    yield from wrong_values(
        good,
        {
            "/outcome": ("", "Sent", "lost", None, 1),
            "/categories": ([], None, "identity", ["identity", "identity"], ["shoe-size"], [1]),
            "/at": tuple(BAD_INSTANTS.values())[:-1],
        },
    )


def approvals(good: Body) -> Iterator[Case]:
    """Return bad approvals."""
    yield from not_strict(good)
    yield from without(good, "/subject", "/approved_by")
    yield from wrong_values(
        good,
        {
            "/subject": (None, "residence-advice", [], {}),
            "/subject/purpose": ("", "nothing", 1, []),
            "/subject/partner": ("", "nobody", 1),
            "/approved_by": ("", "Frau Müller", "x" * 33, "D-1\n", None, 1),
            "/sender": ("", "nobody", 1, []),
            "/recipient": ("", "nobody", 1, []),
            "/purpose": ("", "nothing", 1, []),
            "/norm": ("", "no norm", "§ " + "x" * 81, "§ 1\n", 1),
            "/valid_until": tuple(BAD_INSTANTS.values())[:-1],
        },
    )


def searches(good: Body) -> Iterator[Case]:
    """Return bad searches."""
    yield from not_strict(good)
    yield from references(good, "/client")
    yield from wrong_values(
        good,
        {
            "/status": ("", "Given", "gone", 1, []),
            "/limit": (0, -1, 201, 1.5, "10", True, 10**30),
            "/cursor": ("", "x", "AAAA", "….", 1, [], "x" * 10_000),
        },
    )
