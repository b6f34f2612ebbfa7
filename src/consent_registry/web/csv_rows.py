"""Rows of CSV (RFC 4180) that no spreadsheet takes for a formula.

A cell that begins with what starts one gets an apostrophe in front. Where the semicolon separates cells, as in German
spreadsheets, a cell may be cut in two at each; so what follows one gets an apostrophe as well. A cell that begins with
an apostrophe of its own gets a second: whoever takes one away from every such place has the value again.
"""

import re
from collections.abc import Iterable

# `=`, `+`, `-`, `@` and their full-width twins begin a formula; tab and line ends may hide one.
_STARTS = re.compile(r"(?:^|(?<=;))(?=\s*['=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n])")
_TO_QUOTE = re.compile(r'[",;\r\n\t]')


def csv_row(cells: Iterable[str | int | None]) -> bytes:
    """One row, with its line end; None is an empty cell."""
    return (",".join(_cell(one) for one in cells) + "\r\n").encode()


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)  # a number of ours, never a caller's text
    safe = _STARTS.sub("'", value)
    return '"' + safe.replace('"', '""') + '"' if _TO_QUOTE.search(safe) else safe
