"""The auditor's verb: what it prints and with which code it ends."""

import json

import pytest

from tests.cli.test_command_line import run
from tests.installation import Registry
from tests.journeys.office import office

SETTING = "CONSENT_REGISTRY_AUDITOR_DATABASE_URL"


def replay(registry: Registry, *words: str, role: str = "auditor") -> tuple[int, str, str]:
    """Run it with a login; returns code, output and errors."""
    dsn = registry.installation.dsn(registry.database, role)
    result = run("audit", "replay", *words, **{SETTING: dsn})
    return result.returncode, result.stdout, result.stderr


async def test_equal_and_then_not(registry: Registry) -> None:
    """0 and a line for each table while they are equal; 1 and the row by its name once a grant was widened."""
    north = await office(registry, "north")
    consent = await north.consent(await north.client())
    code, shown, _ = replay(registry)
    assert code == 0, shown
    assert shown.count("Everything that was asked holds.") == len(registry.installation.networks)
    assert "holds  grants             1 rows are as the log tells" in shown
    async with registry.sql() as sql:
        await sql.execute("set session_replication_role = replica")
        await sql.execute("update registry.grants set category_ids = '{1,2,3}' where network_id = 99")
    code, shown, _ = replay(registry, "--network", "small")
    assert code == 1
    grant = f"grants grant_id={consent['grants'][0]['grant_id']}"
    told = f'{grant}: category_ids is ["contact","health","identity"], the log tells ["contact","identity"]'
    assert told in shown
    code, shown, _ = replay(registry, "--json")
    reports = {one["network"]: one for one in json.loads(shown)}
    assert (code, set(reports)) == (1, set(registry.installation.networks))
    assert (reports["small"]["verdict"], reports["paderborn"]["verdict"]) == ("fails", "holds")
    (finding,) = [one for check in reports["small"]["checks"] for one in check["findings"]]
    assert (finding["code"], finding["path"]) == ("column_differs", f"{grant} category_ids")


@pytest.mark.parametrize("role", ["app", "sealer", "eraser", "migrator"])
def test_another_login_is_told_so(registry: Registry, role: str) -> None:
    """To whom rows are hidden they would seem to be missing: 2, and one line."""
    code, shown, said = replay(registry, role=role)
    assert (code, shown, len(said.splitlines())) == (2, "", 1), said


def test_what_is_missing_is_one_line(registry: Registry) -> None:
    """Without the setting, for an unknown network, for a database that does not answer: 2."""
    assert replay(registry, "--network", "nowhere")[::2] == (2, "consent-registry: There is no such network.\n")
    unset = run("audit", "replay")
    assert (unset.returncode, unset.stderr) == (2, f"consent-registry: set {SETTING}\n")
    away = run("audit", "replay", **{SETTING: "postgresql://nobody@127.0.0.1:1/none"})
    assert (away.returncode, len(away.stderr.splitlines())) == (2, 1), away.stderr
