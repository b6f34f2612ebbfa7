"""The one place that connects to PostgreSQL: to another host over verified TLS alone, unless that is waived.

Without `sslmode=verify-full` whoever sits between could read and alter everything, logins too. Where a connection goes
is asked of the driver's own reading of the address, which knows the PG… variables and service files as well.
"""

import os
from ipaddress import ip_address
from typing import Any

import asyncpg
from asyncpg import connect_utils

from consent_registry.domain.errors import Unusable
from consent_registry.settings import tls_is_waived

# The driver has no public name for it; a test holds what it answers, so that another release of it is noticed.
_read_address = getattr(connect_utils, "_parse_connect_dsn_and_args")  # noqa: B009 - unknown to its type stubs
_NOT_GIVEN = dict.fromkeys(
    (
        *("host", "port", "user", "password", "passfile", "database", "ssl", "service", "servicefile", "direct_tls"),
        *("server_settings", "target_session_attrs", "krbsrvname", "gsslib"),
    )
)


async def connect(dsn: str, **options: Any) -> asyncpg.Connection:  # noqa: ANN401 - as the driver takes them
    """A connection; raises Unusable for one that would leave this machine without verified TLS, else as the driver."""
    require_private(dsn)
    return await asyncpg.connect(dsn, **options)


async def create_pool(dsn: str, **options: Any) -> asyncpg.Pool:  # noqa: ANN401 - as the driver takes them
    """A pool; raises as `connect`."""
    require_private(dsn)
    return await asyncpg.create_pool(dsn, **options)


def require_private(dsn: str) -> None:
    """Raise Unusable when some host of the address is another one and its certificate would not be verified, and
    UnsafeSetting for a waiver that is spelt wrong, wherever the database is.
    """
    is_waived = tls_is_waived(os.environ)
    places, parameters = _read_address(dsn=dsn, **_NOT_GIVEN)
    others = [host for host, _ in (one for one in places if not isinstance(one, str)) if not _is_this_machine(host)]
    if not others or parameters.sslmode >= connect_utils.SSLMode.verify_full or is_waived:
        return
    raise Unusable(
        f"the database on {others[0]} would be reached without verified TLS: add sslmode=verify-full (and sslrootcert) "
        "to its address, or waive that with CONSENT_REGISTRY_DATABASE_TLS=unverified"
    )


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
