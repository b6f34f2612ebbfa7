"""The catalogue for partners has the contract's shape, matches the network's document, and texts byte for byte."""

import hashlib
from typing import Any

import asyncpg
import httpx
import pytest

from consent_registry.demo.documents import (
    read_catalogue,
    read_network,
    read_text,
)
from tests.support.installation import Registry
from tests.support.small_network import NORM, small_network

JSON = dict[str, Any]
NOWHERE = "019ae000-0000-7000-8000-000000000000"
SHAPES = {
    "/partners": {
        *("slug", "name", "organisation", "kind", "regime", "secrecy_holder", "selectable", "isolated", "suspended"),
        *("functions", "coordinating_post"),
    },
    "/purposes": {"slug", "name", "categories", "flags"},
    "/data-categories": {"slug", "name", "special", "secrecy", "flags"},
    "/agreements": {"agreement_id", "version", "status", "valid_from", "valid_until", "flows"},
    "/texts": {
        *("id", "version", "languages", "covers", "informs", "in_use_since", "in_use_until", "form_sha256"),
    },
}
NAMES = {"/agreements": "agreement_id", "/texts": "id"}


async def items(registry: Registry, path: str, network: str = "small") -> list[JSON]:
    """Return a whole list as the network's administration gets it."""
    answer = await (await registry.partner("admin", network)).get(f"{path}?limit=200")
    assert answer.status_code == 200, answer.text
    found: list[JSON] = answer.json()["items"]
    return found


@pytest.mark.parametrize("network", ["small", "paderborn", "widunetz"])
@pytest.mark.parametrize("path", SHAPES)
async def test_lists_and_single_entries_have_the_contracts_shape(registry: Registry, network: str, path: str) -> None:
    """Entries have the contract's members, and an entry is the same alone and in its list."""
    admin = await registry.partner("admin", network)
    for item in await items(registry, path, network):
        assert set(item) == SHAPES[path]
        alone = await admin.get(f"{path}/{item[NAMES.get(path, 'slug')]}")
        assert (alone.status_code, alone.json()) == (200, item)


async def test_every_partner_and_its_administration_read_the_same(registry: Registry) -> None:
    """Every partner of a network gets the same bytes of the catalogue."""
    for path in SHAPES:
        shown = {(await (await registry.partner(who)).get(path)).content for who in ("north", "south", "east", "admin")}
        assert len(shown) == 1, path


async def test_the_demonstration_is_as_its_document_says(registry: Registry) -> None:
    """Partners, purposes, categories and flows of Paderborn, with names in German and English and with norms."""
    document = read_network("paderborn")
    shared = read_catalogue(document)
    partners = {item["slug"]: item for item in await items(registry, "/partners", "paderborn")}
    functions = {function.slug: function for function in shared.functions}
    assert list(partners) == [partner.slug for partner in document.partners]
    for partner in document.partners:
        shown = partners[partner.slug]
        assert (shown["name"], shown["regime"], shown["isolated"]) == (partner.name, partner.regime, partner.isolated)
        assert shown["selectable"] == partner.selectable
        assert [function["slug"] for function in shown["functions"]] == list(partner.functions)
        assert shown["secrecy_holder"] == any(functions[slug].secrecy_norm for slug in partner.functions)
    purposes = {item["slug"]: item for item in await items(registry, "/purposes", "paderborn")}
    for purpose in shared.purposes:
        assert purposes[purpose.slug]["name"] == {"de": purpose.name.de, "en": purpose.name.en}
        assert set(purposes[purpose.slug]["categories"]) == set(purpose.categories)
    categories = {item["slug"]: item for item in await items(registry, "/data-categories", "paderborn")}
    for category in shared.data_categories:
        shown = categories[category.slug]
        assert (shown["special"], shown["secrecy"]) == (category.special, category.secrecy)
    (agreement,) = await items(registry, "/agreements", "paderborn")
    expected = [
        (f.sender, f.recipient, f.purpose, frozenset(f.categories), f.basis, f.norm)
        for agreement in document.agreements
        for f in agreement.flows
    ]
    shown_flows = [
        (f["sender"], f["recipient"], f["purpose"], frozenset(f["categories"]), f["basis"], f["norm"])
        for f in agreement["flows"]
    ]
    assert len(shown_flows) == len(expected)
    assert set(shown_flows) == set(expected)


async def test_flows_say_their_basis(registry: Registry) -> None:
    """A statutory flow has its norm, a flow on consent has none, and both are in the agreement in force."""
    (agreement,) = await items(registry, "/agreements")
    assert agreement["status"] == "in_force"
    assert agreement["valid_from"] == "2024-01-01T00:00:00.000000Z"
    assert agreement["valid_until"] is None
    statutory = [flow for flow in agreement["flows"] if flow["basis"] == "statute"]
    assert [(flow["sender"], flow["recipient"], flow["norm"]) for flow in statutory] == [("south", "east", NORM)]
    assert all(flow["norm"] is None for flow in agreement["flows"] if flow["basis"] == "consent")
    for flow in agreement["flows"]:
        assert set(flow) == {"sender", "recipient", "purpose", "categories", "basis", "norm", "entrusted"}


async def test_a_network_without_flows_and_texts_has_empty_lists(registry: Registry) -> None:
    """Widunetz shows its partners; its agreement has no flow, and texts are an empty page, not an error."""
    assert await items(registry, "/partners", "widunetz")
    assert [item["flows"] for item in await items(registry, "/agreements", "widunetz")] == [[]]
    answer = await (await registry.partner("admin", "widunetz")).get("/texts")
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next": None})


async def test_the_network_names_its_log(registry: Registry) -> None:
    """Slug, name and the origin under which its log is signed."""
    said = (await (await registry.partner("north")).get("/network")).json()
    assert (said["slug"], said["log_origin"]) == ("small", "registry.test/small")
    assert said["name"]


async def bytes_of(registry: Registry, text: JSON, network: str) -> dict[str, httpx.Response]:
    """Fetch a text in every language from its listed address."""
    partner = await registry.partner("admin", network)
    headers = {"Authorization": f"Bearer {partner.token}", "Accept": "text/plain"}
    return {
        language["language"]: await registry.http.get(language["url"], headers=headers)
        for language in text["languages"]
    }


@pytest.mark.parametrize("network", ["small", "paderborn"])
async def test_texts_are_the_bytes_their_hash_names(registry: Registry, network: str) -> None:
    """Each language has its SHA-256 in the listing, is served byte for byte, and says its language."""
    (text,) = await items(registry, "/texts", network)
    hashes = {language["language"]: language["sha256"] for language in text["languages"]}
    assert all(language["status"] == "published" for language in text["languages"])
    for language, answer in (await bytes_of(registry, text, network)).items():
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == hashes[language]
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-language"] == language


async def test_texts_are_those_that_were_published(registry: Registry) -> None:
    """A published text is served without a changed byte."""
    (text,) = await items(registry, "/texts")
    assert {name: answer.content for name, answer in (await bytes_of(registry, text, "small")).items()} == (
        small_network().texts[0].languages
    )
    (published,) = read_network("paderborn").texts
    (text,) = await items(registry, "/texts", "paderborn")
    assert text["version"] == published.version
    for language, answer in (await bytes_of(registry, text, "paderborn")).items():
        assert answer.content == read_text(published.languages[language])
    assert set(published.languages) == {"de", "en", "ar", "uk", "tr"}


async def test_a_published_text_cannot_be_changed(registry: Registry) -> None:
    """No method of the interface changes it, and the database refuses the application an update or a deletion."""
    (text,) = await items(registry, "/texts")
    admin = await registry.partner("admin")
    headers = {"Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        # A list can be added to: that is a new version.
        for path in ("/texts",) * (method != "POST") + (f"/texts/{text['id']}", f"/texts/{text['id']}/de"):
            answer = await registry.http.request(method, f"/api/v1{path}", headers=headers, content=b"{}")
            assert answer.status_code == 405, (method, path)
    async with registry.sql("app") as sql:
        for statement in ("update registry.text_languages set content = 'x'", "delete from registry.texts"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await sql.execute(statement)


async def test_what_is_not_in_the_network_is_not_found(registry: Registry) -> None:
    """Unknown slugs and ids, and those of another network, get the same 404."""
    north = await registry.partner("north")
    (agreement,) = await items(registry, "/agreements", "paderborn")
    (text,) = await items(registry, "/texts", "paderborn")
    own = (await items(registry, "/texts"))[0]["id"]
    said = set()
    for path in (
        *("/partners/awo-paderborn", "/partners/nobody", "/partners/NORTH", "/purposes/nothing", "/data-categories/x"),
        *(f"/agreements/{agreement['agreement_id']}", f"/agreements/{NOWHERE}", "/agreements/1"),
        *(f"/texts/{text['id']}", f"/texts/{text['id']}/de", f"/texts/{own}/fr", f"/texts/{own}/DE", "/texts/1/de"),
    ):
        answer = await north.get(path)
        assert answer.status_code == 404, path
        said.add(answer.content)
    assert len(said) == 1
