"""The README's curl lines, pasted into a shell beside a running demonstration."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.campaigns.server import running

README = Path(__file__).parents[1] / "README.md"

pytestmark = pytest.mark.system


def test_the_curl_lines_work_when_pasted(tmp_path: Path) -> None:
    """Pasted as they stand, they permit, record, permit, withdraw and are refused a moment later."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL))
    with running("readme") as server:
        (tmp_path / ".consent-registry").symlink_to(server.data)
        pasted = subprocess.run(
            ["bash", "-eu", "-o", "pipefail"],
            input=lines,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert pasted.returncode == 0, pasted.stderr
    assert pasted.stderr == ""
    answers = pasted.stdout.splitlines()
    assert '"partner":"awo-paderborn"' in answers[0]
    assert '"outcome":"permit"' in answers[1]
    assert [line for line in answers if line in {"permit", "no_permission"}] == ["permit", "no_permission"]
    assert "/problems/" not in pasted.stdout
