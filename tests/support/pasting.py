"""Lines of a document, pasted into a shell beside a running demonstration, as its reader would."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.campaigns.support.server import Server, running


def shell_lines(document: str, name: str = "") -> str:
    """Return the lines of the document's blocks of shell lines, one after the other; with a name, in those alone that
    bear it.
    """
    return "\n".join(re.findall(rf"```sh{name and ' ' + name}\n(.*?)```", document, re.DOTALL))


def run_pasted(lines: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Paste lines into a new shell in a folder; the first that fails ends it."""
    return subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],
        input=lines,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


def paste(
    lines: str, folder: Path, name: str, wait: Callable[[Server], None] = lambda _: None
) -> subprocess.CompletedProcess[str]:
    """Start a demonstration of this name, wait for whatever the lines need, and paste them in a folder in which its
    data seem to lie.
    """
    with running(name) as server:
        (folder / ".consent-registry").symlink_to(server.data)
        wait(server)
        return run_pasted(lines, folder, os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
