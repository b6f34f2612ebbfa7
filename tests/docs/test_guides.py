"""Every line of README and guides that is there to be pasted works in the folder of a running demonstration: guides in
any order, in each of them blocks in any order behind the first, and all of it twice.
"""

import os
import random
import re
import subprocess
import textwrap
from pathlib import Path

import httpx
import pytest

from tests.campaigns.support.server import running, wait_until
from tests.support.pasting import run_pasted

ROOT = Path(__file__).parents[2]
# Pasted into a Debian of its own: tests/docs/test_installation_page.py, tests/docs/test_proxy_page.py.
ON_DEBIAN = {"installation.md", "proxy.md"}
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
SEED = int(os.environ.get("GUIDES_SEED", "1"))  # another order
# Kinds of blocks: `sh` is pasted here; one with a further word is run by the test that names it; `text` is a form with
# something to be filled in.
OTHERS_RUN = {"sh backup", "sh restore", "sh debian-restore", "sh containers", "sh daemon"}
SHOWN = {"text", "json", "nginx", ""}


def guides() -> dict[str, Path]:
    """README and every guide, by name."""
    return {"README.md": ROOT / "README.md"} | {path.name: path for path in sorted((ROOT / "docs").glob("*.md"))}


def blocks(path: Path) -> list[tuple[str, str]]:
    """Each fenced block of a document: its kind and its lines, without the list's indentation."""
    return [(kind, textwrap.dedent(lines)) for _, kind, lines in FENCE.findall(path.read_text(encoding="utf-8"))]


def to_paste() -> dict[str, list[str]]:
    """The blocks that are pasted here, by guide."""
    found = {name: [lines for kind, lines in blocks(path) if kind == "sh"] for name, path in guides().items()}
    return {name: lines for name, lines in found.items() if lines and name not in ON_DEBIAN}


def test_every_block_is_run_or_shown() -> None:
    """No kind of block that no test knows, and no command outside a block: it would be pasted and never run."""
    for name, path in guides().items():
        assert {kind for kind, _ in blocks(path)} <= OTHERS_RUN | SHOWN | {"sh"}, name
        outside = FENCE.sub("", path.read_text(encoding="utf-8"))
        pasted = re.findall(r"^ {4,}(?:echo .*\| *)?(?:consent-registry|curl|export|psql) .*$", outside, re.MULTILINE)
        assert pasted == [], name
    assert len(to_paste()) >= 6


def paste(folder: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """Paste lines in a folder beside the demonstration's data. The program is not in the shell's PATH: the guides say
    how it comes there.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
    return run_pasted(lines, folder, inherited | {"PATH": "/usr/local/bin:/usr/bin:/bin"})


@pytest.mark.system
def test_every_line_works_in_any_order_and_twice(tmp_path: Path) -> None:
    """In an order of chance, and each guide twice in a row."""
    with running("guides") as server:
        (tmp_path / ".consent-registry").symlink_to(server.data)
        head = f"http://127.0.0.1:{server.port}/log/paderborn/checkpoint"
        wait_until(lambda: httpx.get(head).status_code == httpx.codes.OK, 60.0, "the first checkpoint")
        chosen = random.Random(SEED)
        order = list(to_paste().items())
        chosen.shuffle(order)
        for name, (first, *others) in order:
            for _ in range(2):
                chosen.shuffle(others)
                pasted = paste(tmp_path, "\n".join([first, *others]))
                assert pasted.returncode == 0, (name, SEED, pasted.stdout[-1500:], pasted.stderr)
                assert "/problems/" not in pasted.stdout, (name, pasted.stdout)
                assert "Traceback" not in pasted.stderr, (name, pasted.stderr)
        assert (server.ready_status(), sorted(server.data.glob("*.env")) != []) == (200, True)


@pytest.mark.system
def test_a_line_that_fails_is_found(tmp_path: Path) -> None:
    """The control: without what the first block sets, and with another reference than the one registered, it fails."""
    with running("guides-control") as server:
        (tmp_path / ".consent-registry").symlink_to(server.data)
        first, *others = to_paste()["erasure.md"]
        assert paste(tmp_path, "\n".join(others)).returncode != 0
        assert paste(tmp_path, "\n".join([first, *others])).returncode == 0
        broken = [line.replace("register $PERSON\n", "") for line in others]
        assert paste(tmp_path, "\n".join([first, *broken])).returncode != 0
