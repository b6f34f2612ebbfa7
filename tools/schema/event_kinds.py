"""Writes the SQL functions that give the number of each kind of event, from the structs in `domain/events`."""

from pathlib import Path
from typing import get_args

from consent_registry.domain.events.all_kinds import EVENTS, NUMBERS
from consent_registry.domain.events.event import RetentionClass

FILE = Path("functions/for_tables/event_kinds.sql")
_TEXT = """\
-- Written by `make schema` from src/consent_registry/domain/events; a test compares. SQL names a kind of event and
-- never writes its number. Both functions are immutable, and the planner puts their values in the place of a call with
-- a name: so an index whose predicate names a kind serves a statement that names it too. A name that is none is an
-- error.

-- The number by which `events.kind` says a kind.
create or replace function registry.kind(p_name text) returns smallint
    language plpgsql immutable strict parallel safe as $$
begin
    case p_name
{kinds}
    end case;
end
$$;

-- The numbers of a class. `use` goes by age; `state` with its consent or its client, a catalogue's never; `permanent`,
-- and a kind that this release does not know, never.
create or replace function registry.kinds_of(p_class text) returns smallint[]
    language plpgsql immutable strict parallel safe as $$
begin
    case p_class
{classes}
    end case;
end
$$;
"""


def event_kinds_sql() -> str:
    """The text of the file with these functions."""
    kinds = [f"        when '{kind}' then return {number};" for kind, number in NUMBERS.items()]
    classes = []
    for name in get_args(RetentionClass):
        numbers = [event.number for event in EVENTS.values() if event.retention_class == name]
        classes.append(f"        when '{name}' then return array{numbers};")
    return _TEXT.format(kinds="\n".join(kinds), classes="\n".join(classes))
