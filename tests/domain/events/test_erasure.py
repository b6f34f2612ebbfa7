"""What events of holds, erasures and retention stand for."""

import pytest

from tests.domain.events.logged import Row, event, instant, told

# Each event with what it stands for beside the time at which it was recorded.
TOLD: dict[str, tuple[Row, dict[str, list[Row]]]] = {
    "hold": (
        {"id": "h", "client": "c", "norm": "legal_claims", "placed_by": "D-1"},
        {"holds": [{"hold_id": "h", "client_id": "c", "norm": "legal_claims", "placed_by": "D-1"}]},
    ),
    "hold_lifting": (
        {"id": "l", "hold": "h", "client": "c", "lifted_by": "D-2"},
        {"hold_liftings": [{"hold_id": "h", "client_id": "c", "lifted_by": "D-2"}]},
    ),
    "erasure": (
        {"id": "e", "ground": "consent_withdrawn", "indices": [[4, 4], [7, 9]], "norm": "Art. 17"},
        {"erasures": [{"erasure_id": "e", "ground": "consent_withdrawn", "events": 4}]},
    ),
    "retention": (
        {"id": "r", "events": 12, "indices": []},
        {"retentions": [{"retention_id": "r", "events": 12}]},
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_an_event_tells(name: str) -> None:
    """Each row with every column, recorded when the event was, and no row beside."""
    members, expected = TOLD[name]
    recorded = {"recorded_at": instant(1)}
    assert told(event(name.partition(":")[0], 1, **members)) == {
        table: [row | recorded for row in rows] for table, rows in expected.items()
    }
