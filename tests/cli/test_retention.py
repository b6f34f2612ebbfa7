"""The operator's verbs for retention and legal holds."""

from pathlib import Path

import pytest

from tests.cli.test_command_line import run
from tests.support.installation import ISSUER, Registry
from tests.support.log_check import check_log
from tests.support.office import office


@pytest.fixture
def environment(registry: Registry, tmp_path: Path) -> dict[str, str]:
    """Return the settings of both logins."""
    dsn = registry.installation.dsn
    return {
        "CONSENT_REGISTRY_DATABASE_URL": dsn(registry.database),
        "CONSENT_REGISTRY_ERASER_DATABASE_URL": dsn(registry.database, "eraser"),
        "CONSENT_REGISTRY_ERASURE_LEDGER": str(tmp_path / "ledger"),
        "CONSENT_REGISTRY_KEYS": str(registry.installation.keys),
        "CONSENT_REGISTRY_ISSUER": ISSUER,
    }


def said(environment: dict[str, str], *words: str) -> str:
    """Run a verb that succeeds and return its output."""
    result = run(*words, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(environment: dict[str, str], *words: str) -> str:
    """Run a verb that is refused with one line, and return it."""
    result = run(*words, **environment)
    assert result.returncode == 1, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


async def test_periods_and_what_is_due(registry: Registry, environment: dict[str, str]) -> None:
    """Periods are shown and set, due data are shown with the reason, and the removal reports what it removed."""
    assert "consents: 3 calendar years" in said(environment, "retention", "periods", "small")
    assert "consents: 5 calendar years" in said(environment, "retention", "periods", "small", "--consent-years", "5")
    assert "must be between 1 and 30" in refused(environment, "retention", "periods", "small", "--use-years", "0")
    shown = said(environment, "retention", "preview", "small")
    assert "(3 calendar years)" in shown
    assert "(5 calendar years)" in shown
    assert said(environment, "retention", "perform", "small") == "nothing more is due\n"
    assert "no such network" in refused(environment, "retention", "preview", "nowhere")
    await check_log(registry)


async def test_a_hold_from_the_command_line(registry: Registry, environment: dict[str, str], tmp_path: Path) -> None:
    """A hold is placed by reference or consent, listed without a name, lifted once, and prevents an erasure."""
    north = await office(registry, "north")
    client = await north.client()
    consent = await north.consent(client)
    (tmp_path / "reference").write_text(client + "\n")
    person = ("small", "--partner", "north", "--reference-file", str(tmp_path / "reference"))
    why = ("--norm", "legal_claims", "--staff", "DPO-1")
    hold_id = said(environment, "hold", "place", *person, *why).strip()
    second = said(environment, "hold", "place", "small", "--consent", consent["consent_id"], *why).strip()
    listed = said(environment, "hold", "list", "small")
    assert all(word in listed for word in (hold_id, second, "Art. 17 Abs. 3 lit. e DSGVO", "DPO-1"))
    assert client not in listed
    assert "A legal hold prevents it" in said(environment, "erasure", "preview", *person)
    act = ("erasure", "perform", *person, "--ground", "unlawful", "--confirm", "0")
    assert "Lift it first" in refused(environment, *act)
    for hold in (hold_id, second):
        assert said(environment, "hold", "lift", "small", hold, "--staff", "DPO-2") == "lifted\n"
    assert "lifted already" in refused(environment, "hold", "lift", "small", second, "--staff", "DPO-2")
    assert "Preview again" in refused(environment, *act)
    await check_log(registry)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["place", "small", "--consent", "x", "--norm", "legal_claims", "--staff", "DPO-1"],
            "There is no such client.",
        ),
        (["place", "small", "--consent", "x", "--norm", "because", "--staff", "DPO-1"], "norm must be one of"),
        (["place", "small", "--consent", "x", "--norm", "legal_duty", "--staff", "Erika M."], "a staff reference"),
        (["place", "nowhere", "--consent", "x", "--norm", "legal_duty", "--staff", "A"], "There is no such network."),
        (["lift", "small", "x", "--staff", "DPO-1"], "There is no such hold."),
    ],
)
def test_what_cannot_be_held_is_one_line(environment: dict[str, str], words: list[str], line: str) -> None:
    """An unknown person, norm, network or hold, and a name where a code belongs, are refused in one line."""
    assert line in refused(environment, "hold", *words)
