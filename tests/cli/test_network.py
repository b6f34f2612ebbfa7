"""A network's document: whatever is wrong with it is a fault with its place, before anything is written, and never a
traceback; what the check takes can be set up.
"""

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import jsonschema_rs
import msgspec
import pytest

from consent_registry.demo.documents import (
    FOLDER,
    SLUGS,
)
from consent_registry.domain.berlin import day_in_berlin
from consent_registry.domain.errors import Malformed, Refused
from consent_registry.domain.identifiers import origin_fault
from consent_registry.operations.catalogue.network_document import (
    schema,
)
from consent_registry.operations.catalogue.network_document_plan import read_plan
from consent_registry.operations.catalogue.network_plan import plan_faults, text_faults
from consent_registry.operations.catalogue.network_setup import establish_network
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import load_keys
from tests.cli.forks import Forks
from tests.support.installation import Installation, Registry, empty_database, serving

ROOT = Path(__file__).resolve().parents[2]
BASE = "kreis-herford"
ORIGIN = "log.example"
Json = dict[str, Any]
# Of the mutants one in so many is tried; another number of values than of members to skip leaves out no member.
EVERY = int(os.environ.get("NETWORK_MUTANTS_EVERY", "5"))
# What each member is replaced by, each in turn.
VALUES: list[object] = [
    *(
        None,
        True,
        0,
        -1,
        1 << 70,
        1.5,
        "",
        " ",
        "x",
        "AWO",
        "a\x00b",
        "a\nb",
        "a\x7f",
        "\ud800",
        "x" * 5000,
        "../../etc",
    ),
    *("2026-02-30", "0001-01-01", "9999-12-31", "\u202e", "kreis\u00a0herford", [], [None], {}, {"de": "x"}, [[]]),
]
ORIGINS = {
    "": "1 to 200",
    "x" * 201: "1 to 200",
    "registry hnew+x/herford": "plus sign or a space",
    "registry.example/a+b": "plus sign or a space",
    "registry.example/a b": "plus sign or a space",
    "registry.example/a\n": "plus sign or a space",
    "registry.example/\u00a0a": "plus sign or a space",
    "registry.example/\u3000a": "plus sign or a space",
    "registry.example/\u2028": "plus sign or a space",
    "registry.example\t": "plus sign or a space",
    "registry.example/\x00": "control",
    "registry.example/\x1b[1m": "control",
    "registry.example/\x7f": "control",
    "registry.example/\u200b": "control",
    "registry.example/\ufeff": "control",
    "registry.example/\ud800": "control",
    "registry.example/u\u0308": "normal form C",
    "https://registry.example/herford": "without a scheme",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the demonstration's documents, to be spoiled."""
    return shutil.copytree(FOLDER, tmp_path / "documents", ignore=shutil.ignore_patterns("*.py", "__pycache__"))


def faults(folder: Path, origin: str = ORIGIN) -> list[str]:
    """Return the lines of the check, one for each fault; anything else is raised."""
    try:
        plan = read_plan(folder, 1, BASE, origin, demonstration=False)
        found = [*plan_faults(plan), *text_faults(plan, day_in_berlin(datetime.now(UTC)))]
        return [f"{fault.pointer}: {fault.detail}" for fault in found]
    except Malformed as error:
        return [f"{fault.pointer}: {fault.detail}" for fault in error.faults] or [error.detail]


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Return the places of all members of a document, and of the first two items of each list."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for number in range(min(2, len(value))):
            yield from places(value[number], (*path, number))


def changed(document: Json, path: tuple[str | int, ...], change: Callable[[Any, Any], object]) -> Json:
    """Return a copy of the document with one changed member."""
    result: Json = copy.deepcopy(document)
    holder: Any = result
    for step in path[:-1]:
        holder = holder[step]
    change(holder, path[-1])
    return result


def put(value: object, at: Any, last: str | int) -> None:  # noqa: ANN401 - an object or a list of JSON
    """Replace a member."""
    at[last] = value


def mutants(document: Json) -> Iterator[tuple[str, Json]]:
    """Return the document with every member replaced by every value, removed, repeated, and beside an unknown one."""
    for path in list(places(document))[1:]:
        name = "/".join(map(str, path))
        for value in VALUES:
            yield f"{name} = {value!r}"[:80], changed(document, path, partial(put, value))
        yield f"{name} left out", changed(document, path, lambda at, last: at.__delitem__(last))
        if isinstance(path[-1], int):
            yield f"{name} twice", changed(document, path, lambda at, last: at.append(at[last]))
        else:
            yield f"{name} and another", changed(document, path, lambda at, last: at.__setitem__(f"{last}_x", 1))


def written(document: Json) -> bytes:
    """Return the document's JSON, also with half a surrogate pair."""
    return json.dumps(document, ensure_ascii=True).encode()


@pytest.mark.parametrize("file", [f"networks/{BASE}.json", "catalogue.json"])
async def test_no_mistake_is_a_traceback(folder: Path, installation: Installation, file: str) -> None:
    """Every member of the document and of the catalogue, mutated in every way: faults with a place; and what has none
    is set up in a database, which takes it.
    """
    path = folder / file
    document = json.loads(path.read_bytes())
    taken: list[tuple[str, bytes]] = []
    tried = refused = 0
    for name, mutant in islice(mutants(document), 0, None, EVERY):
        path.write_bytes(written(mutant))
        found = faults(folder)
        tried += 1
        if found:
            refused += 1
            assert all(": " in fault for fault in found), (name, found)
            if file == "catalogue.json":
                assert any(fault.startswith(("catalogue.json#", "/agreements", "/texts")) for fault in found), (
                    name,
                    found,
                )
        else:
            taken.append((name, path.read_bytes()))
    assert tried > 900 // EVERY
    assert refused > tried / 2
    await take(installation, folder, path, taken[:: max(1, len(taken) // 15)])


async def take(installation: Installation, folder: Path, path: Path, taken: list[tuple[str, bytes]]) -> None:
    """Set up each document as a network in a database of its own."""
    name = f"networks_{path.stem.replace('-', '_')}"
    await empty_database(installation.cluster, name)
    pool = await open_pool(installation.dsn(name), 2)
    try:
        runtime = Runtime(pool, load_keys(installation.keys), "https://registry.example")
        for number, (mutant, content) in enumerate(taken, start=1):
            path.write_bytes(content)  # noqa: ASYNC240 - nothing else runs meanwhile
            plan = read_plan(folder, number, BASE, f"{ORIGIN}/{number}", demonstration=False)
            network = msgspec.structs.replace(plan.network, slug=f"n{number}")
            await establish_network(runtime, msgspec.structs.replace(plan, network=network))
            assert (await runtime.network(f"n{number}")) is not None, mutant
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda plan: plan["partners"][1].update(slug=plan["partners"][0]["slug"]), "/partners/1/slug: "),
        (lambda plan: plan["partners"][0].update(regime=None), "/partners/0/selectable: "),
        (lambda plan: plan["network"].update(slug="herne"), "/network/slug: must be 'kreis-herford'"),
        (
            lambda plan: plan["agreements"][0]["flows"][0].update(sender="nobody"),
            "/agreements/0/flows/0/sender: 'nobody'",
        ),
        (
            lambda plan: plan["agreements"][0]["flows"][0].update(purpose="none"),
            "/agreements/0/flows/0/purpose: 'none'",
        ),
        (lambda plan: plan["agreements"][0]["flows"][0].update(norm="§ 1"), "/agreements/0/flows/0/norm: "),
        (
            lambda plan: plan["agreements"][0].update(valid_from="2027-01-01", valid_until="2026-01-01"),
            "/valid_until: ",
        ),
        (
            lambda plan: plan["agreements"][0].update(valid_from="2026-02-30"),
            "/agreements/0/valid_from: there is no such",
        ),
        (lambda plan: plan["texts"][0]["languages"].pop("de"), "/texts/0/languages: must hold 'de'"),
        (
            lambda plan: plan["texts"][0]["languages"].update(ar="texts/none"),
            "/texts/0/languages/ar: 'texts/none' must be a",
        ),
        (lambda plan: plan["texts"][0]["languages"].update(ar="/etc/hostname"), "/texts/0/languages/ar: "),
        (lambda plan: plan.update(catalogue="nothing.json"), "/catalogue: 'nothing.json' must be a file"),
    ],
)
def test_each_mistake_is_named_at_its_place(folder: Path, change: Callable[[Any], object], line: str) -> None:
    """The pointer of a fault names the wrong member."""
    path = folder / f"networks/{BASE}.json"
    document = json.loads(path.read_bytes())
    change(document)
    path.write_bytes(written(document))
    assert any(line in fault for fault in faults(folder)), faults(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"network": 1, "network": 2}', b"\xef\xbb\xbf{}"]
)
def test_what_is_no_document(forks: Forks, folder: Path, content: bytes) -> None:
    """A malformed document ends the check with 1, and setting it up with one line; a missing document is 2."""
    (folder / f"networks/{BASE}.json").write_bytes(content)
    ended = forks.run("network", folder, BASE, "--check")
    assert (ended.code, ended.err) == (1, ""), ended
    assert ended.out.startswith("/")
    (folder / f"networks/{BASE}.json").unlink()
    gone = forks.run("network", folder, BASE, "--check")
    assert (gone.code, gone.out, len(gone.lines)) == (2, "", 1)


@pytest.mark.parametrize("origin", ORIGINS)
async def test_an_origin_that_no_note_carries_is_refused(folder: Path, registry: Registry, origin: str) -> None:
    """An origin that a signed note cannot have is refused with the rule, by the check and by the setup."""
    assert any(ORIGINS[origin] in fault and fault.startswith("/log_origin") for fault in faults(folder, origin))
    plan = read_plan(folder, 77, BASE, origin, demonstration=False)
    with pytest.raises(Refused) as raised:
        await establish_network(registry.app.state.shared.runtime, plan)
    assert raised.value.faults[0].rule == "log_origin"
    assert await registry.app.state.shared.runtime.network(BASE) is None


async def test_an_origin_that_another_log_has_is_refused(folder: Path, registry: Registry) -> None:
    """An origin that another log has is refused: two logs with one name would be a split view."""
    runtime = registry.app.state.shared.runtime
    taken = (await runtime.networks())[0].log_origin
    with pytest.raises(Refused) as raised:
        await establish_network(runtime, read_plan(folder, 77, BASE, taken, demonstration=False))
    assert "another network's" in raised.value.faults[0].detail


def test_control_good_origins_are_taken() -> None:
    """Control: an origin with a host, a path, a port, or letters of any language is accepted."""
    for origin in (
        "log.example",
        "registry.example:8443/paderborn",
        "registry.example/münster",
        "x" * 200,
        "a~b_c.d/1",
    ):
        assert origin_fault(origin) is None


async def test_a_log_that_has_such_an_origin_all_the_same(
    installation: Installation, forks: Forks, tmp_path: Path
) -> None:
    """Set up by an earlier release: its keys are a 404 with the reason, other networks' are there, and the sealer's
    status is 1 and says why.
    """
    (tmp_path / "heads").mkdir(mode=0o700)
    async with installation.copy() as database:
        # Before anything serves: a process reads a network's origin once.
        sql = await asyncpg.connect(installation.dsn(database, "postgres"))
        await sql.execute("set session_replication_role = replica")
        await sql.execute("update registry.networks set log_origin = 'a b+c' where slug = 'small'")
        await sql.close()
        async with serving(installation, database) as registry:
            north = await registry.partner("north")
            token = {"Authorization": f"Bearer {north.token}"}
            answer = await registry.http.get("/log/small/vkeys", headers=token)
            assert answer.status_code == 404
            assert "cannot be the name of a key" in answer.json()["detail"]
            assert (await registry.http.get("/.well-known/jwks.json")).status_code == 200
        status = forks.run(
            *("seal", "--status"),
            environment={
                "CONSENT_REGISTRY_SEALER_DATABASE_URL": installation.dsn(database, "sealer"),
                "CONSENT_REGISTRY_SEALER_STATE": str(tmp_path / "heads"),
                "CONSENT_REGISTRY_KEYS": str(installation.keys),
            },
        )
    assert (status.code, status.err) == (1, ""), status
    assert "no note can carry the log's origin, which must not contain a plus sign" in status.out


def test_the_schema_is_the_committed_one_and_holds_for_the_demonstration() -> None:
    """`docs/network.schema.json` is what `network --schema` prints; the five documents and the catalogue are of it, and
    a document without its partners is not.
    """
    committed = json.loads((ROOT / "docs/network.schema.json").read_bytes())
    assert committed == json.loads(json.dumps(schema()))
    whole = jsonschema_rs.validator_for(committed)
    catalogue = jsonschema_rs.validator_for({**committed, "$ref": "#/$defs/Catalogue"})
    for slug in SLUGS:
        document = json.loads((FOLDER / f"networks/{slug}.json").read_bytes())
        assert whole.is_valid(document), slug
        assert catalogue.is_valid(json.loads((FOLDER / document["catalogue"]).read_bytes()))
        del document["partners"]
        assert not whole.is_valid(document)
