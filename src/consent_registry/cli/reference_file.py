"""Reads a partner's reference for a client from a file or standard input, because other users can see arguments.

The reference must follow the same rule as in requests (`domain/identifiers.py`). Another text is refused with the
reason and never looked up. No message contains the text.
"""

import sys
from pathlib import Path

from consent_registry.domain.errors import Unusable
from consent_registry.domain.identifiers import REFERENCE_LENGTH, reference_fault

# A reference has at most 128 characters of at most 4 bytes, and a line end.
LONGEST = 4 * REFERENCE_LENGTH + 8
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class NoReference(Unusable):
    """The given text is not a valid reference."""


def read_reference(path: Path | None) -> str:
    """Read the only line of a file, or of standard input; raises NoReference with the broken rule.

    Only a byte order mark and the line end are removed.
    """
    place = "standard input" if path is None else str(path)
    if path is None:
        data = sys.stdin.buffer.read(LONGEST + 1)
    else:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    return checked_reference(_only_line(data, place), place)


def checked_reference(reference: str, place: str = "--reference") -> str:
    """Return the reference unchanged; raises NoReference if a request with it would be refused."""
    fault = reference_fault(reference)
    if fault is not None:
        raise NoReference(f"{place} holds no reference: it {fault}")
    return reference


def _only_line(data: bytes, place: str) -> str:
    try:
        text = data.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        if len(data) <= LONGEST:
            raise NoReference(f"{place} holds no reference: it is not UTF-8") from error
        text = data.decode("utf-8", "replace").removeprefix(_BYTE_ORDER_MARK)
    line = text.removesuffix("\n").removesuffix("\r")
    if not line:
        raise NoReference(f"{place} holds no reference: it is empty")
    if "\n" in line or "\r" in line:
        raise NoReference(f"{place} holds no reference: it has more than one line")
    return line
