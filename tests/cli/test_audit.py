"""The auditor's verb: its output and its exit codes."""

import json

import pytest

from tests.cli.test_command_line import run
from tests.support.installation import Registry
from tests.support.office import office
from tests.support.small_network import question

SETTING = "CONSENT_REGISTRY_AUDITOR_DATABASE_URL"


def replay(registry: Registry, *words: str, role: str = "auditor", verb: str = "replay") -> tuple[int, str, str]:
    """Run the verb with a login; returns exit code, output and errors."""
    dsn = registry.installation.dsn(registry.database, role)
    result = run("audit", verb, *words, **{SETTING: dsn})
    return result.returncode, result.stdout, result.stderr


async def test_equal_and_then_not(registry: Registry) -> None:
    """The exit code is 0 with a line for each table while tables and log are equal, and 1 with the row after a grant
    was widened.
    """
    north = await office(registry, "north")
    consent = await north.consent(await north.client())
    code, shown, _ = replay(registry)
    assert code == 0, shown
    assert shown.count("Everything that was checked holds.") == len(registry.installation.networks)
    assert "holds  grants             1 rows agree with the log" in shown
    assert "-      references         no keys were given" in shown
    code, shown, _ = replay(registry, "--network", "small", "--keys", str(registry.installation.keys))
    assert code == 0, shown
    assert "holds  references         1 references are found by their own digests" in shown
    async with registry.sql() as sql:
        await sql.execute("set session_replication_role = replica")
        await sql.execute("update registry.grants set category_ids = '{1,2,3}' where network_id = 99")
    code, shown, _ = replay(registry, "--network", "small")
    assert code == 1
    grant = f"grants grant_id={consent['grants'][0]['grant_id']}"
    told = f'{grant}: category_ids is ["contact","health","identity"], the log implies ["contact","identity"]'
    assert told in shown
    code, shown, _ = replay(registry, "--json")
    reports = {report["network"]: report for report in json.loads(shown)}
    assert (code, set(reports)) == (1, set(registry.installation.networks))
    assert (reports["small"]["verdict"], reports["paderborn"]["verdict"]) == ("fails", "holds")
    (finding,) = [finding for check in reports["small"]["checks"] for finding in check["findings"]]
    assert (finding["code"], finding["path"]) == ("column_differs", f"{grant} category_ids")


@pytest.mark.parametrize("role", ["app", "sealer", "eraser", "migrator"])
def test_another_login_is_told_so(registry: Registry, role: str) -> None:
    """A login that cannot see all rows ends with 2 and one line, because hidden rows would seem to be missing."""
    code, shown, said = replay(registry, role=role)
    assert (code, shown, len(said.splitlines())) == (2, "", 1), said


def test_what_is_missing_is_one_line(registry: Registry) -> None:
    """A missing setting, an unknown network and an unreachable database end with 2 and one line."""
    assert replay(registry, "--network", "nowhere")[::2] == (2, "consent-registry: There is no such network.\n")
    unset = run("audit", "replay")
    assert (unset.returncode, unset.stderr) == (2, f"consent-registry: set {SETTING}\n")
    assert replay(registry, "--keys", "/nowhere")[0] == 2
    away = run("audit", "replay", **{SETTING: "postgresql://nobody@127.0.0.1:1/none"})
    assert (away.returncode, len(away.stderr.splitlines())) == (2, 1), away.stderr


async def test_what_the_officers_look_at(fresh_registry: Registry) -> None:
    """0 while there is nothing; 1 with whose finding it is, its place and its facts, and without any client; what the
    login cannot see is said not to have been asked. The same is found as by the partner's own DPO.
    """
    north = await office(fresh_registry, "north")
    client = await north.client()
    await north.consent(client)
    asked = await north.post("/decisions", question(client), 200)
    code, shown, said = replay(fresh_registry, "--network", "small", verb="reconcile")
    assert (code, said) == (0, ""), shown
    assert shown.endswith("There are no findings.\n\n")
    assert "-      link_codes_guessed" in shown
    report = {"outcome": "sent", "categories": ["identity", "debts"]}
    await north.post(f"/decisions/{asked['decision_id']}/transfers", report)
    code, shown, said = replay(fresh_registry, verb="reconcile")
    assert (code, said) == (1, "")
    facts = f"north: decision {asked['decision_id']}, entry {asked['log']['index']}, categories identity,debts"
    assert f"{facts}, surplus debts, decided_at {asked['decided_at']}" in shown
    assert client not in shown
    assert shown.count("There are no findings.") == len(fresh_registry.installation.networks) - 1
    code, shown, said = replay(fresh_registry, "--network", "small", "--days", "1", "--json", verb="reconcile")
    (only,) = json.loads(shown)
    found = [finding for check in only["checks"] for finding in check["findings"]]
    items = (await (await fresh_registry.dpo("north")).get("/findings")).json()["items"]
    assert code == 1
    assert [(finding["path"], finding["code"], finding["index"]) for finding in found] == [
        (item["finding_id"], item["kind"], item["log_index"]) for item in items
    ]


@pytest.mark.parametrize("words", [["--days", "0"], ["--days", "367"], ["--network", "nowhere"]])
def test_what_cannot_be_reconciled_is_said(registry: Registry, words: list[str]) -> None:
    """A wrong number of days, an unknown network and another login than the auditor's are refused with one line."""
    assert replay(registry, *words, verb="reconcile")[0] == 2
    assert replay(registry, verb="reconcile", role="app")[0] == 2
