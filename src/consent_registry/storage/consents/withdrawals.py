"""Statements for withdrawals, and for the partners' change feeds."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg
import msgspec

from consent_registry.domain.withdrawals import (
    Coverage,
    CoveredFlows,
    EveryFlow,
    FlowsOfPartner,
    NamedAlone,
    RecordedWithdrawal,
)
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
    coverage: Coverage


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
            (network_id, withdrawal_id, act_id, client_id, partner_id, channel, declared_at, received_at, recorded_at,
             covers, covered_flows, category_ids)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12)
        """,
        [(network_id, *msgspec.structs.astuple(row)[:-1], *_columns(row.coverage)) for row in rows],
    )


def _columns(coverage: Coverage) -> tuple[str, str | None, list[int] | None]:
    """The columns `covers`, `covered_flows` and `category_ids`."""
    flows, category_ids = None, None
    match coverage:
        case CoveredFlows(covered):
            said = [[*flow, sorted(chosen)] for flow, chosen in sorted(covered.items())]
            flows = msgspec.json.encode(said).decode()
        case FlowsOfPartner(_, chosen):
            category_ids = None if chosen is None else sorted(chosen)
        case EveryFlow() | NamedAlone():
            pass
    return str(coverage.__struct_config__.tag), flows, category_ids


async def find_withdrawals(
    connection: Connection, network_id: int, client_ids: Sequence[str]
) -> list[RecordedWithdrawal]:
    """What was withdrawn of these clients, by any partner of the network, each act once: a paper
    that is recorded later is compared with it. Withdrawals that cover nothing but what they named are left out.
    """
    rows = await connection.fetch(
        "select * from registry.withdrawals_of_clients($1, $2::uuid[])", network_id, client_ids
    )
    return [RecordedWithdrawal(str(row["act_id"]), row["received_at"], _coverage(row)) for row in rows]


def _coverage(row: asyncpg.Record) -> Coverage:
    if row["covers"] == "everything":
        return EveryFlow()
    if row["covers"] == "partner":
        category_ids = row["category_ids"]
        return FlowsOfPartner(row["partner_id"], None if category_ids is None else frozenset(category_ids))
    flows = msgspec.json.decode(row["covered_flows"], type=list[tuple[int, int, int, frozenset[int]]])
    return CoveredFlows({(sender, recipient, purpose): chosen for sender, recipient, purpose, chosen in flows})


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
