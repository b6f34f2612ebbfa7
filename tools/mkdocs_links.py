"""Two steps of `make docs`: links that leave the site become words, and a page that loads anything from another host is
refused.
"""

import re

# A link out of docs/, to code or a test: the site has no such page. That the file exists tests/test_release.py checks.
_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+(?:[A-Z]|\.ci/|deploy/|migrations/|openapi/|src/|tests/|tools/)[^)]*\)")
# Elements whose address a browser fetches by itself; an `a` is fetched when somebody follows it.
_LOADED = re.compile(
    r"<(?:script|img|iframe|source|link|video|audio|object|embed)\b[^>]*?(?:src|href|data)=[\"']?(?:https?:)?//[^>]*>"
)


class LoadsFromElsewhere(Exception):
    """A page would make its reader's browser call another host."""


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return a page without its links to files that are no pages; mkdocs calls this for each page."""
    return _OUTSIDE.sub(r"\1", markdown)


def on_post_page(output: str, **_: object) -> str:
    """Return the built page as it is; raises LoadsFromElsewhere. mkdocs calls this for each page."""
    found = _LOADED.search(output)
    if found is not None:
        raise LoadsFromElsewhere(found.group())
    return output
