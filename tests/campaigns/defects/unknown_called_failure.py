"""A registry that reports a commit with unknown outcome as failed (the campaign with cut connections must find it)."""

from litestar.types import ASGIApp

from consent_registry import app
from consent_registry.domain.errors import CannotRecord, OutcomeUnknown
from consent_registry.storage.database import database
from consent_registry.storage.database.database import Connection


async def commit(connection: Connection) -> None:
    """Commit as usual, and say that nothing was recorded when that is not known."""
    try:
        await _real(connection)
    except OutcomeUnknown as error:
        raise CannotRecord(retry_after=1) from error


def create_app() -> ASGIApp:
    """Return the real application with the defect in it."""
    vars(database)["_commit"] = commit
    return app.create_app()


_real = database._commit
