"""The auditor's bundle around an erasure: `verify` never reports events that were removed with a record."""

from pathlib import Path

from consent_registry.domain.erasures import GROUNDS
from consent_registry.operations.erasure.erasures import perform_erasure, preview_erasure
from consent_registry.operations.log.export import export_log
from tests.cli.test_command_line import run
from tests.support.erasing import administering, erasing, north, small
from tests.support.installation import Registry
from tests.support.office import office
from tests.support.sealing import office as sealing_office

AUDITOR = "CONSENT_REGISTRY_AUDITOR_DATABASE_URL"


async def test_a_removal_must_be_signed_before_a_whole_bundle_is_made(fresh_registry: Registry, tmp_path: Path) -> None:
    """While the event of an erasure is beyond the checkpoint, a bundle is refused in one line: `verify` would report
    the missing events as tampering. Once that event is under a checkpoint, the bundle verifies.
    """
    ours = await office(fresh_registry, "north")
    client = await ours.client()
    await ours.consent(client)
    file, folder = tmp_path / "events.jsonl", tmp_path / "log"
    auditor = {AUDITOR: fresh_registry.installation.dsn(fresh_registry.database, "auditor")}
    async with sealing_office(fresh_registry.installation, fresh_registry.database, tmp_path / "heads") as sealer:
        await sealer.seal()
        async with erasing(fresh_registry, tmp_path / "ledger") as eraser:
            network = await small(eraser)
            preview = await preview_erasure(eraser, network, north(client))
            await perform_erasure(eraser, network, north(client), ground=next(iter(GROUNDS)), confirmed=preview.digest)
        said = run("audit", "bundle", "small", str(file), **auditor)
        assert (said.returncode, len(said.stderr.splitlines())) == (2, 1), (said.stdout, said.stderr)
        assert "removed" in said.stderr
        assert not file.exists()
        await sealer.seal()
    async with administering(fresh_registry) as (runtime, known):
        await export_log(runtime, known, folder)
        vkey = runtime.keys.log_vkey(known.log_origin)
    said = run("audit", "bundle", "small", str(file), **auditor)
    assert (said.returncode, said.stderr) == (0, "")
    verified = run("verify", str(folder), "--vkey", vkey, "--events", str(file))
    assert verified.returncode == 0, verified.stdout
    assert "were removed on record" in verified.stdout
