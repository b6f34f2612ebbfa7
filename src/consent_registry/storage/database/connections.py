"""Connects to PostgreSQL: to another host only over verified TLS, unless a setting waives that. Nothing else connects.

Without `sslmode=verify-full` an attacker on the network could read and change all data, logins included. asyncpg's own
parser determines the hosts of an address, because it also reads the PG… variables and service files.
"""

import os
from ipaddress import ip_address
from typing import Any

import asyncpg
from asyncpg import connect_utils

from consent_registry.domain.errors import Unusable
from consent_registry.settings import tls_is_waived

# asyncpg has no public name for its parser. A test pins its answers, so that a change in asyncpg is noticed.
_read_address = getattr(connect_utils, "_parse_connect_dsn_and_args")  # noqa: B009 - unknown to its type stubs
_NOT_GIVEN = dict.fromkeys(
    (
        *("host", "port", "user", "password", "passfile", "database", "ssl", "service", "servicefile", "direct_tls"),
        *("server_settings", "target_session_attrs", "krbsrvname", "gsslib"),
    )
)


async def connect(dsn: str, **options: Any) -> asyncpg.Connection:  # noqa: ANN401 - as the driver takes them
    """Open a connection. Raises Unusable if it would leave this machine without verified TLS, else as asyncpg does."""
    require_private(dsn)
    return await asyncpg.connect(dsn, **options)


async def create_pool(dsn: str, **options: Any) -> asyncpg.Pool:  # noqa: ANN401 - as the driver takes them
    """Open a pool of connections. Raises as `connect` does."""
    require_private(dsn)
    return await asyncpg.create_pool(dsn, **options)


def require_private(dsn: str) -> None:
    """Raise Unusable if the address has a host other than this machine and would not verify its certificate. Raises
    UnsafeSetting for a misspelt waiver, wherever the database is.
    """
    is_waived = tls_is_waived(os.environ)
    addresses, parameters = _read_address(dsn=dsn, **_NOT_GIVEN)
    hosts = [address[0] for address in addresses if not isinstance(address, str)]
    others = [host for host in hosts if not _is_this_machine(host)]
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
