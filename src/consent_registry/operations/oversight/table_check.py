"""`audit replay`: a network's state is recomputed from its log and compared with the tables (docs/design/log.md)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from consent_registry.domain.errors import NotFound
from consent_registry.domain.events.all_kinds import read_event
from consent_registry.domain.events.decisions import TransferEvent
from consent_registry.domain.events.tables import TABLES
from consent_registry.domain.table_check import Difference, TableCheck, differences
from consent_registry.operations.oversight.table_check_encrypted_texts import check_encrypted_texts
from consent_registry.operations.oversight.table_check_log import LogReading
from consent_registry.operations.oversight.table_check_references import check_references
from consent_registry.storage.database.database import Connection
from consent_registry.storage.keys.keyring import Keys
from consent_registry.storage.oversight import table_check as storage
from consent_registry.tlog.removals import Places
from consent_registry.tlog.report import Check, Report


class NetworkReport(msgspec.Struct, frozen=True):
    """One network's report. `removed` has ranges of places (first and last) whose events were removed with a record."""

    network: str
    report: Report
    removed: Sequence[tuple[int, int]]


@asynccontextmanager
async def auditing(dsn: str) -> AsyncIterator[Connection]:
    """A connection with the auditor's login, on one snapshot for the length of a block. Raises Unusable."""
    async with storage.open_snapshot(dsn) as connection:
        yield connection


async def check_tables(
    connection: Connection, slug: str | None, keys: Keys | None = None
) -> AsyncIterator[NetworkReport]:
    """Check the tables of one network, or of all in turn; with keys the encrypted values too. Raises NotFound."""
    networks = await storage.list_networks(connection)
    if slug is not None and slug not in networks:
        raise NotFound("There is no such network.")
    for name in networks if slug is None else [slug]:
        yield await _check_network(connection, name, *networks[name], keys)


async def _check_network(
    connection: Connection, slug: str, network_id: int, origin: str, keys: Keys | None
) -> NetworkReport:
    names = await storage.enter_network(connection, network_id)
    report, table_check = Report(origin=origin), TableCheck()
    reading = LogReading(report, table_check, slug)
    async for place in storage.read_log(connection, network_id):
        reading.read(place["log_index"], names.row(place))
    reading.conclude()
    for table in TABLES:
        check = report.check(table)
        comparison = _Comparison(check, table_check, table)
        async for row in storage.read_table(connection, network_id, names, table):
            comparison.row(row)
        comparison.conclude()
    await _transfers(report.check("transfers"), connection, network_id, names)
    await check_references(report.check("references"), connection, network_id, keys)
    await check_encrypted_texts(report.check("sealed texts"), connection, network_id, keys)
    return NetworkReport(slug, report, _within(reading.removed, report.size or 0).spans)


def _within(removed: Places, size: int) -> Places:
    return Places((low, min(high, size - 1)) for low, high in removed.spans if low < size)


class _Comparison:
    """Compares one table with the rows that the log implies."""

    def __init__(self, check: Check, table_check: TableCheck, table: str) -> None:
        self._check, self._table_check, self._table = check, table_check, table
        self._equal = 0

    def row(self, row: Mapping[str, Any]) -> None:
        """Compare a row of the table."""
        keys = TABLES[self._table][0]
        place = _place(self._table, keys, [row[name] for name in keys])
        found = self._table_check.compare(self._table, row)
        if found is None:
            self._check.find("row_added", f"{place} is in the table, and no event tells of it", path=place)
        elif found:
            _report_differences(self._check, place, found)
        else:
            self._equal += 1

    def conclude(self) -> None:
        """Report the missing rows, and how many rows are as expected."""
        keys = TABLES[self._table][0]
        for key in self._table_check.missing(self._table):
            place = _place(self._table, keys, key)
            self._check.find("row_missing", f"{place} is told by the log, and is not in the table", path=place)
        self._check.says = f"{self._equal} rows agree with the log"


async def _transfers(check: Check, connection: Connection, network_id: int, names: storage.CatalogueSlugs) -> None:
    equal, before = 0, None
    async for row in storage.read_transfers(connection, network_id, names):
        again = row["transfer_id"] is not None and row["transfer_id"] == before
        before = row["transfer_id"]
        if row["event"] is None or again:
            place = _place("transfers", ("transfer_id",), [row["transfer_id"]])
            check.find("row_added", f"{place} is in the table, and no event tells of it", path=place)
            continue
        expected = _transfer_row(row["event"])
        if expected is None:
            continue  # reported where the log was read
        place = _place("transfers", ("transfer_id",), [expected["transfer_id"]])
        if row["transfer_id"] is None:
            check.find("row_missing", f"{place} is told by the log, and is not in the table", path=place)
        elif found := differences(expected, row):
            _report_differences(check, place, found)
        else:
            equal += 1
    check.says = f"{equal} rows agree with the log"


def _transfer_row(body: bytes) -> Mapping[str, Any] | None:
    """The row that a transfer's event stands for; None for any other event."""
    try:
        event = read_event(body)
        return event.transfer_row() if isinstance(event, TransferEvent) else None
    except ValueError:
        return None


def _report_differences(check: Check, place: str, found: Sequence[Difference]) -> None:
    """A finding for each column that is not as expected."""
    for difference in found:
        column, held, expected = difference.column, _shown(difference.held), _shown(difference.expected)
        says = f"{place}: {column} is {held}, the log implies {expected}"
        check.find("column_differs", says, path=f"{place} {column}")


def _place(table: str, names: Sequence[str], key: Sequence[object]) -> str:
    return " ".join([table, *(f"{name}={value}" for name, value in zip(names, key, strict=True))])


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()
