"""Which logs a sealer could not seal, and why: a small file beside its signed heads, for who serves and who looks."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

NAME = "unsealed.json"


def write_unsealed(folder: Path, reasons: Mapping[str, str]) -> None:
    """Put the reasons, by network, where `read_unsealed` finds them; on a full disk they stay as they were."""
    draft = folder / f".{NAME}.{os.getpid()}"
    with suppress(OSError):
        draft.write_bytes(msgspec.json.encode(dict(reasons)))
        draft.replace(folder / NAME)


def read_unsealed(folder: Path | None) -> dict[str, str]:
    """The reasons by network; none where there is no such folder on this machine, or nothing can be read."""
    if folder is None:
        return {}
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
