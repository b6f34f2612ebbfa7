"""Rows of CSV (RFC 4180) in which a spreadsheet finds no formula.

A cell that begins like a formula gets an apostrophe in front. German spreadsheets may split a cell at a semicolon, so
text after a semicolon gets an apostrophe as well. A cell that begins with an apostrophe of its own gets a second: to
restore the values, remove one apostrophe at each of these positions.
"""

import re
from collections.abc import Iterable

# `=`, `+`, `-`, `@` and their full-width forms begin a formula; a tab or line end may hide one.
_STARTS = re.compile(r"(?:^|(?<=;))(?=\s*['=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n])")
_TO_QUOTE = re.compile(r'[",;\r\n\t]')


def csv_row(cells: Iterable[str | int | None]) -> bytes:
    """One row with its line end; None is an empty cell."""
    return (",".join(_cell(cell) for cell in cells) + "\r\n").encode()


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)  # a number from the registry, never text from a caller
    safe = _STARTS.sub("'", value)
    return '"' + safe.replace('"', '""') + '"' if _TO_QUOTE.search(safe) else safe
