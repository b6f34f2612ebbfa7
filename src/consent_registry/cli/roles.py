"""`consent-registry roles`: print the SQL that a database administrator runs once."""

import os

from consent_registry.storage.database.roles import DEFAULT_PREFIX, roles_sql


def roles(*, prefix: str | None = None) -> None:
    """Print the SQL that makes the roles and the empty schema. It can be run again.

    Parameters
    ----------
    prefix
        Prefix of the role names. The default is CONSENT_REGISTRY_ROLE_PREFIX, else consent_registry.
    """
    print(roles_sql(prefix or os.environ.get("CONSENT_REGISTRY_ROLE_PREFIX", DEFAULT_PREFIX)), end="")
