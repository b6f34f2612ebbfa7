"""Unusable proxies and certificate authorities of the environment are reported in words, never as a crash."""

from pathlib import Path

import httpx
import pytest

import consent_registry
from consent_registry.operations.log.witnesses import Witnesses
from consent_registry.operations.runtime.outgoing import CannotCall, make_async_client, make_client, why_not
from consent_registry.tlog.note import COSIGNATURE, SignerKey
from consent_registry.tlog.policy import Policy
from tests.cli.forks import Forks
from tests.tlog.small_log import KEY, SmallLog

SOURCES = Path(consent_registry.__file__).parent
LOG = SmallLog.of(3)
# What an environment may hold that the library cannot use while it makes a client.
BAD: list[dict[str, str]] = [
    {"NO_PROXY": "::1/128"},
    {"no_proxy": "localhost,::1/128,10.0.0.0/8"},
    {"ALL_PROXY": "socks://127.0.0.1:1080"},
    {"ALL_PROXY": "socks5://127.0.0.1:1080"},
    {"HTTPS_PROXY": "ftp://proxy.example"},
    {"https_proxy": "http://[::1"},
    {"HTTP_PROXY": "http://proxy.example:port"},
    {"SSL_CERT_FILE": "/nowhere/ca.pem"},
    {"SSL_CERT_FILE": "/etc/passwd"},
    {"SSL_CERT_FILE": "/proc"},
]


def named(bad: dict[str, str]) -> str:
    """The id of a parametrized case."""
    return " ".join(f"{name}={value}" for name, value in bad.items())


def policy(quorum: str) -> Policy:
    """A policy with two witnesses whose addresses refuse connections."""
    lines = [f"log {KEY.verifier}"]
    for number in (1, 2):
        key = SignerKey.of_seed(f"w{number}.test", bytes([number]) * 32, COSIGNATURE)
        lines.append(f"witness W{number} {key.verifier} http://127.0.0.1:9")
    return Policy.parse("\n".join([*lines, "group G any W1 W2", f"quorum {quorum}", ""]).encode())


async def prove(_: int) -> list[bytes]:
    """An empty proof: no witness asks for one here."""
    return []


@pytest.mark.parametrize("bad", BAD, ids=named)
async def test_no_environment_stops_sealing_or_verifying(
    forks: Forks, monkeypatch: pytest.MonkeyPatch, bad: dict[str, str]
) -> None:
    """An unusable proxy or authority is refused in words that name the variable and not its value. Each witness fails
    by itself, and a quorum of none is met; `verify` ends with one line and exit code 2.
    """
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    (variable,) = bad
    for make in (make_client, make_async_client):
        with pytest.raises(CannotCall, match=variable.upper()) as raised:
            make(1.0)
        assert bad[variable] not in str(raised.value)
    note = LOG.checkpoint(3)
    async with Witnesses(policy("none"), 1.0, 0.2) as witnesses:
        collected = await witnesses.collect(note, 3, prove)
    assert collected.quorum_met
    assert set(collected.failures) == {"W1", "W2"}
    assert all(variable.upper() in reason for reason in collected.failures.values())
    ended = forks.run("verify", "http://127.0.0.1:9/log", "--vkey", KEY.verifier, environment=bad)
    assert (ended.code, ended.out, len(ended.lines)) == (2, "", 1), ended
    assert variable.upper() in ended.err


@pytest.mark.parametrize("bad", BAD, ids=named)
def test_control_the_library_alone_raises_something_else_each_time(
    monkeypatch: pytest.MonkeyPatch, bad: dict[str, str]
) -> None:
    """Control: without `outgoing`, each of these environments makes the library raise an error of its own."""
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Exception, match=r".*") as raised:
        httpx.Client()
    assert not isinstance(raised.value, CannotCall)


async def test_one_witness_whose_address_is_none_fails_alone() -> None:
    """A witness with an unusable address does not keep the other one from being asked."""
    for url in (
        "http://[::1",
        "ftp://witness.example",
        "http://a..b",
        "http://x:99999",
        "http://\u2028",
        "https://",
        "::",
    ):
        given = policy("none")
        witnesses = {
            name: witness if name == "W2" else type(witness)(witness.name, witness.key, url)
            for name, witness in given.witnesses.items()
        }
        async with Witnesses(Policy(given.logs, witnesses, given.groups, given.quorum), 1.0, 0.3) as asked:
            failures = (await asked.collect(LOG.checkpoint(3), 3, prove)).failures
        assert failures["W2"] == "cannot be reached: Connection refused", url
        assert failures["W1"], url
        assert "Error" not in failures["W1"], failures


def test_every_client_is_made_in_one_place() -> None:
    """No other module makes a client of the library."""
    makers = ("httpx.Client(", "httpx.AsyncClient(", "urlopen(", "httpx.get(", "httpx.post(", "httpx.stream(")
    found = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if any(maker in path.read_text() for maker in makers)
    }
    assert found == {"operations/runtime/outgoing.py"}


def test_no_reason_names_a_class() -> None:
    """Every error of the library is reported without its class name."""
    errors = [kind for kind in vars(httpx).values() if isinstance(kind, type) and issubclass(kind, httpx.HTTPError)]
    assert len(errors) > 15
    for kind in errors:
        error = kind.__new__(kind)
        Exception.__init__(error, "text of the library")
        assert kind.__name__ not in why_not(error)
        assert why_not(error)
