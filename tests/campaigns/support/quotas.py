"""A network's quotas, set as its operator sets them: with the command, while the demonstration serves."""

import asyncio
import json
import shlex
import sys
from pathlib import Path

from tests.campaigns.support.server import Server


async def give_quotas(server: Server, network: str, folder: Path, **quotas: int | None) -> None:
    """Set these quotas of a network and leave the others as they are; None is no quota."""
    file = folder / "policies.json"
    policies = json.loads(await operate(server, "show", network))
    policies["quotas"] |= quotas
    file.write_text(json.dumps(policies), encoding="utf-8")
    await operate(server, "set", network, str(file), "--staff", "OPS-1")


async def operate(server: Server, *words: str) -> str:
    """Run `consent-registry policy` as the demonstration's operator; gives what it says."""
    line = shlex.join([sys.executable, "-m", "consent_registry", "policy", *words])
    process = await asyncio.create_subprocess_shell(
        f". {shlex.quote(str(server.data / 'app.env'))}; exec {line}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors
    return said.decode()
