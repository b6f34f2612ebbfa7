"""A sealer that stands still is noticed by those who serve: a warning, never a refusal."""

from pathlib import Path

import pytest

from consent_registry.operations import sealing_lag
from tests.installation import Installation, serving
from tests.sealing import NETWORK, office

LATE = ["sealing: logs have had no new checkpoint for too long"]
NETWORKS = (NETWORK, "paderborn", "widunetz")


async def test_ready_warns_while_logs_are_not_sealed(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind for longer than allowed, or not signed again for long: 200 all the same, with one line; sealed: none."""
    monkeypatch.setattr(sealing_lag, "HOLDS", 0.0)
    async with (
        installation.copy() as database,
        office(installation, database, tmp_path) as desk,
        serving(installation, database) as registry,
    ):

        async def said() -> object:
            await registry.app.state.watch.look()
            answer = await registry.http.get("/ready")
            assert answer.status_code == 200
            assert answer.json().pop("status") == "ready"
            return answer.json().get("warnings")

        assert await said() is None, "half a minute is allowed"
        monkeypatch.setattr(sealing_lag, "BEHIND", 0.0)
        assert await said() == LATE
        for slug in NETWORKS:
            await desk.seal(slug)
        assert await said() is None
        await desk.add_leaves(1)
        assert await said() == LATE
        await desk.seal()
        monkeypatch.setattr(sealing_lag, "STALE", 0.0)
        assert await said() == LATE
