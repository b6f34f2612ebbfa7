"""Finds every verb of the command, for tests over all verbs."""

from collections.abc import Callable, Iterator
from typing import Any

from cyclopts import App

from consent_registry.__main__ import app

# Verbs whose exit code is a verdict, and on what that depends.
VERDICTS: dict[str, str] = {
    "audit bundle": "",
    "audit reconcile": "",
    "audit replay": "",
    "network": "check",
    "seal": "status",
    "verify": "",
    "verify receipt": "",
}


def every_verb(of: App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Return each verb's words and its function."""
    if of.default_command is not None:
        yield " ".join(path), of.default_command
    for name in of:
        if not name.startswith("-"):
            yield from every_verb(of[name], (*path, name))
