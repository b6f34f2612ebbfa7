"""The number of log entries of an act: constant for each kind of act, and filled up with padding (docs/silence.md).

A command writes one entry for each other client number that it changes and that its caller may not know. How many
these are would tell how many partners know the person, so entries of kind `padding` follow them up to the constant.
Entries for others and padding have no actor and name the act by the member `act`.
"""

from collections.abc import Sequence

from msgspec import UNSET

from consent_registry.domain.events.all_kinds import kind_of
from consent_registry.domain.events.event import LARGEST_GROUP, Event, EventHead
from consent_registry.domain.events.grant_changes import PaddingEvent


def with_padding(acting: Event, others: Sequence[Event], ids: Sequence[str]) -> list[Event]:
    """The events that an act writes: its own, those about other client numbers, and padding up to its constant number.

    Padding is about the client number of the act, so that it is erased and retained with it.
    """
    missing = acting.entries() - 1 - len(others)
    if missing < 0:
        raise ValueError(f"an act of kind {kind_of(type(acting))} changes more client numbers than a client can have")
    padding = [PaddingEvent(id=new_id, act=acting.id, client=acting.client) for new_id in ids[:missing]]
    return [acting, *others, *padding]


class ActEntries:
    """Checks, while a log is read, that each act has exactly as many entries as acts of its kind write.

    Entries whose events were removed are accounted for elsewhere: here their places may hold anything.
    """

    def __init__(self) -> None:
        self._act: str | None = None
        self._end = 0
        # Of acts that were removed: where the first entry that is left stands.
        self._left: dict[str, int] = {}

    def present(self, index: int, event: EventHead) -> str | None:
        """Check the entry at this index; returns the fault that it shows, or None."""
        act = event.act
        expected = self._act if index < self._end else None
        if act is UNSET:
            missing = None if expected is None else f"act {expected} has fewer entries than acts of its kind write"
            self._begins(index, event)
            return missing
        if act == expected:
            return None
        if expected is not None:
            self._end = index
            return f"act {expected} has fewer entries than acts of its kind write"
        return self._of_removed(index, act, event)

    def conclude(self, size: int) -> str | None:
        """End the check for a log of this size; returns the fault of the last act, or None."""
        return f"act {self._act} has fewer entries than acts of its kind write" if size < self._end else None

    def _begins(self, index: int, event: EventHead) -> None:
        self._act = event.id
        self._end = index + event.entries()

    def _of_removed(self, index: int, act: str, event: EventHead) -> str | None:
        """An entry whose act's own is not there before it: others' entries may outlive it, padding never does."""
        first = self._left.setdefault(act, index)
        if isinstance(event, PaddingEvent) or act == self._act or index - first >= LARGEST_GROUP:
            return f"act {act} has more entries than acts of its kind write"
        return None
