"""How many entries of the log an act writes: a constant of its kind, filled up with padding (docs/silence.md).

What an act does under client numbers that its caller may not know stands in one entry for each such number. How many
these are would tell how many partners know the person, so entries of kind `padding` follow them up to the constant.
Entries for others and padding have no actor and name the act by the member `act`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from consent_registry.domain.events import Event

# At most so many references mean one client, so an act changes at most so many client numbers.
LARGEST_GROUP = 16
# Acts that reach whatever was said yes to as well, under any number of the client.
_OF_A_GROUP = frozenset({"link", "withdrawal", "ending", "restriction", "restriction_lifting"})
# Acts that change the consent that is renewed, which is under one number.
_OF_A_RENEWAL = frozenset({"confirmation", "invalidation"})
_ACT_AND_ONE = 2


def entries_of(kind: str, members: Mapping[str, Any]) -> int:
    """How many entries an act of this kind writes, its own among them."""
    if kind in _OF_A_GROUP:
        return LARGEST_GROUP
    renews = kind == "consent" and members.get("renews") is not None
    return _ACT_AND_ONE if renews or kind in _OF_A_RENEWAL else 1


def with_padding(acting: Event, others: Sequence[Event], ids: Sequence[str]) -> list[Event]:
    """An act's entry, those for others and as much padding as fills them up; `ids` are enough for all padding.

    Padding is about the client number of the act, so that it is erased and retained with it.
    """
    missing = entries_of(acting.kind, acting.members) - 1 - len(others)
    if missing < 0:
        raise ValueError(f"an act of kind {acting.kind} changes more client numbers than one client can have")
    members = {"act": acting.event_id}
    padding = [Event("padding", one, members, acting.client_id, without_actor=True) for one in ids[:missing]]
    return [acting, *others, *padding]


class ActEntries:
    """Goes through a log once, entry by entry, and says which entries of an act are missing or too many.

    Entries whose events were removed are accounted for elsewhere: here their places may hold anything.
    """

    def __init__(self) -> None:
        self._act: str | None = None
        self._end = 0
        # Of acts that were removed: where the first entry that is left stands.
        self._left: dict[str, int] = {}

    def present(self, index: int, event: Mapping[str, Any]) -> str | None:
        """This event is there; returns what is wrong, if anything."""
        act = event.get("act")
        expected = self._act if index < self._end else None
        if act is None:
            missing = None if expected is None else f"act {expected} has fewer entries than acts of its kind write"
            self._begins(index, event)
            return missing
        if act == expected:
            return None
        if expected is not None:
            self._end = index
            return f"act {expected} has fewer entries than acts of its kind write"
        return self._of_removed(index, str(act), event)

    def conclude(self, size: int) -> str | None:
        """The log ends before this place; returns what is wrong, if anything."""
        return f"act {self._act} has fewer entries than acts of its kind write" if size < self._end else None

    def _begins(self, index: int, event: Mapping[str, Any]) -> None:
        self._act = event["id"]
        self._end = index + entries_of(event["kind"], event)

    def _of_removed(self, index: int, act: str, event: Mapping[str, Any]) -> str | None:
        """An entry whose act's own is not there before it: others' entries may outlive it, padding never does."""
        first = self._left.setdefault(act, index)
        if event["kind"] == "padding" or act == self._act or index - first >= LARGEST_GROUP:
            return f"act {act} has more entries than acts of its kind write"
        return None
