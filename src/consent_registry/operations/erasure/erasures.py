"""Erasing a person (Art. 17 DSGVO): a preview, then one transaction that also records the erasure in the log.

The eraser has a login of its own, which can call only the database functions used in `storage/erasure/erasures.py`.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from consent_registry.domain.catalogue import Network
from consent_registry.domain.erasures import ALWAYS_KEPT, GROUNDS, HOLD_NORMS, KeptData
from consent_registry.domain.errors import Conflict, Fault, Malformed, NotFound, OutcomeUnknown, Refused, RegistryError
from consent_registry.domain.events.all_kinds import KINDS, read_event
from consent_registry.domain.events.erasure import ErasureEvent
from consent_registry.domain.identifiers import is_uuid
from consent_registry.domain.instants import format_instant
from consent_registry.domain.retention_rules import proof_periods
from consent_registry.operations.erasure.removal_record import removal_record
from consent_registry.operations.runtime.commands import new_id
from consent_registry.operations.runtime.context import NO_NETWORK
from consent_registry.storage.consents.grants import read_clock
from consent_registry.storage.database.database import Connection, Pool, transaction
from consent_registry.storage.erasure import erasures as storage
from consent_registry.storage.erasure.retention import read_client_records, read_periods
from consent_registry.storage.files.erasure_ledger import ErasureLedger
from consent_registry.storage.keys.associated_data import associated_data_of_reference
from consent_registry.storage.keys.keyring import Keys
from consent_registry.tlog.leaf import canonical
from consent_registry.tlog.removals import Places

# Tables that grow with every use. New rows in them, while a DPO reads the preview, do not change its digest.
_USE_TABLES = frozenset({"transfers", "idempotency_keys"})


class Eraser:
    """What the erasing operations need: connections of the eraser's role, the keys, and the erasure ledger."""

    def __init__(self, pool: Pool, keys: Keys, ledger: ErasureLedger) -> None:
        self.pool = pool
        self.keys = keys
        self.ledger = ledger


class ByReference(msgspec.Struct, frozen=True):
    """A person by the reference of one partner (slug)."""

    partner: str
    reference: str


class ByConsent(msgspec.Struct, frozen=True):
    """The person who gave a consent."""

    consent_id: str


class ByLedger(msgspec.Struct, frozen=True):
    """A person by the client ids in the erasure ledger, without clients that were linked with them since."""

    client_ids: tuple[str, ...]


Target = ByReference | ByConsent | ByLedger


class ErasurePreview(msgspec.Struct, frozen=True):
    """What an erasure would remove and keep. The erasure must confirm the `digest`. `rows` are counted by table,
    `events` by kind; `questions` are decisions about the person's references before they were registered. `held` has
    the norms of open legal holds. `proofs` counts consents still kept as proof, the last of them until `proofs_until`.
    """

    network: str
    digest: str
    clients: int
    rows: dict[str, int]
    events: dict[str, int]
    questions: int
    partners: list[str]
    held: list[str]
    proofs: int
    proofs_until: str | None
    stays: tuple[KeptData, ...]


class RecordedErasure(msgspec.Struct, frozen=True):
    """A recorded erasure: its id, its place in the log, how many events were removed, and from which partitions."""

    erasure_id: str
    network: str
    log_index: int
    events: int
    partitions: list[str]


class _Person(msgspec.Struct, frozen=True):
    """A person that was found: its client ids, the survey of their rows, and the places of questions about them."""

    client_ids: tuple[str, ...]
    survey: storage.Survey
    questions: tuple[int, ...]


async def find_network(eraser: Eraser, slug: str) -> Network:
    """The network with this slug; raises NotFound."""
    async with transaction(eraser.pool, NO_NETWORK, ()) as connection:
        network = await storage.find_network(connection, slug)
    if network is None:
        raise NotFound("There is no such network.")
    return network


async def preview_erasure(eraser: Eraser, network: Network, target: Target) -> ErasurePreview:
    """What erasing this person would remove and keep; nothing is changed.

    Raises the same NotFound for an unknown reference, partner and consent.
    """
    async with transaction(eraser.pool, network.network_id, ()) as connection:
        person = await _find(eraser, connection, network, target)
        periods = await read_periods(connection, network.network_id)
        records = await read_client_records(connection, network.network_id, person.client_ids)
    proofs, until = proof_periods(records, periods)
    survey = person.survey
    return ErasurePreview(
        network=network.slug,
        digest=_digest(network, person),
        clients=len(person.client_ids),
        rows={table: number for table, number in sorted(survey.tables.items()) if number},
        events={KINDS.get(int(kind), f"kind {kind}"): number for kind, number in sorted(survey.events.items())},
        questions=len(person.questions),
        partners=survey.partners,
        held=[HOLD_NORMS.get(hold["norm"], hold["norm"]) for hold in survey.holds],
        proofs=proofs,
        proofs_until=None if until is None else format_instant(until),
        stays=ALWAYS_KEPT,
    )


async def perform_erasure(
    eraser: Eraser, network: Network, target: Target, *, ground: str, confirmed: str | None
) -> RecordedErasure:
    """Erase this person; durable, logged and in the ledger when this returns.

    `confirmed` is the digest of the preview, None only when the ledger's erasures are repeated. Raises NotFound for an
    unknown or erased person, Refused while a legal hold is open, Conflict when the person's data changed since the
    preview.
    """
    if ground not in GROUNDS:
        raise Malformed(faults=(Fault("/ground", f"must be one of {', '.join(GROUNDS)}"),))
    intended = ""
    try:
        async with transaction(eraser.pool, network.network_id, ()) as connection:
            person = await _find(eraser, connection, network, target, exclusive=True)
            _require_erasable(network, person, confirmed)
            now = await read_clock(connection)
            at = format_instant(now)
            erasure_id = new_id(now)
            erased = await _erase(connection, network, person, ground, now, erasure_id)
            # The last step before the commit: from here on the person counts as erased, even if the process dies.
            eraser.ledger.intend(erasure_id, at, network.slug, person.client_ids, ground)
            intended = erasure_id
    except OutcomeUnknown:
        raise  # the ledger keeps the intent: if the commit failed, the erasure is repeated at the next start
    except RegistryError:
        if intended:
            eraser.ledger.settle(intended, "abandoned", at)
        raise
    eraser.ledger.settle(erasure_id, "done", at)
    return erased


async def outstanding_erasures(eraser: Eraser) -> list[tuple[Network, ByLedger, str]]:
    """The erasures in the ledger whose clients are in the database, each with its ground: a backup was restored, or
    the process died before the commit.
    """
    found = []
    for line in eraser.ledger.entries():
        async with transaction(eraser.pool, NO_NETWORK, ()) as connection:
            network = await storage.find_network(connection, line.network)
        if network is None:
            continue  # a backup from before this network was set up has none of its clients
        async with transaction(eraser.pool, network.network_id, ()) as connection:
            known = await storage.known_clients(connection, network.network_id, line.clients)
        if known:
            found.append((network, ByLedger(tuple(known)), line.ground))
    return found


async def repeat_erasures(eraser: Eraser) -> list[RecordedErasure]:
    """Repeat the ledger's erasures whose clients are in the database. Raises Refused while a legal hold is open."""
    erased = []
    for network, target, ground in await outstanding_erasures(eraser):
        try:
            erased.append(await perform_erasure(eraser, network, target, ground=ground, confirmed=None))
        except NotFound:  # another process has repeated it
            continue
    return erased


async def _find(
    eraser: Eraser, connection: Connection, network: Network, target: Target, *, exclusive: bool = False
) -> _Person:
    """Find a person. `exclusive` locks its clients until the transaction ends, so that its data cannot change."""
    network_id = network.network_id
    client_ids = await _client_ids(eraser, connection, network, target)
    if exclusive:
        await storage.lock_for_erasure(connection, network_id, client_ids)
        if await _client_ids(eraser, connection, network, target) != client_ids:
            raise Conflict("This person's clients were linked or unlinked just now. Preview again.")
    survey = await storage.survey_clients(connection, network_id, client_ids)
    return _Person(client_ids, survey, await _questions(eraser, connection, network, client_ids))


async def _client_ids(eraser: Eraser, connection: Connection, network: Network, target: Target) -> tuple[str, ...]:
    network_id = network.network_id
    if isinstance(target, ByLedger):
        known = await storage.known_clients(connection, network_id, target.client_ids)
    else:
        client_id = await _client_id(eraser, connection, network_id, target)
        known = [] if client_id is None else await storage.clients_of_person(connection, network_id, client_id)
    if not known:
        raise NotFound("There is no such client.")
    return tuple(sorted(known))


async def _client_id(
    eraser: Eraser, connection: Connection, network_id: int, target: ByReference | ByConsent
) -> str | None:
    if isinstance(target, ByConsent):
        if not is_uuid(target.consent_id):
            return None
        return await storage.find_client_of_consent(connection, network_id, target.consent_id)
    number = await storage.partner_number(connection, network_id, target.partner)
    digests = eraser.keys.digests("reference", network_id, -1 if number is None else number, target.reference)
    return await storage.find_client(connection, network_id, target.partner, digests)


async def _questions(
    eraser: Eraser, connection: Connection, network: Network, client_ids: Sequence[str]
) -> tuple[int, ...]:
    """The places of decisions about this person's references before they were registered. They name no client, but who
    knows the reference can recognise it in their commitment.
    """
    found: list[int] = []
    for stored in await storage.references_of(connection, network.network_id, client_ids):
        bound_to = associated_data_of_reference(
            network.network_id, stored.partner_id, str(stored.client_id), stored.digest
        )
        reference = eraser.keys.decrypt(stored.ciphertext, bound_to).decode()
        asked = storage.unknown_client_questions(connection, network.network_id, stored.partner_id, stored.before or 0)
        found += [
            question.log_index
            async for question in asked
            if read_event(question.event).is_about(question.nonce, reference)
        ]
    return tuple(sorted(set(found)))


def _digest(network: Network, person: _Person) -> str:
    """SHA-256 (hex) over whose data is erased and all of its state, to be confirmed by the erasure. Uses are left out:
    those added after the preview are erased too, or a partner that keeps asking could prevent an erasure.
    """
    said = {
        "network": network.slug,
        "clients": person.client_ids,
        "rows": {table: number for table, number in person.survey.tables.items() if table not in _USE_TABLES},
        "state": person.survey.state,
    }
    return hashlib.sha256(canonical(said)).hexdigest()


def _require_erasable(network: Network, person: _Person, confirmed: str | None) -> None:
    if person.survey.holds:
        faults = tuple(
            Fault("", "A legal hold is open.", "legal_hold", HOLD_NORMS.get(hold["norm"], hold["norm"]))
            for hold in person.survey.holds
        )
        raise Refused("A legal hold stands against this erasure. Lift it first.", faults=faults)
    if confirmed is not None and confirmed != _digest(network, person):
        raise Conflict("There is something else to erase than the preview showed. Preview again.")


async def _erase(
    connection: Connection, network: Network, person: _Person, ground: str, now: datetime, erasure_id: str
) -> RecordedErasure:
    places = Places([*person.survey.indices, *((index, index) for index in person.questions)])
    event = ErasureEvent(id=erasure_id, ground=ground, norm=GROUNDS[ground], indices=places.spans)
    record = removal_record(network, now, event)
    log_index, partitions = await storage.erase_clients(
        connection, network.network_id, person.client_ids, person.questions, ground, now, record
    )
    return RecordedErasure(erasure_id, network.slug, log_index, len(places), partitions)
