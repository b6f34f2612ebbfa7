"""`make rules`: write docs/rules.md from its template and the tables of the law."""

from pathlib import Path

from tools.rules.page import rules_page

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def main() -> None:
    """Write the page."""
    PAGE.write_text(rules_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
