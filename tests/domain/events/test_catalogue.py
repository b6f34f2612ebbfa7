"""What the events of a network's setup tell: all of its catalogue, or, in logs that began earlier, what it lists."""

import pytest

from consent_registry.domain.commitments import Commitment
from consent_registry.domain.events.expected_rows import NOT_SAID
from consent_registry.domain.events.tables import TABLES
from consent_registry.domain.table_check import NotComplete, TableCheck
from tests.domain.events.logged import Row, event, instant, read, text, told

PARTNER: Row = {
    "slug": "north",
    "number": 1,
    "name": "North",
    "organisation": "District",
    "kind": "district",
    "regime": "sgb_x",
    "functions": [{"slug": "clerk", "name": "Sachbearbeitung", "secrecy_norm": None}],
    "selectable": True,
    "isolated": False,
    "coordinating_post": False,
}
CATEGORY: Row = {
    "slug": "health",
    "number": 4,
    "name_de": "Gesundheit",
    "name_en": "Health",
    "special": True,
    "secrecy": False,
    "flags": {"minors": True},
}
PURPOSE: Row = {
    "slug": "support",
    "number": 2,
    "name_de": "Hilfe",
    "name_en": "Support",
    "category_ids": ["identity", "contact"],
    "flags": {},
}
NETWORK: Row = {
    "name": "Small",
    "about": "Made up",
    "log_origin": "example/small",
    "demonstration": True,
}
POLICIES: Row = {"evidence_may_follow": True}
AGREEMENT: Row = {"id": "a", "version": "1", "valid_from": text(5), "valid_until": None}
ALIASES: Row = {"aliases": {"purposes": {"support": ["Hilfe"]}}}
LANGUAGE: Row = {"text": "t", "language": "de", "sha256": "aa", "translation_of": "dd", **ALIASES}
COVERS = [{"sender": "north", "recipient": "south", "purpose": "support", "categories": ["identity"]}]
OF_TEXT: Row = {"in_use_since": "2018-05-01", "in_use_until": None, "form_sha256": "f0"}
FLOW: Row = {
    "agreement": "a",
    "number": 1,
    "sender": "north",
    "recipient": "south",
    "purpose": "support",
    "category_ids": ["identity", "contact"],
    "basis": "statute",
    "norm": "§ 69 SGB X",
}
WHOLE: Row = event(
    "catalogue",
    1,
    partners=[PARTNER, PARTNER | {"slug": "south", "number": 2}],
    categories=[CATEGORY],
    purposes=[PURPOSE],
    agreements=[AGREEMENT],
    texts=[{"version": "2026-1", "id": "t", "covers": COVERS, **OF_TEXT, "informs": ["withdrawal"]}],
    text_languages=[LANGUAGE],
    flows=[FLOW],
    policies=POLICIES,
    **NETWORK,
)
# As networks were set up at first: what there is, by name.
NAMES: Row = event("catalogue", 1, partners=["north", "south"], agreements=["1"], texts=["2026-1", "2026-2"])
WHEN: Row = {"recorded_at": instant(1)}


def test_a_setup_tells_what_was_entrusted() -> None:
    """Of a flow that is marked, and of no other."""
    (marked,) = told(WHOLE | {"flows": [FLOW | {"entrusted": True}]})["flows"]
    assert marked["entrusted"] is True


def test_a_setup_tells_the_whole_catalogue() -> None:
    """Every column of every entry."""
    assert told(WHOLE) == {
        "networks": [{"slug": "small", **NETWORK, "created_at": instant(1)}],
        "policies": [{"version": 1, "policies": POLICIES, "set_by": None, **WHEN}],
        "partners": [PARTNER | WHEN, PARTNER | {"slug": "south", "number": 2} | WHEN],
        "data_categories": [CATEGORY],
        "purposes": [PURPOSE | {"category_ids": ("contact", "identity")}],
        "agreements": [
            {"version": "1", "agreement_id": "a", "valid_from": instant(5), "valid_until": None, **WHEN},
        ],
        "flows": [
            {
                "agreement_id": "a",
                "flow_number": 1,
                "sender_id": "north",
                "recipient_id": "south",
                "purpose_id": "support",
                "category_ids": ("contact", "identity"),
                "basis": "statute",
                "norm": "§ 69 SGB X",
                "entrusted": False,
            },
        ],
        "texts": [
            {
                "version": "2026-1",
                "text_id": "t",
                "asked_flows": COVERS,
                **OF_TEXT,
                "informs": ("withdrawal",),
                **WHEN,
            }
        ],
        "text_languages": [
            {"text_id": "t", "language": "de", "sha256": "aa", "content": "aa", "translation_of": "dd"} | ALIASES,
        ],
    }


def test_an_earlier_setup_tells_what_there_is() -> None:
    """And when it came; what it is is not told."""
    found = told(NAMES)
    assert set(found) == {"partners", "agreements", "texts"}
    for table, key, names in (
        ("partners", "slug", ["north", "south"]),
        ("agreements", "version", ["1"]),
        ("texts", "version", ["2026-1", "2026-2"]),
    ):
        assert found[table] == [dict.fromkeys(TABLES[table][1], NOT_SAID) | {key: name} | WHEN for name in names]


def test_periods_tell_nothing_of_the_catalogue() -> None:
    """How long what is kept, and no more."""
    periods = {"use_years": 2, "consent_years": 4}
    assert told(event("catalogue", 1, id="p", retention=periods)) == {
        "retention_periods": [{"period_id": "p", **periods, **WHEN}]
    }


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("networks", {"slug": "small"}),
        ("policies", {"version": 2}),
        ("data_categories", {"slug": "health"}),
        ("purposes", {"slug": "support"}),
        ("flows", {"agreement_id": "a", "flow_number": 1}),
        ("text_languages", {"text_id": "t", "language": "de", "version": "2026-2"}),
    ],
)
def test_what_an_earlier_setup_left_untold_may_be_there(table: str, row: Row) -> None:
    """After one that told all of its catalogue, or periods alone, it may not."""
    periods = event("catalogue", 1, id="p", retention={"use_years": 2, "consent_years": 4})
    for setup, found in (
        (NAMES, []),
        (WHOLE | {"network": "other", "categories": [], "purposes": [], "flows": [], "text_languages": []}, None),
    ):
        table_check = TableCheck()
        assert table_check.add(read(setup))
        assert table_check.add(read(periods))
        assert table_check.compare(table, row) == found


def test_policies_are_told_by_their_versions() -> None:
    """Each whole, and who set it."""
    later = {"quotas": {"writes": None}}
    told_of = told(WHOLE, event("policy", 2, version=2, policies=later, set_by="B-12"))["policies"]
    assert told_of == [
        {"version": 1, "policies": POLICIES, "set_by": None, **WHEN},
        {"version": 2, "policies": later, "set_by": "B-12", "recorded_at": instant(2)},
    ]


def test_a_credential_is_told_by_whose_it_is() -> None:
    """Of what proves it the log has a commitment alone; the administration is told as no partner."""
    proof = {"secret_key": "digest-1", "secret_commitment": "S"}
    given = event("credential", 1, client_id="small.north", partner="north", scopes=["read", "decide"], **proof)
    columns = {"secret_key": "digest-1", "secret_mac": Commitment("secret", b"", "S")}
    revoked = event("credential_revocation", 2, client_id="small.north")
    assert told(given, revoked) == {
        "credentials": [
            {"client_id": "small.north", "partner_id": "north", "scopes": ("read", "decide"), **columns, **WHEN},
        ],
        "credential_revocations": [{"client_id": "small.north", "recorded_at": instant(2)}],
    }
    (mine,) = told(event("credential", 1, client_id="small.admin", partner=None, scopes=[], **proof))["credentials"]
    assert mine["partner_id"] is None


def test_partners_and_agreements_were_always_told() -> None:
    """One more of them was put there behind the registry's back; so was a language of a text of another version."""
    table_check = TableCheck()
    assert table_check.add(read(NAMES))
    assert table_check.compare("partners", {"slug": "west"}) is None
    assert table_check.compare("agreements", {"version": "2"}) is None
    assert table_check.compare("text_languages", {"text_id": "t", "language": "de", "version": "9"}) is None


@pytest.mark.parametrize(
    ("setup", "noun"),
    [(NAMES, noun) for noun in ("partners", "agreements", "texts")]
    + [(WHOLE, noun) for noun in ("partners", "categories", "purposes", "agreements", "texts", "text_languages")]
    + [(WHOLE, noun) for noun in NETWORK],
)
def test_a_setup_without_one_of_its_members_is_not_complete(setup: Row, noun: str) -> None:
    """Neither the whole one nor an earlier one."""
    with pytest.raises(NotComplete, match=f"the event does not say {noun}"):
        told({name: value for name, value in setup.items() if name != noun})
