"""What the operator's verbs say of a tampered register, run as they are run."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.campaigns.tampering.harness import Finding
from tests.campaigns.tampering.log import Bench
from tests.campaigns.tampering.register import Estate
from tests.cli.test_command_line import run


def replay_findings(register: Estate, slug: str) -> list[Finding]:
    """Return what `audit replay` finds in a network; its exit code says the same."""
    dsn = register.installation.dsn(register.database, "auditor")
    result = run("audit", "replay", "--network", slug, "--json", CONSENT_REGISTRY_AUDITOR_DATABASE_URL=dsn)
    if "no such network" in result.stderr:
        return [("no_such_network", "networks")]
    (report,) = json.loads(result.stdout)
    found = _findings(report)
    assert result.returncode == bool(found), result.stderr
    return found


def verify_findings(at: Bench, files: Mapping[str, bytes | None]) -> list[Finding]:
    """Return what `verify` finds in these files, with all that the DPO has."""
    place = at.register.folder / f"verified-{secrets.token_hex(4)}"
    for path, data in files.items():
        if data is not None:
            _write(place / "log" / path, data)
    _write(place / "policy", at.auditor.policy.format())
    words = [str(place / "log"), "--policy", str(place / "policy"), "--json"]
    for word, kept in (("--kept", at.auditor.kept), ("--receipt", at.auditor.receipts)):
        for name, data in kept:
            _write(place / name, data)
            words += [word, str(place / name)]
    _write(place / "events.jsonl", b"".join(at.auditor.events or ()))
    result = run("verify", *words, "--events", str(place / "events.jsonl"))
    report = json.loads(result.stdout)
    # What she kept is called by its file there, and by its name in the campaign.
    found = [(code, where.removeprefix(f"{place}/")) for code, where in _findings(report)]
    assert result.returncode == bool(found), result.stderr
    return found


def _findings(report: Mapping[str, Any]) -> list[Finding]:
    return [
        (finding["code"], finding.get("path") or check["name"])
        for check in report["checks"]
        for finding in check["findings"]
    ]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
