"""A clock that is set back: what had ended stays ended, and no token lives longer."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from consent_registry.operations.access.tokens import Tokens
from tests.support.installation import Installation, Registry, serving
from tests.support.small_network import NUMBER, consent_body, question

TOMORROW = "interval '1 day'"


async def give(registry: Registry, **ends: timedelta) -> None:
    """Record a consent for each of these clients, which ends so far from now."""
    north = await registry.partner("north")
    text = (await north.get("/texts")).json()["items"][0]["id"]
    for client, end in ends.items():
        assert (await north.post("/clients", {"reference": client})).status_code in {200, 201}
        until = (datetime.now(UTC) + end).isoformat(timespec="microseconds").replace("+00:00", "Z")
        answer = await north.post("/consents", consent_body(client, text, valid_until=until))
        assert answer.status_code == 201, answer.text


async def outcome(registry: Registry, client: str) -> str:
    """Ask for a decision about a client and return its outcome."""
    answer = await (await registry.partner("north")).post("/decisions", question(client))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["outcome"])


async def test_a_process_that_starts_learns_from_the_log_how_late_it_was(installation: Installation) -> None:
    """The log's last event is of tomorrow, so the clock was set back since. A process that starts now permits a consent
    that ends after that event, not one that ends before it. Without that event it permits both.
    """
    async with installation.copy() as database:
        async with serving(installation, database) as registry:
            await give(registry, SHORT=timedelta(hours=2), LONG=timedelta(days=2))
            assert [await outcome(registry, client) for client in ("SHORT", "LONG")] == ["permit", "permit"]
        async with serving(installation, database) as registry, registry.sql() as sql:
            last = "network_id = $1 and log_index = (select max(log_index) from registry.leaves where network_id = $1)"
            await sql.execute(f"update registry.events set at = at + {TOMORROW} where {last}", NUMBER)  # noqa: S608
            assert [await outcome(registry, client) for client in ("SHORT", "LONG")] == ["no_permission", "permit"]


async def test_a_process_that_serves_remembers(fresh_registry: Registry) -> None:
    """A time that the warnings once read from the database counts for the life of the process."""
    await give(fresh_registry, SHORT=timedelta(hours=2), LONG=timedelta(days=2))
    assert await outcome(fresh_registry, "SHORT") == "permit"
    fresh_registry.app.state.shared.runtime.clock.note(datetime.now(UTC) + timedelta(days=1))
    assert [await outcome(fresh_registry, client) for client in ("SHORT", "LONG")] == ["no_permission", "permit"]


@pytest.mark.parametrize(("shift", "status"), [(0, 200), (-4, 200), (-6, 401), (-86_400, 401), (599, 200), (601, 401)])
async def test_a_token_lives_from_its_beginning_to_its_end(registry: Registry, shift: int, status: int) -> None:
    """A token known to the process, and one seen for the first time, is valid only in its time by a moved clock."""
    async with serving(registry.installation, registry.database) as moved:
        north, shared = await moved.partner("north"), moved.app.state.shared
        now = jwt.decode(north.token, options={"verify_signature": False})["iat"]
        shared.tokens = Tokens(shared.runtime, clock=lambda: now)
        assert (await north.get("/me")).status_code == 200
        now += shift
        known = (await north.get("/me")).status_code
        shared.tokens = Tokens(shared.runtime, clock=lambda: now)
        assert (known, (await north.get("/me")).status_code) == (status, status)
