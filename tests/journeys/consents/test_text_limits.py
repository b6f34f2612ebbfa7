"""A consent goes as far as the text that the client was shown, and no earlier or later than the text was in use."""

from datetime import UTC, date, datetime, timedelta

import pytest

from consent_registry.domain.berlin import day_in_berlin, midnight_in_berlin
from consent_registry.domain.instants import format_instant
from tests.journeys.consents.test_informed import publish
from tests.support.flag_scene import refusals
from tests.support.installation import Registry
from tests.support.office import Body, office
from tests.support.small_network import consent_body, question

FORM = "5e" * 32
LEFT_OVER = {"text_published_later", "text_out_of_use"}
SUPPORT = {"sender": "north", "recipient": "south", "purpose": "support"}
NARROW = [
    SUPPORT | {"categories": ["identity", "contact"]},
    SUPPORT | {"purpose": "housing", "categories": ["identity"]},
]


def beyond(number: int = 0, category: int | None = None) -> set[tuple[str, str]]:
    """The fault of a grant, or of one of its categories, that the text does not cover."""
    place = f"/grants/{number}"
    return {("text_does_not_cover", place if category is None else f"{place}/categories/{category}")}


@pytest.mark.parametrize(
    ("grant", "refused"),
    [
        ({}, set()),
        ({"categories": ["contact"]}, set()),
        ({"categories": ["contact", "health", "identity"], "explicit": True}, beyond(0, 1)),
        ({"purpose": "housing", "categories": ["identity", "contact"]}, beyond(0, 1)),
        ({"sender": "south", "recipient": "north", "categories": ["identity"]}, beyond()),
        ({"answer": "refused", "categories": ["health"]}, beyond(0, 0)),
    ],
)
async def test_a_consent_is_within_its_text(registry: Registry, grant: Body, refused: set[tuple[str, str]]) -> None:
    """A flow, a direction, a category or a refusal about which the text does not ask is refused at its place."""
    north, text = await office(registry, "north"), await publish(registry, covers=NARROW)
    body = consent_body(await north.client(), text, **grant)
    if refused:
        assert await refusals(north, body) == refused
        # The network's own text asks about all of it.
        body["text"]["id"] = north.text
    await north.post("/consents", body)


async def test_a_recipient_is_not_reached_by_a_text_about_others(registry: Registry) -> None:
    """A text about north and south permits nothing to east, whose turn comes with a text of its own."""
    north, text = await office(registry, "north"), await publish(registry, covers=NARROW)
    body = consent_body(await north.client(), text)
    body["grants"].append(SUPPORT | {"recipient": "east", "categories": ["identity"]})
    assert beyond(1) <= await refusals(north, body)


async def test_texts_say_what_they_cover(registry: Registry) -> None:
    """What was published is in the answer, in the list and in the log."""
    text = await publish(
        registry,
        covers=NARROW,
        informs=["voluntary", "complaint", "registry", "onward", "special_explicit", "after_withdrawal"],
    )
    north = await office(registry, "north")
    shown = await north.get(f"/texts/{text}")
    assert shown["covers"] == NARROW
    assert shown["informs"] == ["voluntary", "complaint", "registry", "special_explicit", "after_withdrawal", "onward"]
    today = str(day_in_berlin(datetime.now(UTC)))
    assert (shown["in_use_since"], shown["in_use_until"], shown["form_sha256"]) == (today, None, None)
    assert shown in (await north.get("/texts?limit=200"))["items"]


def noon(day: date) -> str:
    """Noon of a German day."""
    return format_instant(midnight_in_berlin(day) + timedelta(hours=12))


@pytest.mark.parametrize(
    ("given_at", "refused"),
    [
        (midnight_in_berlin(date(2025, 3, 1)) - timedelta(microseconds=1), True),
        (midnight_in_berlin(date(2025, 3, 1)), False),
        (midnight_in_berlin(date(2025, 9, 28)) + timedelta(hours=23, minutes=59), False),
        (midnight_in_berlin(date(2025, 9, 29)), True),
    ],
)
async def test_a_consent_was_given_while_its_text_was_in_use(
    registry: Registry, given_at: datetime, refused: bool
) -> None:
    """From the first German day on, and until 90 days after the last (30 June): to the microsecond."""
    north = await office(registry, "north")
    text = await publish(registry, in_use_since="2025-03-01", in_use_until="2025-06-30", form_sha256=FORM)
    body = consent_body(await north.client(), text)
    body["act"]["given_at"] = format_instant(given_at)
    if refused:
        assert await refusals(north, body) == {("text_not_in_use", "/act/given_at")}
    else:
        await north.post("/consents", body)


async def test_an_older_paper_and_a_form_that_was_left_over_are_remarked(registry: Registry) -> None:
    """`text_published_later` before the day of publishing, `text_out_of_use` after the last day; both stay lawful."""
    north = await office(registry, "north")
    today = day_in_berlin(datetime.now(UTC))
    yesterday, long_ago = today - timedelta(days=1), today - timedelta(days=300)
    cases = (
        ({"in_use_since": str(long_ago)}, long_ago, {"text_published_later"}),
        ({"in_use_since": str(long_ago), "in_use_until": str(yesterday)}, yesterday, {"text_published_later"}),
        (
            {"in_use_since": str(long_ago), "in_use_until": str(long_ago)},
            long_ago + timedelta(days=90),
            LEFT_OVER,
        ),
    )
    for days, given, expected in cases:
        text = await publish(registry, form_sha256=FORM, **days)
        client = await north.client()
        body = consent_body(client, text)
        body["act"]["given_at"] = noon(given)
        made = await north.post("/consents", body)
        assert {remark["code"] for remark in made["remarks"]} == expected
        assert (await north.post("/decisions", question(client), 200))["outcome"] == "permit"
    text = await publish(registry, form_sha256=FORM, in_use_since=str(long_ago), in_use_until=str(yesterday))
    made = await north.post("/consents", consent_body(await north.client(), text))
    assert {remark["code"] for remark in made["remarks"]} == {"text_out_of_use"}
    text = await publish(registry)
    assert (await north.post("/consents", consent_body(await north.client(), text)))["remarks"] == []


async def test_a_text_of_tomorrow_is_not_used_today(registry: Registry) -> None:
    """A text may be published before it is in use; a consent on it has to wait."""
    north = await office(registry, "north")
    tomorrow = day_in_berlin(datetime.now(UTC)) + timedelta(days=1)
    text = await publish(registry, in_use_since=str(tomorrow))
    assert await refusals(north, consent_body(await north.client(), text)) == {("text_not_in_use", "/act/given_at")}


@pytest.mark.parametrize(
    ("begins", "ends", "refused"),
    [
        ("2026-02-28T23:30:00Z", "2028-02-29T23:30:00Z", False),
        ("2026-02-28T23:30:00Z", "2028-02-29T23:30:00.000001Z", True),
        ("2026-03-29T00:30:00Z", "2028-03-28T23:30:00Z", False),
        ("2026-03-29T00:30:00Z", "2400-01-01T00:00:00Z", True),
    ],
)
async def test_a_consent_lasts_two_years_at_most(registry: Registry, begins: str, ends: str, refused: bool) -> None:
    """24 months of the German calendar: after 1 March 00:30 in Berlin they end in Berlin; by the default they do."""
    north = await office(registry, "north")
    body = consent_body(await north.client(), north.text, valid_until=ends)
    body["act"]["given_at"] = begins
    if refused:
        assert await refusals(north, body) == {("valid_until", "/grants/0/valid_until")}
        del body["grants"][0]["valid_until"]
    await north.post("/consents", body)
