"""Runs a verb, and turns its result or exception into an exit code and a line on standard error.

No verb ends the process itself; a test checks this.

| exit code | of a verb with a verdict | of any other verb |
|---|---|---|
| 0 | it holds | it is done |
| 1 | it does **not** hold | it is not done; the line says why |
| 2 | it could not be checked; the line says why | the command was not understood |
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from inspect import BoundArguments
from typing import Any, TypeVar

from cyclopts import App, CycloptsError

from consent_registry.operations.runtime.reasons import reason_of
from consent_registry.process.standard_streams import OutputFailed, give_up_output, open_streams, say
from consent_registry.settings import refuse_unknown_names

FAILED, NOT_UNDERSTOOD, INTERRUPTED = 1, 2, 130
_MARK = "_gives_a_verdict"

Verb = TypeVar("Verb", bound=Callable[..., Any])


class ExitCode(IntEnum):
    """The verdict of a verb. Its number is the exit code."""

    HOLDS = 0
    DOES_NOT_HOLD = 1
    CANNOT_BE_TOLD = 2


def gives_verdict(when: str | None = None) -> Callable[[Verb], Verb]:
    """Mark a verb whose exit code is a verdict: always, or only with its parameter `when`.

    The verb returns an ExitCode.
    """

    def mark(verb: Verb) -> Verb:
        setattr(verb, _MARK, when or "")
        return verb

    return mark


def has_verdict(verb: Callable[..., Any], arguments: Mapping[str, object] | None = None) -> bool:
    """Whether the verb's exit code is a verdict, for these arguments or, without them, for any arguments."""
    when = getattr(verb, _MARK, None)
    return when is not None and (not when or arguments is None or bool(arguments.get(when)))


def run(app: App, words: Sequence[str]) -> int:
    """Run the verb that these words name and return the exit code. An exception becomes a line on standard error."""
    open_streams()
    failing = NOT_UNDERSTOOD
    try:
        verb, bound, _ = app.parse_args(words, print_error=False, exit_on_error=False)
        failing = ExitCode.CANNOT_BE_TOLD if has_verdict(verb, bound.arguments) else FAILED
        return _call(app, verb, bound)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - nothing may end with the interpreter's own exit code, 1, and a traceback
        say(_line(error))
    give_up_output()
    return failing


def _call(app: App, verb: Callable[..., Any], bound: BoundArguments) -> int:
    if verb not in (app.help_print, app.version_print):
        refuse_unknown_names(os.environ)
    outcome = verb(*bound.args, **bound.kwargs)
    sys.stdout.flush()
    return int(outcome) if isinstance(outcome, ExitCode) else 0


def _line(error: Exception) -> str:
    if isinstance(error, OutputFailed):
        return str(error)
    if isinstance(error, CycloptsError):
        return " ".join(str(error).split())
    return reason_of(error)
