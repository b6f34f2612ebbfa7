"""What is kept and what goes, as the log says it: legal holds, erasures, retention."""

from collections.abc import Iterable

from consent_registry.domain.events.event import Event, SearchColumns
from consent_registry.domain.events.expected_rows import ExpectedRows, Row


class ErasureEvent(Event, frozen=True, kw_only=True, tag="erasure"):
    """A person was erased: on which ground, and which places of the log were emptied. It has no actor: the list's gaps
    would count what others wrote.
    """

    number = 27
    retention_class = "permanent"

    actor: None = None
    ground: str
    norm: str
    indices: list[tuple[int, int]]

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The erasure, with how many events went."""
        events = sum(high - low + 1 for low, high in self.indices)
        yield self.row("erasures", erasure_id=self.id, events=events)


class RetentionEvent(Event, frozen=True, kw_only=True, tag="retention"):
    """What was no longer needed as proof went: in which step, under which periods, how much, and which places of the
    log were emptied. It has no actor, as erasures.
    """

    number = 28
    retention_class = "permanent"

    actor: None = None
    step: str
    use_years: int
    consent_years: int
    consents: int
    clients: int
    events: int
    indices: list[tuple[int, int]]

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The step."""
        yield self.row("retentions", retention_id=self.id)


class HoldEvent(Event, frozen=True, kw_only=True, tag="hold"):
    """A legal hold was placed: nothing of the person is erased or let go while it is open."""

    number = 29
    retention_class = "state"

    norm: str
    placed_by: str

    def searched(self) -> SearchColumns:
        """Who placed it."""
        return SearchColumns(person=self.placed_by)

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The hold."""
        yield self.row("holds", hold_id=self.id, client_id=self.client)


class HoldLiftingEvent(Event, frozen=True, kw_only=True, tag="hold_lifting"):
    """A legal hold was lifted."""

    number = 30
    retention_class = "state"

    hold: str
    lifted_by: str

    def searched(self) -> SearchColumns:
        """Who lifted it."""
        return SearchColumns(person=self.lifted_by)

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The lifting."""
        yield self.row("hold_liftings", hold_id=self.hold, client_id=self.client)
