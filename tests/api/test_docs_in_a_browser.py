"""The documentation in Debian's Chromium: drawn, readable in light and dark, no wider than a telephone, tried out; and
every request that its pages make is to this host.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import Browser, Locator, Page, Response, sync_playwright

from tests.campaigns.support.server import Server, running

pytestmark = pytest.mark.system

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
# What Swagger UI draws and no style sheet can change: a button within what opens a call.
SWAGGERS_OWN = {"nested-interactive"}
TEXTS = ("/", "/guides", "/guides/verifying", "/guides/rules", "/log", "/problems", "/problems/refused")
SCHEMES = ("light", "dark")
WIDTHS = (1280, 400, 320)
DECIDE, ME = "#operations-decisions-decide", "#operations-tokens-me"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a demonstration for this module only, because its tests leave traces."""
    with running("browser") as demonstration:
        yield demonstration


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the distribution's Chromium without background requests."""
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as tool:
        found = tool.chromium.launch(executable_path="/usr/bin/chromium", args=quiet)
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Open a page of a fresh browser; at the end it has used only this host and broken no policy."""
    with browser.new_context() as context:
        made = context.new_page()
        asked, said = [], []
        made.on("request", lambda request: asked.append(urlsplit(request.url)))
        made.on("console", lambda line: said.append(line.text))
        yield made
        host = f"127.0.0.1:{server.port}"
        assert {url.netloc for url in asked if url.scheme not in {"data", "blob"}} == {host}
        assert not [line for line in said if "Content Security Policy" in line or "Refused to" in line]


def address(server: Server, path: str) -> str:
    """Return the address of a page."""
    return f"http://127.0.0.1:{server.port}{path}"


def violations(page: Page) -> dict[str, list[str]]:
    """Return the faults that axe finds on the page: rule → elements."""
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    return {violation["id"]: [str(node["target"]) for node in violation["nodes"]] for violation in found}


def scrolls_sideways(page: Page) -> bool:
    """Whether anything is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def open_call(page: Page, call: str) -> Locator:
    """Open a call of the documentation to try it."""
    found = page.locator(call)
    found.locator(".opblock-summary-control").click()
    found.locator(".try-out__btn").click()
    return found


def execute(page: Page, call: Locator) -> Response:
    """Send the call unchanged and return the shown answer."""
    path = (call.locator(".opblock-summary-path").text_content() or "").replace("\u200b", "").strip()
    with page.expect_response(lambda response: urlsplit(response.url).path == path) as answered:
        call.locator(".execute").click()
    call.locator(".live-responses-table tbody .response-col_status").wait_for()
    return answered.value


def authorize(page: Page, server: Server, slug: str) -> None:
    """Sign in as a partner of the demonstration, in the page's form."""
    partner = next(partner for partner in server.network("paderborn")["partners"] if partner["slug"] == slug)
    page.locator(".auth-wrapper .authorize").click()
    page.locator("#client_id_clientCredentials").fill(partner["client_id"])
    page.locator("#client_secret_clientCredentials").fill(partner["client_secret"])
    page.locator(".modal-ux button.authorize").first.click()
    page.locator(".modal-ux button", has_text="Logout").wait_for()
    page.locator(".modal-ux .close-modal").click()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_an_opened_call_can_be_read(page: Page, server: Server, scheme: str, width: int) -> None:
    """With its example tried and its answer there, every text has the contrast WCAG asks for and nothing is wider than
    the window. The control makes the page as it once was: our rule for code met the examples.
    """
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(address(server, "/docs"))
    execute(page, open_call(page, DECIDE))
    execute(page, open_call(page, ME))
    assert not scrolls_sideways(page)
    assert set(violations(page)) <= SWAGGERS_OWN
    page.add_style_tag(content="#description pre code { background: #eef1f5; } #description pre { min-width: 1300px; }")
    assert "color-contrast" in violations(page)
    page.add_style_tag(content="#description .swagger-ui pre { max-width: none; width: 1300px; overflow: visible; }")
    assert scrolls_sideways(page)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("path", TEXTS)
def test_our_own_pages_have_no_barrier_that_axe_finds(page: Page, server: Server, path: str, scheme: str) -> None:
    """The checker axe finds no violation of accessibility on the pages, at every width, in light and dark."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address(server, path))
        assert not scrolls_sideways(page), width
        assert violations(page) == {}, width


def test_the_examples_can_be_tried_as_they_stand(page: Page, server: Server) -> None:
    """Signed in as the partner the page names, a decision is permitted, a second time as well; and an act happens twice
    when it is sent twice, because each call has a key of its own. A key that a person wrote is kept.
    """
    page.goto(address(server, "/docs"))
    authorize(page, server, "awo-paderborn")
    decide, register = open_call(page, DECIDE), open_call(page, "#operations-clients-issue_link_code")
    keys = set()
    for _ in range(2):
        answer = execute(page, decide)
        assert (answer.status, answer.json()["outcome"]) == (200, "permit")
        keys.add(answer.request.headers["idempotency-key"])
        answer = execute(page, register)
        assert answer.status == 201
        keys.add(answer.request.headers["idempotency-key"])
    assert len(keys) == 4
    register.locator("[data-param-name='Idempotency-Key'] input").fill("my own key")
    assert execute(page, register).request.headers["idempotency-key"] == "my own key"
    register.locator("textarea").fill(json.dumps({"client": "AWO-1002"}))
    assert execute(page, register).status == 422  # the control: one key for two bodies, as it was for every call
