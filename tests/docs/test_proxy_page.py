"""`docs/proxy.md` shows the configuration that is shipped, and its limits are the registry's own."""

import re
from pathlib import Path

from consent_registry.api.decisions import BATCH_BYTES
from consent_registry.api.tokens import FORM_LENGTH
from consent_registry.app import BODY_BYTES
from consent_registry.settings import ConnectionLimits, Settings
from consent_registry.storage.database.roles import APP_SETTINGS

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "deploy/nginx.conf").read_text()
UNITS = {"k": 1024, "m": 1024 * 1024}


def place(name: str) -> str:
    """Return what one location of the configuration says."""
    found = re.search(rf"location {re.escape(name)} \{{\n(.*?)\n    \}}", SHIPPED, re.DOTALL)
    assert found is not None, name
    return found[1]


def size(text: str) -> int:
    """Return the largest body that some lines of the configuration let pass, in bytes."""
    found = re.search(r"client_max_body_size (\d+)([km]);", text)
    assert found is not None
    return int(found[1]) * UNITS[found[2]]


def seconds(name: str) -> int:
    """Return the time that one directive gives."""
    found = re.search(rf"{name} (\d+)s;", SHIPPED)
    assert found is not None, name
    return int(found[1])


def test_the_page_shows_what_is_shipped() -> None:
    """Word for word, so that a reader who copies from the page has what the system test ran."""
    blocks = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/proxy.md").read_text(), re.DOTALL)
    assert blocks == [SHIPPED]


def test_its_bodies_are_the_registrys() -> None:
    """The same limit for each call, and memory for the largest: no body goes to a disk."""
    assert size(SHIPPED) == BODY_BYTES
    assert size(place("= /api/v1/decisions/batch")) == BATCH_BYTES
    assert size(place("= /oauth/token")) == FORM_LENGTH
    assert f"client_body_buffer_size {BATCH_BYTES // UNITS['m']}m;" in SHIPPED


def test_it_waits_longer_than_the_registry() -> None:
    """What the registry gives up the proxy still waits for; a caller has as long as at the registry itself, and a
    connection between the two is let go before the registry closes it.
    """
    ours, limits = Settings(database_url="", keys=Path(), issuer=""), ConnectionLimits()
    assert seconds("client_header_timeout") == limits.head_seconds
    assert seconds("client_body_timeout") == ours.body_seconds
    assert seconds("send_timeout") == limits.reader_seconds
    upstream = re.search(r"upstream consent_registry \{(.*?)\n\}", SHIPPED, re.DOTALL)
    assert upstream is not None
    idle = re.search(r"keepalive_timeout (\d+)s;", upstream[1])
    assert idle is not None
    assert 2 * int(idle[1]) <= limits.head_seconds
    assert seconds("proxy_read_timeout") > 3 * int(APP_SETTINGS["statement_timeout"].removesuffix("s"))
    assert "proxy_next_upstream off;" in SHIPPED


def test_hsts_is_the_registrys() -> None:
    """One policy for every answer."""
    ours = re.search(r'strict-transport-security", b"([^"]+)"', (ROOT / "src/consent_registry/app.py").read_text())
    assert ours is not None
    assert f'add_header Strict-Transport-Security "{ours[1]}" always;' in SHIPPED
