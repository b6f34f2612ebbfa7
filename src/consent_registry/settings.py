"""Settings: what `CONSENT_REGISTRY_…` in the environment says, checked once at the start."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

PREFIX = "CONSENT_REGISTRY_"


class UnsafeSetting(Exception):
    """A setting is missing or unsafe; the message is the one line the operator sees."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How this installation runs. Names in the environment are these in capitals after CONSENT_REGISTRY_."""

    database_url: str
    keys: Path
    issuer: str
    pool_size: int = 10
    demonstration: bool = False
    log_public: bool = False


class SealerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a sealer runs, perhaps on a machine of its own: `keys` needs to hold `log.json` only."""

    sealer_database_url: str
    sealer_state: Path
    keys: Path
    witness_policy: Path | None = None


S = TypeVar("S", Settings, SealerSettings)


def read_sealer_settings(environment: Mapping[str, str]) -> SealerSettings:
    """The sealer's settings in an environment; raises UnsafeSetting with one clear line."""
    return _read(environment, SealerSettings)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in an environment; raises UnsafeSetting with one clear line."""
    settings = _read(environment, Settings)
    issuer = urlsplit(settings.issuer)
    if issuer.scheme not in {"http", "https"} or not issuer.hostname or settings.issuer.endswith("/") or issuer.query:
        raise UnsafeSetting(
            f"{PREFIX}ISSUER must be a URL without a slash at its end, for example https://registry.example"
        )
    if issuer.scheme == "http" and issuer.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise UnsafeSetting(f"{PREFIX}ISSUER must be https outside this machine: tokens travel under it")
    return settings


def _read(environment: Mapping[str, str], kind: type[S]) -> S:
    known = {
        name: environment[PREFIX + name.upper()]
        for name in kind.__struct_fields__
        if PREFIX + name.upper() in environment
    }
    try:
        return msgspec.convert(known, kind, strict=False, dec_hook=lambda made, value: made(value))
    except msgspec.ValidationError as error:
        raise UnsafeSetting(f"settings: {error}; names in the environment begin with {PREFIX}") from error
