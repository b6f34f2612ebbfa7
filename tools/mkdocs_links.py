"""Two hooks of `make docs`: links to files outside the site become text, and pages that load from other hosts fail."""

import re

# A link from docs/ to code or a test, which is no page of the site. tests/test_release.py checks that the file exists.
_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+(?:[A-Z]|\.ci/|deploy/|migrations/|openapi/|src/|tests/|tools/)[^)]*\)")
# Elements whose address a browser loads by itself, so not `a`.
_LOADED = re.compile(
    r"<(?:script|img|iframe|source|link|video|audio|object|embed)\b[^>]*?(?:src|href|data)=[\"']?(?:https?:)?//[^>]*>"
)


class LoadsFromElsewhere(Exception):
    """A page would make the reader's browser call another host."""


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return a page without its links to files that are no pages; mkdocs calls this for each page."""
    return _OUTSIDE.sub(r"\1", markdown)


def on_post_page(output: str, **_: object) -> str:
    """Return the built page as it is; raises LoadsFromElsewhere. mkdocs calls this for each page."""
    found = _LOADED.search(output)
    if found is not None:
        raise LoadsFromElsewhere(found.group())
    return output
