"""Other values of a column, as SQL: what somebody would put there instead."""

import random
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

_UNITS = ("microseconds", "seconds", "hours", "days", "years")


def literal(value: object, kind: str) -> str:
    """Write a value of a column as SQL."""
    if value is None:
        return f"null::{kind}"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, list):
        return "array[" + ",".join(literal(item, kind.removesuffix("[]")) for item in value) + f"]::{kind}"
    written = str(value).replace("'", "''")
    return f"'{written}'::{kind}"


def others(rng: random.Random, column: str, kind: str, value: object, elsewhere: Sequence[object]) -> Iterator[str]:
    """Give expressions for other values, some made up, some of other rows; one may happen to be the value it was."""
    yield from _made_up(rng, column, kind, value)
    if value is not None:
        yield f"null::{kind}"
    strangers = [stranger for stranger in elsewhere if stranger != value]
    yield from (literal(stranger, kind) for stranger in rng.sample(strangers, min(2, len(strangers))))


def _made_up(rng: random.Random, column: str, kind: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - a column's
    if value is None:
        yield _FROM_NOTHING.get(kind, f"'1'::{kind}")
        return
    match kind:
        case "timestamp with time zone":
            for unit in _UNITS:
                yield f"{column} {rng.choice('+-')} interval '{rng.randint(1, 9)} {unit}'"
            yield f"'{rng.choice(('', '-'))}infinity'::timestamptz"
        case "text":
            yield f"{column} || '{rng.choice('abcxyz ')}'"
            yield f"left({column}, -1)"
            yield f"upper({column})"
            yield "''"
        case "integer" | "smallint" | "bigint" | "date":
            yield f"({column} + {rng.randint(1, 3)})::{kind}"
            yield f"({column} - {rng.randint(1, 3)})::{kind}"
            yield f"{rng.randint(100, 30000)}::{kind}" if kind != "date" else "current_date + 7"
        case "uuid":
            yield literal(uuid.UUID(int=rng.getrandbits(128)), kind)
        case "boolean":
            yield f"not {column}"
        case "bytea":
            yield from _bytes(rng, column, value)
        case "jsonb":
            yield f"""{column} || '{{"minors": {rng.choice(("true", "false"))}}}'"""
            yield """'{"interpreter_required": true}'::jsonb"""
        case _:
            yield from _lists(rng, column, kind, value)


_FROM_NOTHING = {
    "timestamp with time zone": "now()",
    "date": "current_date",
    "uuid": "gen_random_uuid()",
    "boolean": "true",
    "bytea": "'\\x00'::bytea",
    "jsonb": "'{}'::jsonb",
    **{f"{kind}[]": f"'{{}}'::{kind}[]" for kind in ("integer", "smallint", "text", "uuid")},
}


def _bytes(rng: random.Random, column: str, value: bytes) -> Iterator[str]:
    if value:
        for _ in range(3):
            at = rng.randrange(len(value))
            yield f"set_byte({column}, {at}, get_byte({column}, {at}) # {1 << rng.randrange(8)})"
        yield f"substr({column}, 1, {rng.randrange(len(value))})"
    yield f"{column} || '\\x{rng.randrange(256):02x}'::bytea"


def _lists(rng: random.Random, column: str, kind: str, value: list[object]) -> Iterator[str]:
    element = kind.removesuffix("[]")
    more = {"text": "'x'", "uuid": f"'{uuid.UUID(int=rng.getrandbits(128))}'"}.get(element, str(rng.randint(1, 99)))
    yield f"{column} || {more}::{element}"
    if value:
        yield f"{column} || {column}[1]"
        yield f"{column}[2:]"
        yield f"'{{}}'::{kind}"
