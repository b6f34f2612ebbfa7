"""What events of partners stand for: suspended, reinstated, approved."""

import pytest

from tests.domain.events.logged import Row, event, instant, text, told

SUBJECT = {"sender": "north", "recipient": "east", "purpose": "advice", "norm": "Art. 35", "approved_by": "D-1"}
APPROVED = {
    "sender_id": "north",
    "recipient_id": "east",
    "purpose_id": "advice",
    "norm": "Art. 35",
    "approved_by": "D-1",
}
# Each event with what it stands for beside the time at which it was recorded.
TOLD: dict[str, tuple[Row, dict[str, list[Row]]]] = {
    "suspension": (
        {"id": "s", "partner": "east"},
        {"suspensions": [{"suspension_id": "s", "partner_id": "east", "reason": "security"}]},
    ),
    "reinstatement": (
        {"id": "r", "partner": "east", "suspension": "s"},
        {"reinstatements": [{"reinstatement_id": "r", "suspension_id": "s"}]},
    ),
    "approval": (
        {"id": "a", "subject": {"purpose": "advice"}, "valid_until": text(9), **SUBJECT},
        {
            "approvals": [
                {
                    "approval_id": "a",
                    "partner_id": None,
                    "subject_purpose_id": "advice",
                    "valid_until": instant(9),
                    **APPROVED,
                }
            ]
        },
    ),
    "approval: of a partner": (
        {"id": "a", "subject": {"partner": "east"}, "valid_until": None, **SUBJECT},
        {
            "approvals": [
                {"approval_id": "a", "partner_id": "east", "subject_purpose_id": None, "valid_until": None, **APPROVED}
            ]
        },
    ),
    "approval_revocation": (
        {"id": "r", "approval": "a", "revoked_by": "D-2"},
        {"approval_revocations": [{"revocation_id": "r", "approval_id": "a", "revoked_by": "D-2"}]},
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
