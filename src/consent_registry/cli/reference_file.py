"""A partner's reference for a client, from a file or from standard input: never from an argument, which others can see.

What is read follows the rule of the wire (`domain/identifiers.py`), so that what can be no reference is refused with
the reason and never looked up. No line names what was read.
"""

import sys
from pathlib import Path

from consent_registry.domain.errors import Unusable
from consent_registry.domain.identifiers import REFERENCE_LENGTH, reference_fault

# A reference has 128 characters, each of 4 bytes at most, and its line's end.
LONGEST = 4 * REFERENCE_LENGTH + 8
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class NoReference(Unusable):
    """What was given can be no reference."""


def read_reference(path: Path | None) -> str:
    """The one line of a file, or of standard input; raises NoReference with the rule that it breaks.

    A byte order mark before it and the line's end are cut off, nothing else is.
    """
    place = "standard input" if path is None else str(path)
    if path is None:
        data = sys.stdin.buffer.read(LONGEST + 1)
    else:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    return checked_reference(_only_line(data, place), place)


def checked_reference(reference: str, place: str = "--reference") -> str:
    """The reference as it is; raises NoReference for what the wire would refuse."""
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
