"""Retention: what is no longer needed as proof is removed, by class and the network's periods (docs/erasure.md)."""

import msgspec

from consent_registry.domain.catalogue import Network
from consent_registry.domain.errors import Conflict, Fault, Malformed
from consent_registry.domain.events.all_kinds import KINDS
from consent_registry.domain.events.catalogue import CatalogueEvent, LoggedPeriods
from consent_registry.domain.events.erasure import RetentionEvent
from consent_registry.domain.retention_rules import RetentionPeriods
from consent_registry.operations.erasure.due_steps import DueReader, DueStep
from consent_registry.operations.erasure.erasures import Eraser
from consent_registry.operations.erasure.removal_record import removal_record
from consent_registry.operations.runtime.commands import administering, new_id
from consent_registry.operations.runtime.context import NO_NETWORK, Runtime
from consent_registry.storage.consents.grants import read_clock
from consent_registry.storage.database.database import Connection, transaction
from consent_registry.storage.erasure import retention as storage
from consent_registry.storage.erasure.erasures import lock_for_erasure
from consent_registry.tlog.removals import Places

# How many uses, consents or clients one transaction removes: their list is one event, and locks are not held for long.
BATCH = 10_000
# How often a step is counted again, at most, because something changed meanwhile.
PATIENCE = 10
YEARS = range(1, 31)


class RetentionPreview(msgspec.Struct, frozen=True):
    """What is due for removal now. The periods count calendar years after the year of the end; `…_before` is the moment
    before which the end must be. `uses` are by kind, `events_of_consents` are removed with their consents, `clients`
    have no data any more, `held` are clients with a legal hold.
    """

    network: str
    use_years: int
    consent_years: int
    uses_before: str
    consents_before: str
    uses: dict[str, int]
    consents: int
    events_of_consents: int
    clients: int
    held: int


class RecordedRetention(msgspec.Struct, frozen=True):
    """A recorded step of retention: its id, its place in the log, what it removed (`step` is `uses`, `consents` or
    `clients`), and how many consents, clients and events.
    """

    retention_id: str
    log_index: int
    step: str
    consents: int
    clients: int
    events: int


async def preview_retention(eraser: Eraser, network: Network) -> RetentionPreview:
    """What is due in a network now; nothing is changed. Clients that lose their last data with it are not counted."""
    async with transaction(eraser.pool, network.network_id, ()) as connection:
        due = await (await DueReader.of(connection, network.network_id)).count()
    periods = due.periods
    return RetentionPreview(
        network=network.slug,
        use_years=periods.use_years,
        consent_years=periods.consent_years,
        uses_before=periods.uses_before.isoformat(),
        consents_before=periods.consents_before.isoformat(),
        uses={KINDS[kind]: number for kind, number in sorted(due.uses.items())},
        consents=due.consents,
        events_of_consents=due.events_of_consents,
        clients=due.clients,
        held=due.held,
    )


async def perform_retention(eraser: Eraser, network: Network, *, batch: int = BATCH) -> list[RecordedRetention]:
    """Remove everything that is due, in steps of one transaction each, with its event in the log; then drop the empty
    partitions of the events.
    """
    steps: list[RecordedRetention] = []
    crossed = 0
    while True:
        try:
            step = await _retain(eraser, network, batch)
        except Conflict:  # something changed between counting and removing: count again
            crossed += 1
            if crossed > PATIENCE:
                raise
            continue
        if step is None:
            break
        steps.append(step)
    async with transaction(eraser.pool, NO_NETWORK, ()) as connection:
        await storage.drop_empty_partitions(connection)
    return steps


async def _retain(eraser: Eraser, network: Network, batch: int) -> RecordedRetention | None:
    """Remove the data of a step; raises Conflict if they changed before its clients' exclusive locks were taken."""
    async with transaction(eraser.pool, network.network_id, ()) as connection:
        step = await (await DueReader.of(connection, network.network_id)).next_step(batch)
        if step is None:
            return None
        await lock_for_erasure(connection, network.network_id, step.locked)
        # Again, now that nobody changes them: a hold may have been placed, or something recorded, while this waited.
        if await (await DueReader.of(connection, network.network_id)).again(step) != step:
            raise Conflict("Something else is due by now.")
        return await _remove(connection, network, step)


async def _remove(connection: Connection, network: Network, step: DueStep) -> RecordedRetention:
    now = await read_clock(connection)
    retention_id = new_id(now)
    said = RetentionEvent(
        id=retention_id,
        step=step.step,
        use_years=step.periods.use_years,
        consent_years=step.periods.consent_years,
        consents=len(step.consents),
        clients=len(step.clients),
        events=len(step.places),
        indices=Places.of(step.places).spans,
    )
    record = removal_record(network, now, said)
    log_index = await storage.retain(
        connection, network.network_id, step.consents, step.clients, step.places, now, record
    )
    return RecordedRetention(
        retention_id, log_index, step.step, len(step.consents), len(step.clients), len(step.places)
    )


async def read_periods(runtime: Runtime, network: Network) -> RetentionPeriods:
    """A network's retention periods, and the moments that follow: what ended before them is due for removal now."""
    async with administering(runtime, network) as command:
        return await storage.read_periods(command.connection, network.network_id)


async def set_periods(runtime: Runtime, network: Network, use_years: int, consent_years: int) -> None:
    """Set a network's periods, in calendar years after the year of the end, and log this. Raises Malformed."""
    faults = [
        Fault(f"/{name}", f"must be between {YEARS[0]} and {YEARS[-1]}")
        for name, years in (("use_years", use_years), ("consent_years", consent_years))
        if years not in YEARS
    ]
    if faults:
        raise Malformed(" ".join(f"{fault.pointer[1:]} {fault.detail}." for fault in faults), faults=tuple(faults))
    async with administering(runtime, network, exclusive=True) as command:
        now = await command.now()
        period_id = new_id(now)
        await storage.add_periods(command.connection, network.network_id, period_id, use_years, consent_years, now)
        periods = LoggedPeriods(use_years=use_years, consent_years=consent_years)
        await command.append(CatalogueEvent(id=period_id, retention=periods))
