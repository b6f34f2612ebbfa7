"""schemathesis reads the description and asks the registry whatever it allows and forbids, with four kinds of token:
every answer is one that is described, and what is refused is refused for a reason.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.campaigns.support.server import ROOT, Server, running

pytestmark = pytest.mark.system

# So many generated cases for each operation and phase, and so many seconds for each token: CONTRACT_SCALE=full is
# `make contract`.
FULL = os.environ.get("CONTRACT_SCALE") == "full"
EXAMPLES, SECONDS = (100, 540) if FULL else (2, 30)  # a token lives for ten minutes
PHASES = "examples,coverage,fuzzing,stateful"
CALLERS = ("partner system", "data-protection officer", "administration", "nobody")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A demonstration of this module's own, which it fills with whatever a description allows."""
    with running("contract") as demonstration:
        yield demonstration


def token(server: Server, caller: str) -> str:
    """Return an access token of a caller in Paderborn; for nobody one that is none."""
    network = server.network("paderborn")
    awo: dict[str, Any] = next(partner for partner in network["partners"] if partner["slug"] == "awo-paderborn")
    known = {"partner system": awo, "data-protection officer": awo["dpo"], "administration": network["admin"]}
    if caller not in known:
        return "garbage"
    login = (known[caller]["client_id"], known[caller]["client_secret"])
    form = {"grant_type": "client_credentials"}
    answer = httpx.post(f"http://127.0.0.1:{server.port}/oauth/token", data=form, auth=login)
    return str(answer.json()["access_token"])


def ask(server: Server, caller: str, folder: Path, *more: str) -> tuple[int, str]:
    """Let schemathesis ask as one caller; return its exit code and what it says."""
    base = f"http://127.0.0.1:{server.port}"
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{base}/openapi/openapi.json"]
    command += ["--url", base, "--header", f"Authorization: Bearer {token(server, caller)}", "--phases", PHASES]
    # hooks.py has a stricter form of the check that is left out.
    command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--max-examples", str(EXAMPLES)]
    command += ["--max-time", str(SECONDS), "--seed", "8", "--workers", "1", "--no-color", *more]
    found = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.contract.hooks"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS * 4,
    )
    return found.returncode, found.stdout + found.stderr


@pytest.mark.parametrize("caller", CALLERS)
def test_every_answer_is_as_described(server: Server, tmp_path: Path, caller: str) -> None:
    """All phases and all checks: no failure but refusals that `expected.py` lists with their reasons."""
    code, said = ask(server, caller, tmp_path)
    print(said[-3000:])  # noqa: T201 - pytest shows it with a failure, and `make contract -s` as figures
    assert code == 0, said


@pytest.mark.parametrize("defect", ["undescribed_status", "undescribed_member", "lenient", "failing"])
def test_a_registry_that_answers_otherwise_is_found(server: Server, tmp_path: Path, defect: str) -> None:
    """The control: with one answer that is not described, one refusal that is missing or one 500, it fails."""
    with server.instead(f"tests.campaigns.defects.undescribed_answers:{defect}"):
        code, said = ask(server, "partner system", tmp_path, "--include-path", "/api/v1/network", "--max-time", "5")
    server.start()
    assert code == 1, said
