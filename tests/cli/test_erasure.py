"""The eraser's verbs: preview, confirmation and erasure, also when the process is killed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from consent_registry.storage.files.erasure_ledger import ErasureLedger
from tests.cli.test_command_line import run
from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Desk:
    """A data-protection officer's shell: the eraser's settings, and a file with the reference in question."""

    environment: dict[str, str]
    ledger: Path
    reference_file: Path

    def erase(self, *words: str, reference: str = "", status: int = 0) -> str:
        """Run a verb of `erasure` and return its output, or the line of its refusal."""
        self.reference_file.write_text(reference + "\n")
        result = run("erasure", *words, **self.environment)
        assert result.returncode == status, result.stdout + result.stderr
        if status:
            assert len(result.stderr.splitlines()) == 1, result.stderr
        return result.stderr if status else result.stdout

    def killed(self, *words: str) -> None:
        """Run a verb that is killed after it wrote its intent to the ledger."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
        command = [sys.executable, "-m", "tests.campaigns.defects.crashing_eraser", "erasure", *words]
        result = subprocess.run(command, cwd=ROOT, env=clean | self.environment, capture_output=True, check=False)
        assert result.returncode == -signal.SIGKILL, result.stderr

    def person(self) -> tuple[str, ...]:
        """Return the options that name the person: north's reference is in the file."""
        return ("small", "--partner", "north", "--reference-file", str(self.reference_file))

    def digest(self, reference: str) -> str:
        """Return the digest of a preview."""
        shown = json.loads(self.erase("preview", *self.person(), "--json", reference=reference))
        return str(shown["digest"])


@pytest.fixture
def desk(registry: Registry, tmp_path: Path) -> Desk:
    """Make a desk with its own ledger."""
    dsn = registry.installation.dsn
    environment = {
        "CONSENT_REGISTRY_ERASER_DATABASE_URL": dsn(registry.database, "eraser"),
        "CONSENT_REGISTRY_MIGRATOR_DATABASE_URL": dsn(registry.database, "migrator"),
        "CONSENT_REGISTRY_ERASURE_LEDGER": str(tmp_path / "ledger"),
        "CONSENT_REGISTRY_KEYS": str(registry.installation.keys),
    }
    return Desk(environment, tmp_path / "ledger", tmp_path / "reference")


async def test_previewed_confirmed_and_done(registry: Registry, desk: Desk) -> None:
    """The preview reads well and shows the line to go on with; the act says where the log has it; a second finds
    nobody; nothing printed names the person.
    """
    north = await office(registry, "north")
    client = await north.client()
    await north.consent(client)
    shown = desk.erase("preview", *desk.person(), reference=client)
    assert "Partners that take part: north, south" in shown
    assert "Art. 19 DSGVO" in shown
    digest = shown.split("--confirm ")[1].strip()
    act = ("perform", *desk.person(), "--ground", "consent_withdrawn", "--confirm")
    assert "Preview again" in desk.erase(*act, "0" * 64, reference=client, status=1)
    done = desk.erase(*act, digest, reference=client)
    assert "events were removed" in done
    assert "the tables' files were rewritten" in done
    assert "There is no such client." in desk.erase(*act, digest, reference=client, status=1)
    assert client not in shown + done + desk.ledger.read_text()
    (line,) = ErasureLedger(desk.ledger).entries()
    assert (line.network, line.ground, len(line.clients)) == ("small", "consent_withdrawn", 1)
    assert desk.ledger.stat().st_mode & 0o777 == 0o600
    await check_log(registry)


async def test_killed_before_the_commit_it_is_done_at_the_next_start(registry: Registry, desk: Desk) -> None:
    """After a kill between ledger and commit the person is still stored, and replaying completes the erasure once."""
    north = await office(registry, "north")
    client = await north.client()
    await north.consent(client)
    digest = desk.digest(client)
    before = await check_log(registry)
    desk.killed("perform", *desk.person(), "--ground", "unlawful", "--confirm", digest)
    assert await check_log(registry) == before
    assert await north.outcome(client) == "permit"
    assert len(ErasureLedger(desk.ledger).entries()) == 1
    assert "erased again" in desk.erase("replay")
    assert await north.outcome(client) == "no_permission"
    assert "no erased person is in the database" in desk.erase("replay")
    await check_log(registry)


@pytest.mark.parametrize(
    ("words", "missing", "said"),
    [
        (["replay"], "CONSENT_REGISTRY_ERASER_DATABASE_URL", "set CONSENT_REGISTRY_ERASER_DATABASE_URL"),
        (["replay"], "CONSENT_REGISTRY_ERASURE_LEDGER", "set CONSENT_REGISTRY_ERASURE_LEDGER"),
        (["scrub"], "CONSENT_REGISTRY_MIGRATOR_DATABASE_URL", "set CONSENT_REGISTRY_MIGRATOR_DATABASE_URL"),
        (["preview", "small"], "", "either by --partner"),
        (["preview", "nowhere", "--consent", "x"], "", "There is no such network."),
        (["preview", "small", "--consent", "x"], "", "There is no such client."),
    ],
)
def test_what_is_missing_is_one_line(desk: Desk, words: list[str], missing: str, said: str) -> None:
    """A missing setting, an unknown network and an unknown person are each refused in one line."""
    desk.environment.pop(missing, None)
    assert said in desk.erase(*words, status=1)


def test_the_application_and_others_cannot_erase(registry: Registry, desk: Desk) -> None:
    """The database refuses the eraser's verbs with the application's, the sealer's and the auditor's login."""
    for role in ("app", "sealer", "auditor"):
        dsn = registry.installation.dsn(registry.database, role)
        desk.environment["CONSENT_REGISTRY_ERASER_DATABASE_URL"] = dsn
        assert desk.erase("preview", "small", "--consent", "x", status=1)
