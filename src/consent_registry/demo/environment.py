"""Files that a shell reads beside a running demonstration, so that the guides' lines work there as they stand.

Each holds the settings of one login, as an operator's own shell has them: `. .consent-registry/app.env`. They are
written at every start, because the database's socket may be another one, and nobody but their owner may read them.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from consent_registry.process.data_folder import write_private

Settings = Mapping[str, str]
EXAMPLE = "awo-paderborn"


def write_environments(data: Path, files: Mapping[str, Settings]) -> None:
    """Write `DATA/NAME.env` for each name, mode 0600. A variable of another file that is read first is taken away, so
    that no command has a login it does not need. `consent-registry` is in PATH afterwards.
    """
    program = shlex.quote(os.fspath(Path(sys.executable).parent))
    path = f'case ":$PATH:" in *:{program}:*) ;; *) export PATH={program}:"$PATH" ;; esac'
    known = sorted({name for settings in files.values() for name in settings})
    for file, settings in files.items():
        unset = " ".join(name for name in known if name not in settings)
        lines = [path, *([f"unset {unset}"] if unset else [])]
        lines += [f"export {name}={shlex.quote(os.fspath(value))}" for name, value in settings.items()]
        write_private(data / f"{file}.env", ("\n".join(lines) + "\n").encode())


def write_example(data: Path, base_url: str) -> None:
    """Write `DATA/example.env`, mode 0600: the address, and what the guides' examples sign in with, as the AWO in
    Paderborn and as its data-protection officer.
    """
    networks = json.loads((data / "demo.json").read_bytes())["networks"]
    (awo,) = [one for network in networks for one in network["partners"] if one["slug"] == EXAMPLE]
    logins = {
        name: f"{one['client_id']}:{one['client_secret']}" for name, one in (("LOGIN", awo), ("DPO_LOGIN", awo["dpo"]))
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in {"BASE": base_url, **logins}.items()]
    write_private(data / "example.env", ("\n".join(lines) + "\n").encode())
