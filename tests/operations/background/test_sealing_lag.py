"""Servers warn when the sealer has stopped, and stay ready."""

from pathlib import Path

from consent_registry.operations.background.sealing_lag import LagLimits
from consent_registry.storage.files.unsealed_logs import NAME, read_unsealed, write_unsealed
from tests.cli.forks import forking
from tests.support.installation import Installation, serving
from tests.support.sealing import NETWORK, office

WHY = "the sealer has said nothing here: does it run?"


def late(*networks: str) -> list[str]:
    """The warning for these networks."""
    named = "; ".join(f"{network} ({WHY})" for network in networks)
    return [f"sealing: logs have had no new checkpoint for too long: {named}"]


NETWORKS = (NETWORK, "paderborn", "widunetz")


async def test_ready_warns_while_logs_are_not_sealed(installation: Installation, tmp_path: Path) -> None:
    """A log without a new checkpoint for too long makes `/ready` warn, still with 200, until it is sealed."""
    async with (
        installation.copy() as database,
        office(installation, database, tmp_path) as desk,
        serving(installation, database) as registry,
    ):
        sealing = registry.app.state.warnings.sealing
        sealing.patience = LagLimits(holds=0.0)

        async def said() -> object:
            await registry.app.state.warnings.refresh()
            answer = await registry.http.get("/ready")
            assert answer.status_code == 200
            assert answer.json().pop("status") == "ready"
            return answer.json().get("warnings")

        assert await said() is None, "half a minute is allowed"
        sealing.patience = LagLimits(holds=0.0, behind=0.0)
        assert await said() == late(*sorted(NETWORKS))
        for slug in NETWORKS:
            await desk.seal(slug)
        assert await said() is None
        await desk.add_leaves(1)
        assert await said() == late(NETWORK)
        await desk.seal()
        sealing.patience = LagLimits(holds=0.0, behind=0.0, stale=0.0)
        assert await said() == late(*sorted(NETWORKS))


async def test_the_reason_of_the_sealer_is_shown(installation: Installation, tmp_path: Path) -> None:
    """`/ready` and `seal --status` show the sealer's reason beside the network, until its log is sealed."""
    (tmp_path / "state").mkdir(mode=0o700)
    why = "the quorum is not met"
    write_unsealed(tmp_path / "state", {NETWORK: why})
    async with (
        installation.copy() as database,
        office(installation, database, tmp_path) as desk,
        serving(installation, database, sealer_state=tmp_path / "state") as registry,
    ):
        warnings = registry.app.state.warnings
        warnings.sealing.patience = LagLimits(holds=0.0, behind=0.0)
        await warnings.refresh()
        (warning,) = warnings.current
        assert f"{NETWORK} ({why})" in warning
        assert f"paderborn ({WHY})" in warning
        with forking() as forks:
            status = forks.run(
                *("seal", "--status"),
                environment={
                    "CONSENT_REGISTRY_SEALER_DATABASE_URL": installation.dsn(database, "sealer"),
                    "CONSENT_REGISTRY_SEALER_STATE": str(tmp_path / "state"),
                    "CONSENT_REGISTRY_KEYS": str(installation.keys),
                },
            )
        assert (status.code, status.err) == (1, ""), status
        assert f"is under a checkpoint: {why}" in status.out
        await desk.seal()
        write_unsealed(tmp_path / "state", {})
        await warnings.refresh()
        assert NETWORK not in "".join(warnings.current).replace("seal", "")


def test_what_is_no_file_of_reasons_says_nothing(tmp_path: Path) -> None:
    """A missing, damaged or foreign file of reasons gives no reason, and is no error."""
    assert read_unsealed(None) == {}
    assert read_unsealed(tmp_path) == {}
    for content in (b"", b"{", b"[]", b'{"small": 1}', b"\xff"):
        (tmp_path / NAME).write_bytes(content)
        assert read_unsealed(tmp_path) == {}
