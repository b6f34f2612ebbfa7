"""What events of texts stand for: published, void, stale."""

import pytest

from consent_registry.domain.events.expected_rows import NOT_SAID
from tests.domain.events.logged import Row, event, instant, told

# Each event with what it stands for beside the time at which it was recorded.
TOLD: dict[str, tuple[Row, dict[str, list[Row]]]] = {
    "text_invalidation": (
        {"id": "i", "text": "t", "language": None, "reason": "form", "consents": 2},
        {"text_invalidations": [{"invalidation_id": "i", "text_id": "t", "language": None, "reason": "form"}]},
    ),
    "stale_translation": (
        {"id": "i", "text": "t", "language": "en", "reason": "outdated"},
        {"stale_translations": [{"staling_id": "i", "text_id": "t", "language": "en", "reason": "outdated"}]},
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


def test_a_published_text_tells_its_languages() -> None:
    """What is stored is what was published, byte for byte."""
    german = {"language": "de", "sha256": "aa", "translation_of": "aa", "aliases": {}}
    languages = [german, {"language": "en", "sha256": "bb", "translation_of": "aa", "aliases": {"purposes": {}}}]
    more = {"in_use_since": "2026-01-31", "in_use_until": "2026-12-31", "form_sha256": "f0"}
    covers = [{"sender": "a"}]
    published = event("text", 1, text="t", version="10", languages=languages, informs=["copy"], covers=covers, **more)
    assert told(published) == {
        "texts": [
            {
                "version": "10",
                "text_id": "t",
                "asked_flows": covers,
                **more,
                "informs": ("copy",),
                "recorded_at": instant(1),
            }
        ],
        "text_languages": [
            {"text_id": "t", "language": "de", "sha256": "aa", "content": "aa", "translation_of": "aa", "aliases": {}},
            {"text_id": "t", "language": "en", "sha256": "bb", "content": "bb", **languages[1]},
        ],
    }


def test_the_first_texts_did_not_say_what_they_cover() -> None:
    """What an early event does not say of a text is compared with nothing."""
    languages = [{"language": "de", "sha256": "aa", "translation_of": "aa"}]
    rows = told(event("text", 1, text="t", version="10", languages=languages))
    assert [rows["texts"][0][name] for name in ("asked_flows", "informs", "in_use_since", "form_sha256")] == [
        NOT_SAID
    ] * 4
    assert rows["text_languages"][0]["aliases"] is NOT_SAID
