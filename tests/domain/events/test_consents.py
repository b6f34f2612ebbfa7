"""The tables' rows that each act on a consent implies."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from consent_registry.domain.commitments import Commitment, Committed
from consent_registry.domain.events.all_kinds import NotAnEvent
from consent_registry.domain.events.expected_rows import NOT_SAID
from consent_registry.domain.events.withdrawals import LoggedCoveredFlow, commit_to_flows, text_of_flows
from consent_registry.domain.table_check import NotComplete, TableCheck
from tests.domain.events.logged import Row, event, instant, read, shown, text, told

GRANT: Row = {
    "grant": "g1",
    "sender": "north",
    "recipient": "south",
    "purpose": "support",
    "categories": ["identity", "contact"],
    "explicit": False,
    "answer": "given",
    "valid_from": text(2),
    "valid_until": text(80),
    "third_parties": "consented",
    "third_party_grants": ["g0"],
    "entrusted_by": "other",
    "releases": ["r0", "r1"],
}
OTHER: Row = GRANT | {
    "grant": "g2",
    "sender": "south",
    "recipient": "east",
    "purpose": "housing",
    "categories": ["health"],
    "explicit": True,
    "answer": "refused",
    "valid_from": text(1),
    "valid_until": text(70),
    "third_parties": None,
    "third_party_grants": [],
    "entrusted_by": "self",
    "releases": [],
}
RELEASE: Row = {
    "release": "r1",
    "holder": "west",
    "towards": "east",
    "person": "doctor",
    "function_commitment": "F",
    "purposes": ["support", "housing"],
    "categories": ["identity", "contact"],
    "valid_until": text(75),
}
CONSENT: Row = event(
    "consent",
    5,
    id="c1",
    client="p",
    grants=[GRANT, OTHER],
    releases=[RELEASE],
    text={"id": "t", "language": "ar", "sha256": "aa"},
    giver={
        "role": "guardian",
        "age_band": "14",
        "insight_assessed_by": "B-1",
        "mandate_until": text(60),
        "partner": "ward",
        "adult_from": "2029-04",
        "insight": "lacking",
        "direct_counselling": True,
        "care": "joint",
        "scope": ["support", "housing"],
        "co_givers": [
            {"role": "parent", "insight_assessed_by": None},
            {"role": "self", "insight_assessed_by": "B-2"},
        ],
    },
    method="written",
    special_circumstances="S-1",
    evidence={"sha256": "ee", "media_type": "application/pdf", "kept_at_commitment": "K"},
    receipt_code={"digest_key": "digest-1", "digest_commitment": "D"},
    information={
        "explained_by": "B-12",
        "interpreter": {"kind": "lay", "language": "ar"},
        "told": ["withdrawal", "complaint"],
        "copy_handed": True,
        "client_language": "ti",
    },
    given_at=text(3),
    renews="c0",
    remarks=["lay_interpreter", "guardian_is_recipient"],
    renewed=[],
)
# What an event says of the giver only if somebody said it.
SAID_OF_GIVER = ("adult_from", "insight", "direct_counselling", "care", "scope", "co_givers")
CONSENT_ROW: Row = {
    "consent_id": "c1",
    "client_id": "p",
    "recorder_id": "north",
    "partner_ids": ("north", "south"),
    "text_id": "t",
    "language": "ar",
    "giver_role": "guardian",
    "giver_age_band": "14",
    "giver_insight_assessed_by": "B-1",
    "giver_mandate_until": instant(60),
    "giver_adult_from": "2029-04",
    "giver_insight": "lacking",
    "giver_direct_counselling": True,
    "giver_care": "joint",
    "giver_scope": ("support", "housing"),
    "co_giver_roles": ("parent", "self"),
    "co_giver_assessors": (None, "B-2"),
    "guardian_id": "ward",
    "method": "written",
    "special_circumstances": "S-1",
    "evidence_sha256": "ee",
    "evidence_media_type": "application/pdf",
    "has_kept_at": True,
    "explained_by": "B-12",
    "interpreter_kind": "lay",
    "interpreter_language": "ar",
    "told": ("withdrawal", "complaint"),
    "copy_handed": True,
    "client_language": "ti",
    "given_at": instant(3),
    "given_at_precision": "instant",
    "valid_from": instant(1),
    "valid_until": instant(80),
    "renews": "c0",
    "remarks": ("lay_interpreter", "guardian_is_recipient"),
    "recorded_at": instant(5),
}
GRANT_ROW: Row = {
    "grant_id": "g1",
    "consent_id": "c1",
    "client_id": "p",
    "recorder_id": "north",
    "sender_id": "north",
    "recipient_id": "south",
    "purpose_id": "support",
    "category_ids": ("contact", "identity"),
    "explicit": False,
    "answer": "given",
    "valid_from": instant(2),
    "valid_until": instant(80),
    "given_at": instant(3),
    "third_parties": "consented",
    "third_party_grants": ("g0",),
    "evidence_follows": False,
    "entrusted_by": "other",
    "release_ids": ("r0", "r1"),
}
OTHER_ROW: Row = GRANT_ROW | {
    "grant_id": "g2",
    "sender_id": "south",
    "recipient_id": "east",
    "purpose_id": "housing",
    "category_ids": ("health",),
    "explicit": True,
    "answer": "refused",
    "valid_from": instant(1),
    "valid_until": instant(70),
    "third_parties": None,
    "third_party_grants": None,
    "entrusted_by": "self",
    "release_ids": None,
}
RELEASE_ROW: Row = {
    "release_id": "r1",
    "consent_id": "c1",
    "client_id": "p",
    "partner_ids": ("north",),
    "holder_id": "west",
    "towards_id": "east",
    "person": "doctor",
    "has_function": True,
    "purpose_ids": ("housing", "support"),
    "category_ids": ("contact", "identity"),
    "valid_until": instant(75),
}
CODE_ROW: Row = {
    "consent_id": "c1",
    "issue": 1,
    "client_id": "p",
    "partner_ids": ("north", "south"),
    "digest_key": "digest-1",
    "digest": Commitment("receipt_code", b"", "D"),
    "recorded_at": instant(5),
}
CHANGE_ROW: Row = {
    "grant_id": "g1",
    "act_id": "x",
    "client_id": "p",
    "partner_ids": ("north", "south"),
    "category_ids": None,
    "valid_until": None,
    "by_grant_id": None,
    "effective_at": instant(6),
    "recorded_at": instant(7),
}


def told_after(consent: Row, *events: Row) -> tuple[dict[str, list[Row]], int]:
    """What these events tell beside the consent, and how many changes concern what was not told."""
    table_check = TableCheck()
    before = told(consent)
    assert all(table_check.add(read(event)) for event in (consent, *events))
    found = {
        table: [row for row in rows if row not in before.get(table, [])]
        for table, rows in shown(table_check.expected).items()
    }
    return {table: rows for table, rows in found.items() if rows}, table_check.unattached


def test_a_consent_tells_all_of_itself() -> None:
    """Its row, its first receipt code, its grants, its releases and the text that was shown: every column."""
    assert told(CONSENT) == {
        "consents": [CONSENT_ROW],
        "receipt_codes": [CODE_ROW],
        "grants": [GRANT_ROW, OTHER_ROW],
        "releases": [RELEASE_ROW],
        "text_languages": [
            {
                "text_id": "t",
                "language": "ar",
                "sha256": "aa",
                "content": "aa",
                "translation_of": NOT_SAID,
                "aliases": NOT_SAID,
            }
        ],
    }


def test_what_a_consent_may_lack() -> None:
    """Evidence that is still to come, nobody's mandate, what grants did not tell at first, and a release's limits."""
    giver = {name: value for name, value in CONSENT["giver"].items() if name not in SAID_OF_GIVER}
    giver |= {"mandate_until": None}
    late = ("third_parties", "third_party_grants", "entrusted_by", "releases")
    early = {name: value for name, value in GRANT.items() if name not in late}
    bare = CONSENT | {"evidence": None, "giver": giver, "grants": [early], "releases": []}
    del bare["renewed"]
    found = told(bare)
    nothing: Row = {
        "evidence_sha256": None,
        "evidence_media_type": None,
        "has_kept_at": False,
        "giver_mandate_until": None,
    }
    nothing |= {f"giver_{name}": None for name in SAID_OF_GIVER[:-1]} | {"co_giver_roles": (), "co_giver_assessors": ()}
    parts = {"partner_ids": ("north", "south"), "valid_from": instant(2)}
    assert found["consents"] == [CONSENT_ROW | nothing | parts]
    unsaid = {"given_at": None, "third_parties": None, "third_party_grants": None, "evidence_follows": True}
    unsaid |= {"entrusted_by": None, "release_ids": None}
    assert found["grants"] == [GRANT_ROW | unsaid]
    assert "releases" not in found
    (oral,) = told(bare | {"method": "oral"})["grants"]
    assert oral["evidence_follows"] is False
    unlimited = {name: RELEASE[name] for name in RELEASE if name not in {"purposes", "categories", "valid_until"}}
    limits = {"purpose_ids": None, "category_ids": None, "valid_until": None}
    assert told(CONSENT | {"releases": [unlimited]})["releases"] == [RELEASE_ROW | limits]


def test_a_recorder_who_is_no_party() -> None:
    """Is a partner of the consent, of its releases and of every change of its grants."""
    consent = CONSENT | {"actor": "centre"}
    found = told(consent)
    assert found["consents"][0]["partner_ids"] == ("centre", "north", "south")
    assert found["receipt_codes"][0]["partner_ids"] == ("centre", "north", "south")
    assert found["releases"][0]["partner_ids"] == ("centre",)
    ending = event("ending", 7, id="x", client="p", actor="south", effective_at=text(6), grants=["g1"])
    changed, _ = told_after(consent, ending)
    assert changed["grant_changes"] == [CHANGE_ROW | {"kind": "ended", "partner_ids": ("centre", "north", "south")}]


@pytest.mark.parametrize(
    ("answer", "of_consent", "of_release"),
    [
        ("given", ("north", "south", "west"), ("north", "south", "west")),
        ("requested", ("north", "south"), ("north", "south")),
        ("refused", ("north",), ("north",)),
    ],
)
def test_who_reads_what_a_consent_tells(answer: str, of_consent: tuple[str, ...], of_release: tuple[str, ...]) -> None:
    """A grant of others adds its sender unless the client refused it, and its recipient only if it was given: to the
    rows of the consent, its code, the release that serves the grant, and every change of it.
    """
    grant = GRANT | {"sender": "south", "recipient": "west", "answer": answer}
    release = CONSENT["releases"][0] | {"holder": "south", "towards": "west"}
    consent = CONSENT | {"grants": [grant], "releases": [release]}
    found = told(consent)
    assert (found["consents"][0]["partner_ids"], found["receipt_codes"][0]["partner_ids"]) == (of_consent, of_consent)
    assert found["releases"][0]["partner_ids"] == of_release
    ending = event("ending", 7, id="x", client="p", actor="north", effective_at=text(6), grants=["g1"])
    changed, _ = told_after(consent, ending)
    assert changed["grant_changes"][0]["partner_ids"] == of_consent


def test_a_text_keeps_its_bytes() -> None:
    """Two consents on the same text tell of it once; on other bytes under its name, the second is not complete."""
    second = CONSENT | {"id": "c2", "grants": [GRANT | {"grant": "g3"}], "releases": []}
    assert len(told(CONSENT, second)["text_languages"]) == 1
    more = second | {"text": CONSENT["text"] | {"language": "de", "sha256": "bb"}}
    assert [language["language"] for language in told(CONSENT, more)["text_languages"]] == ["ar", "de"]
    with pytest.raises(NotComplete, match=r"^ValueError: this text had other bytes before$"):
        told(CONSENT, second | {"text": CONSENT["text"] | {"sha256": "bb"}})


def test_a_published_text_keeps_its_bytes() -> None:
    """A consent on what was published implies no new row of it."""
    languages = [{"language": "ar", "sha256": "aa", "translation_of": "dd"}]
    found = told(event("text", 1, text="t", version="1", languages=languages), CONSENT)["text_languages"]
    assert [language["translation_of"] for language in found] == ["dd"]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("confirmation", "confirmed"),
        ("ending", "ended"),
        ("invalidation", "invalidated"),
        ("restriction", "restricted"),
        ("restriction_lifting", "unrestricted"),
    ],
)
def test_an_act_on_grants_changes_each(kind: str, change: str) -> None:
    """Each grant it names, for the parties of that grant, from its effect on; of others' grants it is counted."""
    act = event(kind, 7, id="x", client="q", actor="south", effective_at=text(6), grants=["g1", "g2", "gone"])
    row = CHANGE_ROW | {"kind": change}
    assert told_after(CONSENT, act) == (
        {"grant_changes": [row, row | {"grant_id": "g2", "partner_ids": ("north",)}]},
        1,
    )


def test_an_act_on_some_categories_concerns_those_a_grant_has() -> None:
    """Of those it names; of none where it names only others, of all where it names none."""
    act = event("restriction", 7, id="x", client="p", effective_at=text(6), grants=["g1", "g2"])
    for named, parts in ((["identity", "contact", "other"], ["contact", "identity"]), (["identity"], ["identity"])):
        changed, _ = told_after(CONSENT, act | {"categories": named})
        assert [change["category_ids"] for change in changed["grant_changes"]] == [tuple(parts), ()]
    changed, _ = told_after(CONSENT, act | {"categories": None})
    assert [change["category_ids"] for change in changed["grant_changes"]] == [None, None]


@pytest.mark.parametrize(
    "act",
    [
        CONSENT | {"id": "x", "at": text(7), "grants": [GRANT | {"grant": "g3"}], "releases": []},
        event("confirmation", 7, id="x", client="p", effective_at=text(6), grants=[]),
        event("invalidation", 7, id="x", client="p", effective_at=text(6), grants=[]),
        event("renewal", 7, id="x", client="p", actor=None, act="y"),
    ],
    ids=lambda act: act["kind"],
)
def test_renewals_go_with_the_act_that_makes_them(act: Row) -> None:
    """A grant is renewed by another until then, or is so no more; of one that is not there it is counted."""
    times = {"effective_at": text(8), "valid_until": text(99)}
    renewed = [{"grant": grant, "by": "g3", **times} for grant in ("g1", "gone")]
    unrenewed = [{"grant": grant, "by": "g2", "effective_at": text(9)} for grant in ("g1", "gone")]
    changed, unattached = told_after(CONSENT, act | {"renewed": renewed, "unrenewed": unrenewed})
    row = CHANGE_ROW | {"kind": "renewed", "by_grant_id": "g3"}
    assert changed["grant_changes"] == [
        row | {"effective_at": instant(8), "valid_until": instant(99)},
        CHANGE_ROW | {"kind": "unrenewed", "by_grant_id": "g2", "effective_at": instant(9)},
    ]
    assert unattached == 2


def test_a_withdrawal_tells_its_row_and_its_changes() -> None:
    """From when it was received, at any partner; of grants and releases that are not there it is counted."""
    grants = [
        {"grant": "g1", "categories": ["identity", "contact"], "consent": "c1"},
        {"grant": "g2", "categories": None, "consent": "c1"},
        {"grant": "gone", "categories": None, "consent": "c9"},
    ]
    times = {"declared_at": text(4), "received_at": text(6)}
    act = event(
        "withdrawal",
        7,
        id="x",
        client="q",
        actor="east",
        channel="phone",
        grants=grants,
        releases=["gone", "r1"],
        covers="flows",
        flows=FLOWS,
        **times,
    )
    row = CHANGE_ROW | {"kind": "withdrawn"}
    assert told_after(CONSENT, act) == (
        {
            "withdrawals": [
                {
                    "withdrawal_id": "x",
                    "act_id": "x",
                    "client_id": "q",
                    "partner_id": "east",
                    "channel": "phone",
                    "declared_at": instant(4),
                    "received_at": instant(6),
                    "covers": "flows",
                    "covered_flows": b"north south housing contact\nnorth south support contact,identity",
                    "category_ids": None,
                    "recorded_at": instant(7),
                }
            ],
            "grant_changes": [
                row | {"category_ids": ("contact", "identity")},
                row | {"grant_id": "g2", "partner_ids": ("north",)},
            ],
            "release_changes": [
                {
                    "release_id": "r1",
                    "act_id": "x",
                    "kind": "withdrawn",
                    "client_id": "p",
                    "partner_ids": ("north",),
                    "effective_at": instant(6),
                    "recorded_at": instant(7),
                }
            ],
        },
        2,
    )


FLOWS = [
    {"sender": "north", "recipient": "south", "purpose": "support", "categories": ["identity", "contact"]},
    {"sender": "north", "recipient": "south", "purpose": "housing", "categories": ["contact"]},
]


@pytest.mark.parametrize(
    ("said", "columns"),
    [
        ({"covers": "partner"}, {"covers": "partner", "covered_flows": None, "category_ids": None}),
        (
            {"covers": "partner", "categories": ["identity", "contact"]},
            {"covers": "partner", "covered_flows": None, "category_ids": ("contact", "identity")},
        ),
        ({"covers": "everything"}, {"covers": "everything", "covered_flows": None, "category_ids": None}),
        ({"covers": "consent"}, {"covers": "consent", "covered_flows": None, "category_ids": None}),
        (
            {"covers": "flows", "flows_commitment": "F"},
            {"covers": "flows", "covered_flows": Commitment("flows", b"", "F"), "category_ids": None},
        ),
        ({}, {"covers": NOT_SAID, "covered_flows": NOT_SAID, "category_ids": None}),
    ],
)
def test_a_withdrawal_tells_what_it_covers(said: Mapping[str, object], columns: Mapping[str, object]) -> None:
    """A partner's flows, every flow, none, or flows to which it commits; the first withdrawals did not."""
    times = {"declared_at": text(4), "received_at": text(6)}
    members = {"channel": "phone", "grants": [], "releases": [], "act": "w", "partner": "east"}
    act = event("withdrawal", 7, id="x", client="q", actor=None, by="client", **members, **times, **said)
    (row,) = told(act)["withdrawals"]
    assert {name: row[name] for name in columns} == columns
    assert (row["withdrawal_id"], row["act_id"], row["partner_id"]) == ("x", "w", "east")


def test_flows_are_written_in_one_order() -> None:
    """Whatever the order of flows and categories, the text is one; a commitment is to that text."""
    flows = [LoggedCoveredFlow(**flow) for flow in FLOWS]  # type: ignore[arg-type]
    reversed_ = [msgspec.structs.replace(flow, categories=flow.categories[::-1]) for flow in flows[::-1]]
    assert text_of_flows(flows) == text_of_flows(reversed_)
    assert text_of_flows([]) == b""
    assert commit_to_flows(flows) == Committed("flows", text_of_flows(flows))


def test_how_many_entries_a_withdrawal_writes() -> None:
    """One for each reference that can mean the client; by a receipt code one more."""
    members = {"channel": "phone", "grants": [], "releases": [], "declared_at": text(4), "received_at": text(6)}
    for by, number in (("client", 16), ("consent", 16), ("receipt_code", 17)):
        act = event("withdrawal", 7, id="x", client="q", actor="east", by=by, covers="consent", **members)
        assert read(act).entries() == number


def test_a_late_paper_tells_what_takes_it_back() -> None:
    """A change of each grant, by the act of its withdrawal, from when that was received."""
    taken = [
        {"grant": "g1", "withdrawal": "w1", "categories": ["contact"], "effective_at": text(4)},
        {"grant": "g1", "withdrawal": "w2", "categories": None, "effective_at": text(6)},
        {"grant": "gone", "withdrawal": "w2", "categories": None, "effective_at": text(6)},
    ]
    act = event("late_withdrawal", 7, id="x", client="p", actor=None, act="c1", taken_back=taken)
    row = CHANGE_ROW | {"kind": "withdrawn"}
    assert told_after(CONSENT, act) == (
        {
            "grant_changes": [
                row | {"act_id": "w1", "category_ids": ("contact",), "effective_at": instant(4)},
                row | {"act_id": "w2", "effective_at": instant(6)},
            ]
        },
        1,
    )
    assert read(act).entries() == 1


def test_a_link_tells_what_it_withdraws() -> None:
    """A change of each grant by the link's own entry, of one grant from several moments on."""
    withdrawn = [
        {"grant": "g1", "categories": ["contact"], "effective_at": text(4)},
        {"grant": "g1", "categories": ["identity"], "effective_at": text(6)},
        {"grant": "g2", "categories": None, "effective_at": text(6)},
    ]
    act = event("link", 7, id="x", client="p", actor=None, act="g", group="g", withdrawn=withdrawn)
    row = CHANGE_ROW | {"kind": "withdrawn"}
    assert told_after(CONSENT, act)[0]["grant_changes"] == [
        row | {"category_ids": ("contact",), "effective_at": instant(4)},
        row | {"category_ids": ("identity",)},
        row | {"grant_id": "g2", "partner_ids": ("north",)},
    ]


def test_how_many_entries_a_consent_writes() -> None:
    """Its own, one for what it renews, and one if withdrawals take it back, which its remark says."""
    for renews, remarks, number in (
        (None, [], 1),
        (None, ["lay_interpreter"], 1),
        ("c0", [], 2),
        (None, ["withdrawn_since"], 2),
        ("c0", ["lay_interpreter", "withdrawn_since"], 3),
    ):
        assert read(CONSENT | {"renews": renews, "remarks": remarks}).entries() == number


def test_evidence_that_follows() -> None:
    """Is of the partner that handed it in, and a change of each grant that waited for it."""
    act = event("evidence", 7, id="x", client="p", actor="south", consent="c1", sha256="ff", media_type="image/png")
    row = {"consent_id": "c1", "evidence_id": "x", "client_id": "p", "partner_ids": ("south",), "sha256": "ff"}
    evidence = {"consent_evidence": [row | {"media_type": "image/png", "recorded_at": instant(7)}]}
    assert told(act) == evidence
    came = CHANGE_ROW | {"kind": "evidenced", "effective_at": instant(7)}
    assert told_after(CONSENT, act | {"grants": ["g1"]}) == (evidence | {"grant_changes": [came]}, 0)


def test_a_further_receipt_code() -> None:
    """Is for the same partners as the consent's first; without the consent it is not complete."""
    members = {"digest_key": "digest-2", "digest_commitment": "E"}
    act = event("receipt_code", 7, id="x", client="p", consent="c1", issue=2, **members)
    digest = {"digest_key": "digest-2", "digest": Commitment("receipt_code", b"", "E")}
    row = CODE_ROW | {"issue": 2, "recorded_at": instant(7), **digest}
    assert told_after(CONSENT, act) == ({"receipt_codes": [row]}, 0)
    with pytest.raises(NotComplete, match="KeyError"):
        told(act)


def test_a_withdrawal_under_a_number_its_partner_may_not_know() -> None:
    """Has no actor: who took it and whose act it is part of are members."""
    act = event("withdrawal", 7, id="y", client="p", actor=None, partner="east", act="x", channel="phone")
    act |= {"declared_at": text(4), "received_at": text(6), "grants": [], "releases": []}
    (row,) = told(act)["withdrawals"]
    assert (row["withdrawal_id"], row["act_id"], row["client_id"], row["partner_id"]) == ("y", "x", "p", "east")


@pytest.mark.parametrize(
    "path",
    [(member,) for member in CONSENT if member != "renewed"]
    + [("text", member) for member in CONSENT["text"]]
    + [("giver", member) for member in CONSENT["giver"] if member not in SAID_OF_GIVER]
    # The first consents did not say the client's language.
    + [("information", member) for member in CONSENT["information"] if member != "client_language"],
    ids=".".join,
)
def test_a_consent_that_lacks_a_member_is_not_complete(path: tuple[str, ...]) -> None:
    """Whichever: nothing is made up for it."""
    lacking: Any = dict(CONSENT)
    place = lacking
    for name in path[:-1]:
        place[name] = dict(place[name])
        place = place[name]
    del place[path[-1]]
    with pytest.raises(NotAnEvent, match=f"missing required field `{path[-1]}`"):
        told(lacking)
