"""A network's log is exported and verified by an outsider who has only the log's published key."""

from pathlib import Path

from consent_registry.cli.log_source import open_log
from consent_registry.domain.catalogue import Network
from consent_registry.operations.log.export import export_log
from consent_registry.operations.runtime.context import Runtime
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.tlog.event_bundle import BundleHead, OpenedEvent, format_bundle
from consent_registry.tlog.note import VerifierKey
from consent_registry.tlog.policy import Policy, TrustedLog
from consent_registry.tlog.report import Report, Verdict
from consent_registry.tlog.verify import VerifierInputs, verify_log
from consent_registry.tlog.verify_receipts import verify_receipt
from tests.support import sealing
from tests.support.erasing import erasing, north
from tests.support.installation import ISSUER, Partner, Registry
from tests.support.office import office
from tests.support.persons_with_history import a_life, erase
from tests.support.planted_rows import planting
from tests.support.small_network import question


async def test_a_day_is_verified(fresh_registry: Registry, tmp_path: Path) -> None:
    """Receipts, proofs, events and kept checkpoints verify, also after a person was erased; an event that was removed
    without a record is found.
    """
    registry, log = fresh_registry, tmp_path / "log"
    first, second = await office(registry, "north"), await office(registry, "south")
    gone, _ = await a_life(first, second)
    stays, _ = await a_life(first, second)
    answer = await first.post("/decisions", question(stays, receipt=True), 200)
    index = answer["log"]["index"]
    async with sealing.office(registry.installation, registry.database, tmp_path / "heads") as sealer:
        await sealer.seal()
        policy = await published_policy(first.partner)
        kept = await export(registry, log)
        before = await verify(registry, log, policy)
        assert before.verdict == Verdict.HOLDS, before

        # The recipient needs only receipt, proof and the published key, and no call to the registry.
        proof = await read(first.partner, f"proofs/{index}")
        receipt = verify_receipt(answer["receipt"], proof, policy, (stays, answer["client_salt"]))
        assert receipt.verdict == Verdict.HOLDS, receipt

        async with erasing(registry, tmp_path / "ledger") as eraser:
            erased = await erase(eraser, north(gone))
        assert erased.events > 5
        await sealer.seal()
        await export(registry, log)
    after = await verify(registry, log, policy, kept=[("before the erasure", kept)])
    assert after.verdict == Verdict.HOLDS, after
    assert f"{erased.events} were removed on record" in after.checks[-1].says
    assert verify_receipt(answer["receipt"], proof, policy).verdict == Verdict.HOLDS

    rule = f"event_id = '{answer['decision_id']}'"
    async with planting(registry, "events", rule) as superuser:
        await superuser.execute(f"delete from registry.events where {rule}")  # noqa: S608 - our own id
        lost = await verify(registry, log, policy)
    assert lost.codes() == {"event_missing"}


async def published_policy(partner: Partner) -> Policy:
    """A policy that trusts the log's published keys."""
    lines = (await read(partner, "vkeys")).decode().splitlines()
    return Policy(tuple(TrustedLog(VerifierKey.parse(line)) for line in lines))


async def read(partner: Partner, path: str) -> bytes:
    """Read a resource of the log over HTTP."""
    answer = await partner.http.get(f"/log/small/{path}", headers={"Authorization": f"Bearer {partner.token}"})
    assert answer.status_code == 200, answer.text
    return answer.content


async def export(registry: Registry, folder: Path) -> bytes:
    """Export the log to a folder, and return its checkpoint."""
    pool = await open_pool(registry.installation.dsn(registry.database), 2)
    try:
        runtime = Runtime(pool, load_keys(registry.installation.keys), ISSUER)
        network = await runtime.network("small")
        assert isinstance(network, Network)
        await export_log(runtime, network, folder)
    finally:
        await pool.close()
    return (folder / "checkpoint").read_bytes()


async def verify(registry: Registry, folder: Path, policy: Policy, **given: object) -> Report:
    """Verify the exported log with a bundle of all events in the database."""
    async with registry.sql() as sql:
        number = await sql.fetchval("select network_id from registry.networks where slug = 'small'")
        origin = await sql.fetchval("select log_origin from registry.networks where network_id = $1", number)
        size = await sql.fetchval("select count(*) from registry.leaves where network_id = $1", number)
        rows = await sql.fetch(
            "select log_index, event, nonce from registry.events where network_id = $1 order by log_index", number
        )
    lines = format_bundle(BundleHead(1, origin, size), [OpenedEvent(*row) for row in rows])
    with open_log(str(folder), None) as files:
        return verify_log(files, VerifierInputs(policy=policy, events=lines, **given))  # type: ignore[arg-type]
