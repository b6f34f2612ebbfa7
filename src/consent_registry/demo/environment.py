"""Writes shell files with the settings of a running demonstration, so that the guides' commands work unchanged.

Each has the settings of one login, for example `. .consent-registry/app.env`. They are written at every start, because
the database's socket may change. Only their owner may read them.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from consent_registry.process.data_folder import write_private

EnvironmentSettings = Mapping[str, str]
EXAMPLE = "awo-paderborn"


def write_environments(data: Path, files: Mapping[str, EnvironmentSettings]) -> None:
    """Write `DATA/NAME.env` for each name, with mode 0600.

    Each file unsets the variables of the other files, so that no command has a login that it does not need. It also
    adds `consent-registry` to PATH.
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
    """Write `DATA/example.env`, with mode 0600: the address and the logins of the guides' examples, which are those of
    the AWO in Paderborn and of its data-protection officer.
    """
    networks = json.loads((data / "demo.json").read_bytes())["networks"]
    (awo,) = [partner for network in networks for partner in network["partners"] if partner["slug"] == EXAMPLE]
    logins = {
        name: f"{login['client_id']}:{login['client_secret']}"
        for name, login in (("LOGIN", awo), ("DPO_LOGIN", awo["dpo"]))
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in {"BASE": base_url, **logins}.items()]
    write_private(data / "example.env", ("\n".join(lines) + "\n").encode())
