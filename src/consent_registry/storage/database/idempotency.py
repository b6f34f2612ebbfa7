"""Statements for stored answers to requests with an Idempotency-Key. An answer is written in the transaction of its
command (docs/design/durability.md).
"""

from collections.abc import Sequence
from datetime import datetime

from consent_registry.storage.database.database import Connection
from consent_registry.storage.database.locks import LOCK_IDEMPOTENCY


async def try_lock_keys(connection: Connection, network_id: int, scopes: Sequence[bytes]) -> list[bool]:
    """Try to take the lock of each key, without waiting. Returns for each scope whether this transaction holds it."""
    rows = await connection.fetch(
        """
        select pg_try_advisory_xact_lock($1, key) as held
        from unnest($2::integer[]) with ordinality as wanted (key, ord) order by ord
        """,
        LOCK_IDEMPOTENCY | network_id,
        [int.from_bytes(scope[:4], "big", signed=True) for scope in scopes],
    )
    return [row["held"] for row in rows]


async def find_answers(
    connection: Connection, network_id: int, partner_ids: Sequence[int], scopes: Sequence[bytes]
) -> dict[bytes, tuple[bytes, bytes]]:
    """The stored answers by scope: the SHA-256 of the request's body, and the encrypted answer."""
    rows = await connection.fetch(
        """
        select k.scope, k.body_sha256, k.answer
        from unnest($2::integer[], $3::bytea[]) as wanted (partner_id, scope)
        join registry.idempotency_keys k
          on k.network_id = $1 and k.partner_id = wanted.partner_id and k.scope = wanted.scope
        """,
        network_id,
        partner_ids,
        scopes,
    )
    return {row["scope"]: (row["body_sha256"], row["answer"]) for row in rows}


async def add_answer(
    connection: Connection,
    network_id: int,
    partner_id: int,
    scope: bytes,
    body_sha256: bytes,
    answer: bytes,
    client_ids: Sequence[str],
    at: datetime,
) -> None:
    """Store an answer. `client_ids` are the clients it is about; the row keeps all their present client numbers, so
    that an erasure finds the answer.
    """
    await connection.execute(
        """
        insert into registry.idempotency_keys
            (network_id, partner_id, scope, body_sha256, answer, client_ids, recorded_at)
        values ($1, $2, $3, $4, $5, array(
            select w.client_id from unnest($6::uuid[]) as w (client_id)
            union
            select m.client_id
            from unnest($6::uuid[]) as w (client_id)
            join registry.current_memberships o on o.network_id = $1 and o.client_id = w.client_id
            join registry.current_memberships m on m.network_id = $1 and m.group_id = o.group_id
            order by 1), $7)
        """,
        network_id,
        partner_id,
        scope,
        body_sha256,
        answer,
        client_ids,
        at,
    )


async def delete_old_answers(connection: Connection, network_id: int) -> int:
    """Delete answers older than two days. Returns how many were deleted."""
    deleted = await connection.fetchval("select registry.forget_idempotency_keys($1)", network_id)
    return int(deleted or 0)
