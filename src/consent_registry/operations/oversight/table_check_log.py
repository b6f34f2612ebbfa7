"""The first half of the table check: reads the log in its order, and compares every leaf with its event."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from consent_registry.domain.act_entries import ActEntries
from consent_registry.domain.commitments import Committed, commit
from consent_registry.domain.events.all_kinds import NotAnEvent, read_event
from consent_registry.domain.events.clients import LinkEvent
from consent_registry.domain.events.event import EVENT_FORMAT, EventHead
from consent_registry.domain.table_check import NotComplete, TableCheck, differences, search_columns
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.leaf import LEAF_LENGTH, NONCE_LENGTH, canonical, opens
from consent_registry.tlog.merkle import leaf_hash
from consent_registry.tlog.removals import MalformedRemoval, Places, RemovalCheck
from consent_registry.tlog.report import Report
from consent_registry.tlog.tile import TILE_WIDTH


class LogReading:
    """Reads a log place by place. It holds in memory the state that the events imply, and the places without events."""

    def __init__(self, report: Report, table_check: TableCheck, network: str) -> None:
        self._report, self._table_check, self._network = report, table_check, network
        self._entries, self._events = report.check("entries"), report.check("events")
        self._removals = report.check("removals")
        self._account = RemovalCheck()
        self._acts = ActEntries()
        self._frontier = Frontier()
        self._hashes: list[bytes] = []
        self._next = self._opened = 0

    def read(self, index: int | None, row: Mapping[str, Any]) -> None:
        """Check the next place of the log; `row` has its leaf, event, nonce and search columns (slugs for numbers)."""
        if index is None or index < 0:
            self._events.find("event_misplaced", f"a leaf or event stands at {index}, which is no place")
            return
        if index < self._next:
            self._events.find("place_twice", f"there are several events at place {index}", index=index)
        elif index > self._next:
            self._entries.find("leaf_missing", f"places {self._next} to {index - 1} are not there", index=self._next)
        self._next = max(self._next, index + 1)
        if row["leaf"] is None or len(row["leaf"]) != LEAF_LENGTH:
            self._entries.find("leaf_missing", f"place {index} has no leaf", index=index)
            return
        self._add(row["leaf"])
        if row["event"] is None:
            self._account.missing(index)
        else:
            self._present(index, row)

    def conclude(self) -> None:
        """Report on the log itself, after its last place."""
        self._flush()
        self._report.size = self._next
        self._count(self._next, self._acts.conclude(self._next))
        if not self._entries.count:
            self._report.root = _base64(self._frontier.root)
        self._entries.says = f"{self._next} places without a gap"
        self._events.says = f"{self._opened} events open their leaves"
        for index in self._account.unaccounted():
            detail = f"event {index} is missing, and no erasure or retention event lists it"
            self._removals.find("event_missing", detail, index=index)
        for index in self._account.returned():
            self._removals.find("event_returned", f"event {index} is present although a removal lists it", index=index)
        self._removals.says = f"{len(self.removed)} events were erased or retained on record"
        if self._table_check.unattached:
            self._removals.says += f"; {self._table_check.unattached} changes concern what was removed with them"

    def _with_committed(self, index: int, event: EventHead, row: Mapping[str, Any]) -> EventHead:
        """The event with the values to which its bytes only commit, read from the tables: the client id, and the id of
        the code that a link redeemed.
        """
        if event.client_commitment is not UNSET:
            self._compare(index, event.client_commitment, row["nonce"], row["client_id"], "events client_id")
            event = msgspec.structs.replace(event, client=row["client_id"])
        if isinstance(event, LinkEvent) and event.link_code_commitment is not UNSET:
            # A missing row of a link is reported where the tables are compared.
            if row["link_id"] is not None:
                place = f"links link_id={event.id} link_code_id"
                self._compare(index, event.link_code_commitment, row["nonce"], row["link_code_id"], place)
            event = msgspec.structs.replace(event, link_code=row["link_code_id"])
        return event

    def _compare(self, index: int, committed: Committed, nonce: bytes, value: str | None, place: str) -> None:
        if committed.of(nonce) != commit(nonce, "", (value or "").encode()):
            detail = f"event {index}: {place} is not what the event commits to"
            self._events.find("column_differs", detail, index=index, path=place)

    def _count(self, index: int, wrong: str | None) -> None:
        if wrong is not None:
            self._events.find("entries_of_act", f"at place {index}: {wrong}", index=index)

    @property
    def removed(self) -> Places:
        """The places that erasures and retentions list."""
        return self._account.removed

    def _add(self, leaf: bytes) -> None:
        self._hashes.append(leaf_hash(leaf))
        if len(self._hashes) == TILE_WIDTH:
            self._flush()

    def _flush(self) -> None:
        self._frontier, _ = self._frontier.extend(self._hashes)
        self._hashes = []

    def _present(self, index: int, row: Mapping[str, Any]) -> None:
        if len(row["nonce"] or b"") != NONCE_LENGTH or not opens(row["leaf"], row["event"], row["nonce"]):
            self._events.find("event_not_opened", f"event {index} does not open its leaf", index=index)
            return
        self._opened += 1
        try:
            self._take(index, row)
        except (msgspec.MsgspecError, UnicodeDecodeError, MalformedRemoval, NotComplete, NotAnEvent) as error:
            self._events.find("event_malformed", f"event {index}: {error}", index=index)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._events.find("event_malformed", f"event {index}: {type(error).__name__}: {error}", index=index)

    def _take(self, index: int, row: Mapping[str, Any]) -> None:
        members = msgspec.json.decode(row["event"])
        if canonical(members) != row["event"] or (members["v"], members["network"]) != (EVENT_FORMAT, self._network):
            raise NotComplete("not of this network, of another format, or not in canonical form")
        event = self._with_committed(index, read_event(row["event"]), row)
        self._account.present(index, members)
        self._count(index, self._acts.present(index, event))
        if not self._table_check.add(event, row["nonce"]):
            self._events.untold(f"event {index} is of a kind that this program does not know: use a newer one")
        for difference in differences(search_columns(event), row):
            column, held = difference.column, difference.held
            says = f"event {index}: its column {column} is {held}, the event tells {difference.expected}"
            self._events.find("column_differs", says, index=index, path=f"events {column}")


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
