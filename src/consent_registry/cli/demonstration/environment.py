"""Files that a shell reads beside a running demonstration, so that the guides' lines work there as they stand.

Each holds the settings of one login, as an operator's own shell has them: `. .consent-registry/app.env`. They are
written at every start, because the database's socket may be another one, and nobody but their owner may read them.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from consent_registry.cli.data_folder import write_private

Settings = Mapping[str, str]


def write_environments(data: Path, files: Mapping[str, Settings]) -> None:
    """Write `DATA/NAME.env` for each name, mode 0600. A variable of another file that is read first is taken away, so
    that no command has a login it does not need.
    """
    known = sorted({name for settings in files.values() for name in settings})
    for file, settings in files.items():
        unset = " ".join(name for name in known if name not in settings)
        lines = [f"unset {unset}"] if unset else []
        lines += [f"export {name}={shlex.quote(os.fspath(value))}" for name, value in settings.items()]
        write_private(data / f"{file}.env", ("\n".join(lines) + "\n").encode())
