"""The documentation is served completely from this host, and no page loads anything from another."""

import hashlib
import re
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from consent_registry.web.problems import PROBLEM_SLUGS
from tests.campaigns.support.server import ROOT
from tests.support.installation import Registry
from tests.support.small_network import question

GUIDES = {path.stem: path for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES = (
    *("/", "/docs", "/guides", "/problems"),
    *(f"/guides/{name}" for name in GUIDES),
    *(f"/problems/{slug}" for slug in PROBLEM_SLUGS),
)
STATIC = files("consent_registry.web") / "static"


class Addresses(HTMLParser):
    """Collects every address in a page, without links that a reader must click."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check every attribute that may contain an address."""
        names = {"src", "href", "action", "srcset", "formaction", "poster", "data"}
        named = {value or "" for name, value in attrs if name in names}
        self.found |= {address for address in named if tag != "a" or not address.startswith("https://")}


@pytest.mark.parametrize("path", PAGES)
async def test_pages_name_only_addresses_of_this_host(registry: Registry, path: str) -> None:
    """Everything that a page loads or links to is answered by this host or is in the page."""
    answer = await registry.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    addresses = Addresses(answer.text).found
    assert addresses
    for address in addresses:
        if not address.startswith("data:"):
            assert re.match(r"/(?!/)|#", address), address
            assert (await registry.http.get(address.partition("#")[0] or path)).status_code == 200, address
    assert "<script>" not in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_pages_may_only_what_they_need(registry: Registry, path: str) -> None:
    """Nothing is allowed by default, no page may be framed, and only /docs runs scripts, from its own files."""
    headers = (await registry.http.get(path)).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy.get("script-src") == ("'self'" if path == "/docs" else None)
    assert policy["style-src"] == ("'self' 'unsafe-inline'" if path == "/docs" else "'self'")
    assert not re.search(r"https?:|\*|unsafe-eval", headers["content-security-policy"])
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


async def test_files_of_others_are_as_they_were_taken() -> None:
    """Swagger UI's files have the recorded hashes, with their licence and notice beside them."""
    listed = dict(line.split()[::-1] for line in (STATIC / "SHA256SUMS").read_text().splitlines())
    assert {"swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"} <= set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name
    ours = {"docs.css", "docs.js", "page.css", "SHA256SUMS"}
    assert {path.name for path in STATIC.iterdir()} == set(listed) | ours


async def test_the_description_is_served_as_it_is_committed(registry: Registry) -> None:
    """The served document has the bytes of the committed file."""
    answer = await registry.http.get("/openapi/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == (ROOT / "openapi" / "consent-registry.json").read_bytes()


@pytest.mark.parametrize("path", [*PAGES, "/log", "/openapi/openapi.json", "/docs/files/swagger-ui-bundle.js"])
async def test_what_is_the_same_for_everybody_is_served_as_files_are(registry: Registry, path: str) -> None:
    """Compressed for who takes gzip and for nobody else, the same bytes either way; with an ETag of each form, and HEAD
    as GET.
    """
    plain = await registry.http.get(path, headers={"Accept-Encoding": "identity"})
    packed = await registry.http.get(path, headers={"Accept-Encoding": "br;q=1.0, gzip;q=0.8"})
    refused = await registry.http.get(path, headers={"Accept-Encoding": "gzip;q=0, *;q=0.5"})
    assert [answer.headers.get("content-encoding") for answer in (plain, packed, refused)] == [None, "gzip", None]
    assert plain.content == packed.content == refused.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert plain.headers["etag"] == refused.headers["etag"] != packed.headers["etag"]
    for answer, taken in ((plain, "identity"), (packed, "gzip")):
        assert answer.headers["vary"] == "Accept-Encoding"
        asked = {"Accept-Encoding": taken, "If-None-Match": answer.headers["etag"]}
        assert (await registry.http.get(path, headers=asked)).status_code == 304
    head = await registry.http.head(path, headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == plain.headers["etag"]


async def test_what_depends_on_its_caller_is_never_compressed(registry: Registry) -> None:
    """An answer with a secret beside the caller's own text is not compressed (BREACH)."""
    north = await registry.partner("north")
    headers = {"Authorization": f"Bearer {north.token}", "Accept-Encoding": "gzip, br, zstd"}
    long = 0
    for path in ("me", "network", "partners", "purposes", "data-categories", "agreements", "texts", "nowhere"):
        answer = await registry.http.get(f"/api/v1/{path}", headers=headers)
        assert "content-encoding" not in answer.headers, path
        long += len(answer.content) > 500
    assert long >= 2  # so long that a middleware for all answers would compress them
    for answer in (
        await registry.http.post("/api/v1/decisions", headers=headers, json=question("N-1")),
        await registry.http.post("/oauth/token", headers={"Accept-Encoding": "gzip"}, data={"grant_type": "x" * 2000}),
        await registry.http.get("/ready", headers={"Accept-Encoding": "gzip"}),
    ):
        assert "content-encoding" not in answer.headers


async def test_the_start_page_leads_everywhere(registry: Registry) -> None:
    """The start page is in English and German, and every page links to it."""
    start = (await registry.http.get("/")).text
    german = start.partition('<section lang="de">')[2]
    for place in ("/docs", "/guides", "/log", "/problems"):
        assert start.count(f'href="{place}"') >= 3, place  # the frame's, the English one, the German one
        assert f'href="{place}"' in german
        assert 'href="/"' in (await registry.http.get(place)).text


async def test_every_guide_is_there(registry: Registry) -> None:
    """Every guide is listed by title, and links between guides have existing targets."""
    listed = (await registry.http.get("/guides")).text
    for name, path in GUIDES.items():
        title = path.read_text().partition("\n")[0].removeprefix("# ")
        assert f'<a href="/guides/{name}">{title}</a>' in unescape(listed)
        drawn = (await registry.http.get(f"/guides/{name}")).text
        assert f"<h1>{title}</h1>" in unescape(drawn)
        for address in Addresses(drawn).found:
            page, _, place = address.partition("#")
            target = drawn if page == "" else (await registry.http.get(page)).text if place else ""
            assert f' id="{place}"' in target or not place, address
    assert (await registry.http.get("/guides/nothing")).status_code == 404


async def test_logs_are_listed_only_where_they_are_public(registry: Registry) -> None:
    """If logs are not public, the networks are not listed without a token."""
    shared = registry.app.state.shared
    assert not shared.log_public
    assert "small" not in (await registry.http.get("/log")).text
    shared.log_public = True
    try:
        assert 'href="/log/small/vkeys"' in (await registry.http.get("/log")).text
    finally:
        shared.log_public = False


@pytest.mark.parametrize("name", ["%00", "..%2fdocs.py", "%2e%2e%2fdocs.py", "\\..\\docs.py", "%ff", "a" * 5000])
async def test_no_file_is_found_by_a_path(registry: Registry, name: str) -> None:
    """Files are looked up by name among the known ones."""
    answer = await registry.http.get(f"/docs/files/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
