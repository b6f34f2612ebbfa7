"""The curl lines of `docs/vendors.md`, pasted into a shell beside a running demonstration."""

from pathlib import Path

import pytest

from tests.support.pasting import paste, shell_lines

PAGE = Path(__file__).parents[2] / "docs/vendors.md"

pytestmark = pytest.mark.system


def test_the_curl_lines_work_when_pasted(tmp_path: Path) -> None:
    """Pasted as they stand, they permit, record, permit, withdraw and are refused a moment later."""
    pasted = paste(shell_lines(PAGE.read_text(encoding="utf-8")), tmp_path, "vendors")
    assert pasted.returncode == 0, pasted.stderr
    assert pasted.stderr == ""
    answers = pasted.stdout.splitlines()
    assert '"partner":"awo-paderborn"' in answers[0]
    assert '"outcome":"permit"' in answers[1]
    outcomes = [line for line in answers if line in {"permit", "no_permission"}]
    assert outcomes == ["no_permission", "permit", "no_permission"]
    assert "/problems/" not in pasted.stdout
