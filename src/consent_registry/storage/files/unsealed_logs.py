"""A file beside the signed heads with the logs that a sealer could not seal and the reasons, for servers and
operators.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

NAME = "unsealed.json"


def write_unsealed(folder: Path, reasons: Mapping[str, str]) -> None:
    """Write why each of these networks' logs could not be sealed. On a full disk the old file stays."""
    draft = folder / f".{NAME}.{os.getpid()}"
    with suppress(OSError):
        draft.write_bytes(msgspec.json.encode(dict(reasons)))
        draft.replace(folder / NAME)


def read_unsealed(folder: Path | None) -> dict[str, str]:
    """Read why networks' logs could not be sealed, by network; empty if there is no such folder or file."""
    if folder is None:
        return {}
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
