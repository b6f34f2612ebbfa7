"""What each kind of event around consents tells of the tables' rows."""

import pytest

from consent_registry.domain.commitments import Commitment
from tests.domain.events.logged import Row, event, instant, text, told

SUBJECT = {"sender": "north", "recipient": "east", "purpose": "advice", "norm": "Art. 35", "approved_by": "D-1"}
APPROVED = {
    "sender_id": "north",
    "recipient_id": "east",
    "purpose_id": "advice",
    "norm": "Art. 35",
    "approved_by": "D-1",
}
# Each event with what it tells beside the time at which it was recorded.
TOLD: dict[str, tuple[Row, dict[str, list[Row]]]] = {
    "text_invalidation": (
        {"id": "i", "text": "t", "language": None, "reason": "form", "consents": 2},
        {"text_invalidations": [{"invalidation_id": "i", "text_id": "t", "language": None, "reason": "form"}]},
    ),
    "stale_translation": (
        {"id": "i", "text": "t", "language": "en", "reason": "outdated"},
        {"stale_translations": [{"staling_id": "i", "text_id": "t", "language": "en", "reason": "outdated"}]},
    ),
    "suspension": (
        {"id": "s", "partner": "east"},
        {"suspensions": [{"suspension_id": "s", "partner_id": "east"}]},
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
        table: [one | recorded for one in some] for table, some in expected.items()
    }


def test_a_published_text_tells_its_languages() -> None:
    """What is stored is what was published, byte for byte."""
    one = {"language": "de", "sha256": "aa", "translation_of": "aa"}
    languages = [one, {"language": "en", "sha256": "bb", "translation_of": "aa"}]
    assert told(event("text", 1, text="t", version="10", languages=languages)) == {
        "texts": [{"version": "10", "text_id": "t", "recorded_at": instant(1)}],
        "text_languages": [
            {"text_id": "t", "language": "de", "sha256": "aa", "content": "aa", "translation_of": "aa"},
            {"text_id": "t", "language": "en", "sha256": "bb", "content": "bb", "translation_of": "aa"},
        ],
    }


def test_a_clients_groups_follow_each_other() -> None:
    """Link, unlinking, link: three places, each client counting its own."""
    link = event("link", 1, id="g", client="c", group="g", link_code="k")
    other = link | {"id": "e", "client": "d"}
    out = event("unlinking", 2, id="u", client="c")
    again = event("link", 3, id="h", client="c", group="h", link_code="l")
    found = told(link, other, out, again)["client_memberships"]
    assert [(one["client_id"], one["position"], one["group_id"]) for one in found] == [
        ("c", 1, "g"),
        ("d", 1, "g"),
        ("c", 2, "u"),
        ("c", 3, "h"),
    ]
