"""What events of clients stand for: registered, linked, unlinked."""

import pytest

from consent_registry.domain.commitments import Commitment
from tests.domain.events.logged import Row, event, instant, text, told

# Each event with what it stands for beside the time at which it was recorded.
TOLD: dict[str, tuple[Row, dict[str, list[Row]]]] = {
    "client": (
        {"id": "e", "client": "c"},
        {"clients": [{"client_id": "c"}], "client_references": [{"client_id": "c", "partner_id": "north"}]},
    ),
    "link": (
        {"id": "g", "client": "c", "group": "g", "link_code": "k"},
        {
            "client_memberships": [{"client_id": "c", "position": 1, "group_id": "g"}],
            "links": [{"link_id": "g", "link_code_id": "k", "client_id": "c", "partner_id": "north"}],
        },
    ),
    "link: of a new reference": (
        {"id": "g", "client": "c", "group": "g", "link_code": "k", "registered": True},
        {
            "clients": [{"client_id": "c"}],
            "client_references": [{"client_id": "c", "partner_id": "north"}],
            "client_memberships": [{"client_id": "c", "position": 1, "group_id": "g"}],
            "links": [{"link_id": "g", "link_code_id": "k", "client_id": "c", "partner_id": "north"}],
        },
    ),
    "link: that withdraws": (
        {
            "id": "g",
            "client": "c",
            "group": "g",
            "link_code": "k",
            "withdrawn": [{"grant": "gone", "categories": None, "effective_at": text(1)}],
        },
        {
            "client_memberships": [{"client_id": "c", "position": 1, "group_id": "g"}],
            "links": [{"link_id": "g", "link_code_id": "k", "client_id": "c", "partner_id": "north"}],
        },
    ),
    "link: of somebody else": (
        {"id": "e", "actor": None, "client": "c", "group": "g", "act": "g"},
        {"client_memberships": [{"client_id": "c", "position": 1, "group_id": "g"}]},
    ),
    "unlinking": (
        {"id": "u", "client": "c"},
        {
            "client_memberships": [{"client_id": "c", "position": 1, "group_id": "u"}],
            "unlinkings": [
                {
                    "unlinking_id": "u",
                    "client_id": "c",
                    "partner_id": "north",
                    "left_group_id": None,
                    "linked_at": instant(1),
                }
            ],
        },
    ),
    "link_code": (
        {
            "id": "k",
            "client": "c",
            "partner": "south",
            "expires_at": text(9),
            "digest_key": "digest-1",
            "digest_commitment": "D",
        },
        {
            "link_codes": [
                {
                    "link_code_id": "k",
                    "client_id": "c",
                    "partner_id": "north",
                    "for_partner_id": "south",
                    "expires_at": instant(9),
                    "digest_key": "digest-1",
                    "digest": Commitment("link_code", b"", "D"),
                }
            ]
        },
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


def test_a_clients_groups_follow_each_other() -> None:
    """Link, unlinking, link: three places, each client counting its own."""
    link = event("link", 1, id="g", client="c", group="g", link_code="k")
    second = link | {"id": "e", "client": "d"}
    out = event("unlinking", 2, id="u", client="c")
    again = event("link", 3, id="h", client="c", group="h", link_code="l")
    found = told(link, second, out, again)["client_memberships"]
    assert [(row["client_id"], row["position"], row["group_id"]) for row in found] == [
        ("c", 1, "g"),
        ("d", 1, "g"),
        ("c", 2, "u"),
        ("c", 3, "h"),
    ]
