"""The settings: `CONSENT_REGISTRY_…` in the environment, checked once at the start."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

PREFIX = "CONSENT_REGISTRY_"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
REQUIRED = ("DATABASE_URL", "KEYS", "ISSUER")
SEALER_REQUIRED = ("SEALER_DATABASE_URL", "SEALER_STATE", "KEYS")
# The shortest prefix of a trusted proxy's network. A wider network would trust a part of the internet.
WIDEST = 8
LARGEST = 1000

IpNetworks = tuple[IPv4Network | IPv6Network, ...]


class UnsafeSetting(Exception):
    """A setting is missing or unsafe; the message is one line for the operator."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The server's settings. Each is read from the environment: CONSENT_REGISTRY_ and the name in capitals."""

    database_url: str
    keys: Path
    issuer: str
    pool_size: int = 10
    oversight_pool_size: int = 2
    oversight_queue: int = 20
    even_ms: int = 5
    workers: int = 1
    # Three times this for withdrawals and redeemed codes. On two busy cores a withdrawal of 52 grants under 15 client
    # numbers took 70 ms, an act on one consent 30.
    even_acts_ms: int = 50
    body_seconds: int = 30
    log_public: bool = False
    access_log: bool = False
    trusted_proxies: IpNetworks = ()
    erasure_ledger: Path | None = None
    sealer_state: Path | None = None

    @property
    def connections(self) -> int:
        """The number of database connections that a worker may open."""
        return self.pool_size + self.oversight_pool_size

    @property
    def is_reached_over_tls(self) -> bool:
        """Whether partners reach the registry over https, through its proxy."""
        return urlsplit(self.issuer).scheme == "https"


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Each worker's limits on the time and number of connections, read from the environment like Settings."""

    head_seconds: int = 20
    """Limit for the head of a request, from the connection or the previous answer on."""
    reader_seconds: int = 30
    """Limit for the time in which a caller reads nothing of its answer."""
    connections: int = 3000
    pool_size: int = 10


class SealerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A sealer's settings. It may run on another machine: its `keys` folder needs only `log.json`."""

    sealer_database_url: str
    sealer_state: Path
    keys: Path
    witness_policy: Path | None = None


OTHER_NAMES = (
    "AUDITOR_DATABASE_URL",
    "DATABASE_TLS",
    "ERASER_DATABASE_URL",
    "MIGRATOR_DATABASE_URL",
    "ROLE_PREFIX",
    "WITNESS",
)
"""Names in the environment that belong to one verb and to no settings structure."""


def known_names() -> frozenset[str]:
    """All setting names, without the prefix."""
    members = (*Settings.__struct_fields__, *ConnectionLimits.__struct_fields__, *SealerSettings.__struct_fields__)
    return frozenset(member.upper() for member in members) | frozenset(OTHER_NAMES)


def refuse_unknown_names(environment: Mapping[str, str]) -> None:
    """Raise UnsafeSetting for an unknown name with the prefix, because a mistyped setting would have no effect."""
    known = known_names()
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.removeprefix(PREFIX) not in known:
            near = get_close_matches(name.upper().removeprefix(PREFIX), known, n=1, cutoff=0.0)
            raise UnsafeSetting(f"{name} is no setting of the registry: unset it, or did you mean {PREFIX}{near[0]}?")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the server's settings from an environment; raises UnsafeSetting."""
    refuse_unknown_names(environment)
    _require(environment, REQUIRED)
    return Settings(
        database_url=environment[PREFIX + "DATABASE_URL"],
        keys=Path(environment[PREFIX + "KEYS"]),
        issuer=_issuer(environment[PREFIX + "ISSUER"]),
        pool_size=_number(environment, "POOL_SIZE", 10, least=2),
        oversight_pool_size=_number(environment, "OVERSIGHT_POOL_SIZE", 2, least=1),
        oversight_queue=_number(environment, "OVERSIGHT_QUEUE", 20, least=1),
        even_ms=_number(environment, "EVEN_MS", 5, least=1),
        workers=_number(environment, "WORKERS", 1, least=1),
        even_acts_ms=_number(environment, "EVEN_ACTS_MS", 50, least=1),
        body_seconds=_number(environment, "BODY_SECONDS", 30, least=1),
        log_public=_yes(environment, "LOG_PUBLIC"),
        access_log=_yes(environment, "ACCESS_LOG"),
        trusted_proxies=_trusted_proxies(environment.get(PREFIX + "TRUSTED_PROXIES", "")),
        erasure_ledger=_path(environment, "ERASURE_LEDGER"),
        sealer_state=_path(environment, "SEALER_STATE"),
    )


def read_limits(environment: Mapping[str, str]) -> ConnectionLimits:
    """Read the limits from an environment; raises UnsafeSetting."""
    return ConnectionLimits(
        head_seconds=_number(environment, "HEAD_SECONDS", 20, least=1),
        reader_seconds=_number(environment, "READER_SECONDS", 30, least=1),
        connections=_number(environment, "CONNECTIONS", 3000, least=10, most=100_000),
        pool_size=_number(environment, "POOL_SIZE", 10, least=2),
    )


def read_sealer_settings(environment: Mapping[str, str]) -> SealerSettings:
    """Read the sealer's settings from an environment; raises UnsafeSetting."""
    refuse_unknown_names(environment)
    _require(environment, SEALER_REQUIRED)
    return SealerSettings(
        sealer_database_url=environment[PREFIX + "SEALER_DATABASE_URL"],
        sealer_state=Path(environment[PREFIX + "SEALER_STATE"]),
        keys=Path(environment[PREFIX + "KEYS"]),
        witness_policy=_path(environment, "WITNESS_POLICY"),
    )


def tls_is_waived(environment: Mapping[str, str]) -> bool:
    """Whether databases on other hosts may be reached without verified TLS; raises UnsafeSetting."""
    value = environment.get(PREFIX + "DATABASE_TLS", "verified")
    if value not in {"verified", "unverified"}:
        raise UnsafeSetting(f"{PREFIX}DATABASE_TLS is {value!r}: it must be verified or unverified")
    return value == "unverified"


def _require(environment: Mapping[str, str], names: Sequence[str]) -> None:
    missing = [PREFIX + name for name in names if not environment.get(PREFIX + name)]
    if missing:
        raise UnsafeSetting(f"set {', '.join(missing)}")


def require_proxy(settings: Settings, host: str) -> None:
    """Raise UnsafeSetting if other machines can reach the port and no trusted proxy (with TLS) is set."""
    if host not in LOOPBACK and not settings.trusted_proxies:
        raise UnsafeSetting(
            f"--host is {host} and {PREFIX}TRUSTED_PROXIES is not set, so tokens and references would travel in the "
            "clear: bind 127.0.0.1, or name the address of the proxy with TLS"
        )


def _issuer(value: str) -> str:
    try:
        issuer = urlsplit(value)
        sound = issuer.scheme in {"http", "https"} and issuer.hostname and issuer.port != 0
    except ValueError:  # for instance an incomplete IPv6 address, or a port that is not a number
        sound = False
    if not sound or value.endswith("/") or set(value) & set("?#@ "):
        raise UnsafeSetting(
            f"{PREFIX}ISSUER is {value!r}: it must be a URL without a slash at its end, like https://registry.example"
        )
    if issuer.scheme == "http" and issuer.hostname not in LOOPBACK:
        raise UnsafeSetting(f"{PREFIX}ISSUER is {value}: outside this machine it must be https, tokens travel under it")
    return value


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(PREFIX + name)
    return Path(value) if value else None


def _yes(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(PREFIX + name, "false").lower()
    if value not in {"true", "false"}:
        raise UnsafeSetting(f"{PREFIX}{name} is {value!r}: it must be true or false")
    return value == "true"


def _number(environment: Mapping[str, str], name: str, default: int, *, least: int, most: int = LARGEST) -> int:
    value = environment.get(PREFIX + name, str(default))
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise UnsafeSetting(f"{PREFIX}{name} is {value!r}: it must be a number from {least} to {most}")
    return int(value)


def _trusted_proxies(value: str) -> IpNetworks:
    networks: list[IPv4Network | IPv6Network] = []
    for name in filter(None, (part.strip() for part in value.split(","))):
        try:
            network = ip_network(name)
        except ValueError as error:
            raise UnsafeSetting(
                f"{PREFIX}TRUSTED_PROXIES has {name!r}, which is not an address or network: write it like 10.0.0.5 or "
                "10.0.0.0/28"
            ) from error
        if network.prefixlen < WIDEST:
            raise UnsafeSetting(
                f"{PREFIX}TRUSTED_PROXIES has {name}, which would trust everybody: name the proxies' own addresses"
            )
        networks.append(network)
    return tuple(networks)
