"""Statements for withdrawals, and for the partners' change feeds."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from consent_registry.storage.database.database import Connection


class WithdrawalRow(msgspec.Struct, frozen=True):
    """A withdrawal under one client number: the client declared it, a partner received it, the registry recorded it. No
    time delays it. `act_id` names the row under the partner's own client number, the only row that the partner can
    read.
    """

    withdrawal_id: str
    act_id: str
    client_id: str
    partner_id: int
    channel: str
    declared_at: datetime
    received_at: datetime
    recorded_at: datetime


class ChangeRow(msgspec.Struct, frozen=True):
    """An entry of one partner's change feed. `use_ban`: the partner may not use data received under these grants."""

    partner_id: int
    change_id: str
    kind: str
    consent_id: str
    client_id: str
    grant_ids: tuple[str, ...]
    effective_from: datetime
    acknowledge_by: datetime | None
    use_ban: bool
    recorded_at: datetime


async def add_withdrawals(connection: Connection, network_id: int, rows: Iterable[WithdrawalRow]) -> None:
    """Add a withdrawal: one row for each client number."""
    await connection.executemany(
        """
        insert into registry.withdrawals
            (network_id, withdrawal_id, act_id, client_id, partner_id, channel, declared_at, received_at, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [(network_id, *msgspec.structs.astuple(row)) for row in rows],
    )


async def add_changes(connection: Connection, network_id: int, rows: Iterable[ChangeRow]) -> None:
    """Add entries to partners' change feeds."""
    await connection.executemany(
        """
        insert into registry.changes
            (network_id, partner_id, change_id, kind, consent_id, client_id, grant_ids, effective_from, acknowledge_by,
             use_ban, recorded_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        [(network_id, *msgspec.structs.astuple(row)) for row in rows],
    )
