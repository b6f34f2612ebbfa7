"""Re-encryption of stored values with the current keys, while servers run, so that an earlier key can be dropped.

References get a new ciphertext and a new digest, texts of consents a new ciphertext. Values that are not yet bound to
their rows become so (associated_data.py). Codes and secrets are stored as digests only and cannot be re-encrypted: they
need their key until they are gone. Answers kept for an Idempotency-Key are deleted after two days.
"""

from contextlib import suppress
from uuid import UUID

import msgspec
from msgspec import UNSET

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import Unusable
from consent_registry.domain.events.keys import KeyRotationEvent
from consent_registry.operations.runtime.actors import ADMINISTRATION
from consent_registry.operations.runtime.commands import OperatorCommand, administering, new_id
from consent_registry.operations.runtime.context import NO_NETWORK, Runtime
from consent_registry.storage.database.database import Connection, transaction, widen_partners
from consent_registry.storage.keys import reencryption as storage
from consent_registry.storage.keys.associated_data import (
    associated_data_of_reference,
    associated_data_of_text,
    earlier_associated_data,
)
from consent_registry.storage.keys.key_uses import list_partner_ids
from consent_registry.storage.keys.keyring import Keys

BATCH = 500


class Reencrypted(msgspec.Struct, frozen=True):
    """How many values were re-encrypted, and how many were not: they cannot be decrypted or are stored twice."""

    moved: int = 0
    left: int = 0


class _Batch(msgspec.Struct, frozen=True):
    """One transaction's work: how many rows were read and re-encrypted, and where to go on (None at the end)."""

    read: int
    moved: int
    after: tuple[int, bytes] | UUID | None


async def reencrypt(runtime: Runtime, at_once: int = BATCH) -> Reencrypted:
    """Re-encrypt all values that are not yet under the current keys, in batches of `at_once`. The transaction of a
    batch logs it.

    It can be stopped and run again: a value under the current keys is not touched. Raises Unusable for a login other
    than the migrator's.
    """
    async with transaction(runtime.pool, NO_NETWORK, ()) as connection:
        if not await storage.may_reencrypt(connection):
            raise Unusable("this login may not change stored values: use the migrator's")
    total = Reencrypted()
    for network in await runtime.networks():
        for table in ("client_references", *storage.TABLES):
            done = await _reencrypt_table(runtime, network, table, at_once)
            total = Reencrypted(total.moved + done.moved, total.left + done.left)
    return total


async def _reencrypt_table(runtime: Runtime, network: Network, table: str, at_once: int) -> Reencrypted:
    moved = left = 0
    after: tuple[int, bytes] | UUID | None = (-1, b"") if table == "client_references" else UUID(int=0)
    while after is not None:
        async with administering(runtime, network) as command:
            connection = command.connection
            partners = await list_partner_ids(connection, network.network_id)
            await widen_partners(connection, [ADMINISTRATION, *partners])
            if isinstance(after, tuple):
                batch = await _references(connection, runtime.keys, network.network_id, after, at_once)
            else:
                batch = await _values(connection, runtime.keys, network.network_id, table, after, at_once)
            if batch.moved:
                await _log(command, runtime.keys, table, batch.moved)
        moved, left = moved + batch.moved, left + batch.read - batch.moved
        after = batch.after
    return Reencrypted(moved, left)


async def _references(
    connection: Connection, keys: Keys, network_id: int, after: tuple[int, bytes], at_once: int
) -> _Batch:
    rows = await storage.find_outdated_references(
        connection, network_id, keys.ciphertext_prefix, keys.digest_key_id, after, at_once
    )
    changes = []
    for row in rows:
        reference = _reference(keys, network_id, row)
        if reference is not None:
            digest = keys.digest("reference", network_id, row.partner_id, reference.decode())
            bound_to = associated_data_of_reference(network_id, row.partner_id, str(row.client_id), digest)
            changes.append((row, digest, keys.encrypt(reference, bound_to)))
    moved = await storage.replace_references(connection, network_id, keys.digest_key_id, changes)
    last = (rows[-1].partner_id, rows[-1].digest) if len(rows) == at_once else None
    return _Batch(len(rows), moved, last)


async def _values(connection: Connection, keys: Keys, network_id: int, table: str, after: UUID, at_once: int) -> _Batch:
    rows = await storage.find_outdated_values(connection, table, network_id, keys.ciphertext_prefix, after, at_once)
    changes = []
    for row in rows:
        column = storage.COLUMNS[table]
        bound_to = associated_data_of_text(column, network_id, row.partner_id, str(row.id))
        value = _opened(keys, row.ciphertext, bound_to, earlier_associated_data(column, network_id, row.partner_id))
        if value is not None:
            changes.append((row, keys.encrypt(value, bound_to)))
    moved = await storage.replace_values(connection, table, network_id, changes)
    return _Batch(len(rows), moved, rows[-1].id if len(rows) == at_once else None)


def _reference(keys: Keys, network_id: int, row: storage.OutdatedReference) -> bytes | None:
    """The reference of this row, or None if it cannot be decrypted. A ciphertext not bound to its row belongs to the
    row if it has the digest by which the row is found.
    """
    bound_to = associated_data_of_reference(network_id, row.partner_id, str(row.client_id), row.digest)
    opened = _opened(
        keys, row.ciphertext, bound_to, earlier_associated_data("client_references.sealed", network_id, row.partner_id)
    )
    if opened is None or keys.is_bound(row.ciphertext):
        return opened
    digest = keys.digest_with(row.digest_key, "reference", network_id, row.partner_id, opened.decode())
    return opened if digest == row.digest else None


def _opened(keys: Keys, ciphertext: bytes, present: str, earlier: str) -> bytes | None:
    """Decrypt a value bound to its row, or in the earlier form; None if no key opens it there."""
    for decrypt, bound_to in ((keys.decrypt, present), (keys.decrypt_unbound, earlier)):
        with suppress(Unusable):
            return decrypt(ciphertext, bound_to)
    return None


async def _log(command: OperatorCommand, keys: Keys, table: str, moved: int) -> None:
    event = KeyRotationEvent(
        id=new_id(await command.now()),
        step="resealed",
        table=table,
        count=moved,
        sealing_key=keys.ids("sealing")[0],
        digest_key=keys.digest_key_id if table == "client_references" else UNSET,
    )
    await command.append(event)
