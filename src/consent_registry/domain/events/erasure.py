"""Events about keeping and removing data: legal holds, erasures, retention."""

from collections.abc import Iterable

from consent_registry.domain.events.event import Event, SearchColumns
from consent_registry.domain.events.expected_rows import ExpectedRows, Row


class ErasureEvent(Event, frozen=True, kw_only=True, tag="erasure"):
    """A person was erased: on which ground, and from which places of the log events were removed. It has no actor: the
    list's gaps would count what others wrote.
    """

    number = 27
    retention_class = "permanent"

    actor: None = None
    ground: str
    norm: str
    indices: list[tuple[int, int]]

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the erasure, with the number of removed events."""
        events = sum(high - low + 1 for low, high in self.indices)
        yield self.row("erasures", erasure_id=self.id, events=events)


class RetentionEvent(Event, frozen=True, kw_only=True, tag="retention"):
    """Retention removed data: in which step, under which periods, how much, and from which places of the log. It has no
    actor, as erasures.
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
        """The expected row: the step of retention."""
        yield self.row("retentions", retention_id=self.id)


class HoldEvent(Event, frozen=True, kw_only=True, tag="hold"):
    """A legal hold was placed: while it is open, neither erasure nor retention removes data of the person."""

    number = 29
    retention_class = "state"

    norm: str
    placed_by: str

    def searched(self) -> SearchColumns:
        """The search columns: the person who placed the hold."""
        return SearchColumns(person=self.placed_by)

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the hold."""
        yield self.row("holds", hold_id=self.id, client_id=self.client)


class HoldLiftingEvent(Event, frozen=True, kw_only=True, tag="hold_lifting"):
    """A legal hold was lifted."""

    number = 30
    retention_class = "state"

    hold: str
    lifted_by: str

    def searched(self) -> SearchColumns:
        """The search columns: the person who lifted the hold."""
        return SearchColumns(person=self.lifted_by)

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected row: the lifting of the hold."""
        yield self.row("hold_liftings", hold_id=self.hold, client_id=self.client)
