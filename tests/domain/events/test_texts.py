"""What events of texts stand for: published, void, stale."""

import pytest

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
    language = {"language": "de", "sha256": "aa", "translation_of": "aa"}
    languages = [language, {"language": "en", "sha256": "bb", "translation_of": "aa"}]
    assert told(event("text", 1, text="t", version="10", languages=languages)) == {
        "texts": [{"version": "10", "text_id": "t", "recorded_at": instant(1)}],
        "text_languages": [
            {"text_id": "t", "language": "de", "sha256": "aa", "content": "aa", "translation_of": "aa"},
            {"text_id": "t", "language": "en", "sha256": "bb", "content": "bb", "translation_of": "aa"},
        ],
    }
