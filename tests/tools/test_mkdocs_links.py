"""The steps of `make docs` that are our own: links out of the site, and what a page may load."""

import pytest
from tools.mkdocs_links import LoadsFromElsewhere, on_page_markdown, on_post_page


def test_links_out_of_the_site_become_words() -> None:
    """A link to code or a test is words; one to a page or to another host stays."""
    page = "[a](../src/a.py) [b](../../tests/b.py) [c](../CONTRIBUTING.md) [d](design/locks.md#limits) [e](https://example.org)"
    assert on_page_markdown(page) == "a b c [d](design/locks.md#limits) [e](https://example.org)"


def test_a_page_of_this_site_alone_is_built() -> None:
    """Styles and scripts beside the page are loaded, and a link to elsewhere is no load."""
    page = (
        '<link rel="stylesheet" href="assets/a.css"><script src="../b.js"></script><a href="https://example.org">c</a>'
    )
    assert on_post_page(page) == page


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<link rel="preconnect" href="https://fonts.example" crossorigin>',
        "<img alt='' src=//cdn.example/a.png>",
    ],
)
def test_a_page_that_loads_from_elsewhere_is_refused(element: str) -> None:
    """A script, a font or a picture of another host ends the build."""
    with pytest.raises(LoadsFromElsewhere, match="example"):
        on_post_page(f"<p>words</p>{element}")
