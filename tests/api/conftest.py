"""The registry as a partner's software meets it: a demonstration server of its own, one for each test process."""

from collections.abc import Iterator

import pytest

from tests.campaigns.server import Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A registry with the demonstration's data; tests use clients of their own."""
    with running("api") as one:
        yield one
