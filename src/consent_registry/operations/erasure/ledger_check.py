"""The ledger check: no client in the erasure ledger, which is outside the database, may be in the database.

A restored backup contains persons who were erased after it was made. Until they are erased again, the registry is not
ready.
"""

from collections import defaultdict
from pathlib import Path

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import Unusable
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import transaction
from consent_registry.storage.erasure.erasures import ErasureMark, erasure_ids, erasure_mark, known_clients
from consent_registry.storage.files.erasure_ledger import ErasureLedger, LedgerLine

SETTING = "CONSENT_REGISTRY_ERASURE_LEDGER"


class LedgerCheck:
    """Compares the ledger at first use, and again when the database was restarted or its recorded erasures changed."""

    def __init__(self, runtime: Runtime, path: Path | None) -> None:
        self._runtime = runtime
        self._ledger = None if path is None else ErasureLedger(path)
        self._agreed: dict[str, ErasureMark] | None = None

    async def why_not_ready(self) -> str | None:
        """None when no erased client is in the database; else what is wrong, with its cure."""
        networks = await self._runtime.networks()
        marks = {network.slug: await self._mark(network) for network in networks}
        if marks == self._agreed:
            return None
        try:
            reason = await self._compare(networks, marks)
        except Unusable as error:
            return str(error)
        self._agreed = marks if reason is None else None
        return reason

    async def _mark(self, network: Network) -> ErasureMark:
        async with transaction(self._runtime.pool, network.network_id, ()) as connection:
            return await erasure_mark(connection, network.network_id)

    async def _compare(self, networks: list[Network], marks: dict[str, ErasureMark]) -> str | None:
        if self._ledger is None:
            done = any(mark.erasures for mark in marks.values())
            return f"persons were erased, but {SETTING} does not say where the erasure ledger is" if done else None
        lines: defaultdict[str, list[LedgerLine]] = defaultdict(list)
        for line in self._ledger.entries():
            lines[line.network].append(line)
        back = 0
        for network in networks:
            of_network = lines[network.slug]
            async with transaction(self._runtime.pool, network.network_id, ()) as connection:
                if await erasure_ids(connection, network.network_id) - {line.erasure for line in of_network}:
                    return f"the erasure ledger lacks erasures of {network.slug}: does {SETTING} name the right file?"
                clients = sorted({client for line in of_network for client in line.clients})
                back += len(await known_clients(connection, network.network_id, clients))
        if back:
            return f"{back} clients that were erased are in the database again: run `consent-registry erasure replay`"
        return None
