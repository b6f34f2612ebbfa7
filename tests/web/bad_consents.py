"""Malformed consents, each made from a good one by one change."""

from collections.abc import Iterator

from tests.web.bad_requests import (
    BAD_INSTANTS,
    Body,
    Case,
    changed,
    not_strict,
    put,
    references,
    without,
    wrong_values,
)

REQUIRED_OF_A_CONSENT = (
    *("/client", "/text", "/text/id", "/text/language", "/grants", "/giver", "/giver/role", "/act", "/act/method"),
    *("/grants/0/sender", "/grants/0/recipient", "/grants/0/purpose", "/grants/0/categories", "/act/given_at"),
    *(
        "/giver/age_band",
        "/information",
        "/information/explained_by",
        "/information/interpreter",
        "/information/interpreter/kind",
    ),
)


def consents(good: Body) -> Iterator[Case]:
    """Return malformed consents."""
    yield from not_strict(good)
    yield from without(good, *REQUIRED_OF_A_CONSENT)
    yield from references(good, "/client")
    grant = good["grants"][0]
    yield from wrong_values(
        good,
        {
            "/grants": ([], None, {}, "x", [grant] * 51),
            "/grants/0/sender": ("nobody", "", 1, None),
            "/grants/0/recipient": ("nobody", "", 1, None),
            "/grants/0/purpose": ("nothing", "", 1, None),
            "/grants/0/categories": ([], None, "identity", [grant["categories"][0]] * 2, ["shoe-size"], [None]),
            "/grants/0/explicit": ("yes", 1, None),
            "/grants/0/answer": ("yes", "requested", "withdrawn", None, 1),
            "/giver/role": ("", "neighbour", None, 1),
            "/giver/age_band": ("", "12", 15, "old", None),
            "/giver/adult_from": ("", "2027", "2027-13", "2027-00", "2027-4", "2027-04-01", "1899-04", "2027-04\n", 1),
            "/giver/insight": ("", "some", True, 1),
            "/giver/direct_counselling": ("", "yes", 1),
            "/giver/care": ("", "alone", 1),
            "/giver/scope": ([], "support", ["nothing"], ["support"] * 2, [None], ["support", ""]),
            "/giver/co_givers": (
                *([{"role": "neighbour"}], [{"role": "custodian"}], [{}], ["parent"], [{"role": "parent"}] * 4, None),
                *([{"role": "self", "age_band": "14"}], [{"role": "self", "insight_assessed_by": ""}], "self"),
            ),
            "/grants/0/third_parties": ("", "unstated", "yes", 1, True),
            "/grants/0/third_party_consents": ("", None, [1], ["x"], {}),
            "/grants/0/entrusted_by": ("", "unknown", True, 1),
            "/giver/partner": ("", "nobody", 1, []),
            "/act/method": ("", "fax", None, 1),
            "/act/evidence/sha256": ("", "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n", None, 1),
            "/act/evidence/kept_at": ("x" * 121, 1, ""),
            "/act/special_circumstances": ("", "haste", 1),
            "/act/evidence/media_type": ("", "pdf", "a/b\n", 1),
            "/information/explained_by": ("", "Frau Müller", "x" * 33, "B-12\n", None, 1),
            "/information/interpreter/kind": ("", "robot", None, 1),
            "/act/given_at": tuple(BAD_INSTANTS.values()),
            "/valid_from": tuple(BAD_INSTANTS.values())[:-1],
            "/valid_until": tuple(BAD_INSTANTS.values())[:-1],
            "/text/language": (1, None),
            "/text/id": (1, None),
        },
    )
    yield changed(good, "a note that is no text", put("/act/evidence/kept_at", "\ud800"), None)
    yield changed(good, "unknown member of a grant", put("/grants/0/note", "x"), "/grants/0/note")
    yield changed(good, "unknown member of the act", put("/act/note", "x"), "/act/note")
    yield changed(good, "given tomorrow", put("/act/given_at", "2999-01-01T00:00:00.000000Z"), None, 400, 422)
    yield changed(good, "ends before it begins", put("/valid_until", "2001-01-01T00:00:00.000000Z"), None, 400, 422)
    yield changed(good, "unknown text", put("/text/id", "0190b9f0-0000-7000-8000-000000000000"), None, 400, 422)
    yield changed(good, "text that is no id", put("/text/id", "leaflet"), None, 400, 422)
    yield changed(good, "unknown language", put("/text/language", "tlh"), None, 400, 422)
