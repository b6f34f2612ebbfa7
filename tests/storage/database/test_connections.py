"""No program connects to a database on another machine without verified TLS, however its address is given."""

from pathlib import Path

import certifi
import pytest

from consent_registry.domain.errors import Unusable
from consent_registry.settings import UnsafeSetting
from consent_registry.storage.database import connections
from consent_registry.storage.database.connections import connect, create_pool, require_private
from consent_registry.storage.database.database import open_pool, session
from tests.cli.forks import Forks

SOURCES = Path(__file__).resolve().parents[3] / "src/consent_registry"
WAIVED = {"CONSENT_REGISTRY_DATABASE_TLS": "unverified"}
# Addresses that leave this machine, with the environment that has a part in it.
AWAY: list[tuple[str, dict[str, str]]] = [
    ("postgresql://app@db.example/registry", {}),
    ("postgres://app:secret@db.example:6432/registry?sslmode=require", {}),
    ("postgresql://app@db.example/registry?sslmode=disable", {}),
    ("postgresql://app@db.example/registry?sslmode=allow", {}),
    ("postgresql://app@db.example/registry?sslmode=prefer", {}),
    ("postgresql://app@10.0.0.7/registry", {}),
    ("postgresql://app@[2001:db8::7]/registry", {}),
    ("postgresql://app@0.0.0.0/registry", {}),
    ("postgresql://app@localhost.example/registry", {}),
    ("postgresql://app@127.0.0.1.example/registry", {}),
    ("postgresql://app@/registry?host=db.example", {}),
    ("postgresql://app@/registry?host=/tmp,db.example", {}),
    ("postgresql://app@127.0.0.1,db.example/registry", {}),
    ("postgresql://app@/registry", {"PGHOST": "db.example"}),
    ("postgresql://app@/registry", {"PGHOST": "db.example", "PGSSLMODE": "require"}),
    ("postgresql://app@db.example/registry?sslmode=prefer", {"PGSSLMODE": "verify-full"}),
]
HERE: list[tuple[str, dict[str, str]]] = [
    ("postgresql://app@127.0.0.1/registry", {}),
    ("postgresql://app@127.8.8.8:6432/registry?sslmode=disable", {}),
    ("postgresql://app@[::1]/registry", {}),
    ("postgresql://app@localhost/registry", {}),
    ("postgresql://app@/registry?host=/run/postgresql", {}),
    ("postgresql://app@/registry", {}),
    ("postgresql://app@/registry?host=%2Ftmp&sslmode=disable", {"PGHOST": "db.example"}),
]
# Every verb that connects, with the setting that says where to and what else it needs.
CONNECTING = {
    "serve": "DATABASE_URL",
    "seal": "SEALER_DATABASE_URL",
    "seal --status": "SEALER_DATABASE_URL",
    "log export /tmp/nowhere --network small": "DATABASE_URL",
    "migrate": "DATABASE_URL",
    "demo --data {}/data": "DATABASE_URL",
    "credential small north": "DATABASE_URL",
    "hold list small": "DATABASE_URL",
    "retention periods small": "DATABASE_URL",
    "retention preview small": "ERASER_DATABASE_URL",
    "erasure replay": "ERASER_DATABASE_URL",
    "erasure scrub": "MIGRATOR_DATABASE_URL",
    "audit replay": "AUDITOR_DATABASE_URL",
    "audit reconcile": "AUDITOR_DATABASE_URL",
    "audit bundle small {}/bundle": "AUDITOR_DATABASE_URL",
    "keys {keys}": "DATABASE_URL",
    "keys reseal {keys}": "MIGRATOR_DATABASE_URL",
}


def row(case: tuple[str, dict[str, str]]) -> str:
    """Name a row."""
    return " ".join([case[0], *(f"{name}={value}" for name, value in case[1].items())])


@pytest.mark.parametrize("case", AWAY, ids=row)
async def test_another_host_needs_verified_tls(
    case: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every way to connect refuses another host before it sends anything, with the cure and without the password,
    unless TLS is waived.
    """
    dsn, environment = case
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for attempt in (connect(dsn), create_pool(dsn), open_pool(dsn, 1), session(dsn).__aenter__()):
        with pytest.raises(Unusable, match="without verified TLS: add sslmode=verify-full") as raised:
            await attempt
        assert "secret" not in str(raised.value)
    for name, value in WAIVED.items():
        monkeypatch.setenv(name, value)
    require_private(dsn)


@pytest.mark.parametrize("case", HERE, ids=row)
def test_control_this_machine_needs_none(case: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: this machine's addresses and sockets are accepted without TLS."""
    for name, value in case[1].items():
        monkeypatch.setenv(name, value)
    require_private(case[0])


def test_verified_tls_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host is accepted with `verify-full` in the address or environment; `verify-ca` is refused, because it
    checks no name.
    """
    pem = Path(certifi.where())
    dsn = f"postgresql://app@db.example/registry?sslrootcert={pem}&sslmode="
    require_private(dsn + "verify-full")
    with pytest.raises(Unusable):
        require_private(dsn + "verify-ca")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    require_private(dsn.removesuffix("&sslmode="))
    monkeypatch.setenv("CONSENT_REGISTRY_DATABASE_TLS", "no")
    with pytest.raises(UnsafeSetting, match="it must be verified or unverified"):
        require_private("postgresql://app@db.example/registry?sslmode=disable")


@pytest.mark.parametrize("words", CONNECTING)
def test_every_verb_that_connects_refuses(forks: Forks, registry_keys: Path, tmp_path: Path, words: str) -> None:
    """Every verb that connects refuses with one line that names the cure."""
    (tmp_path / "heads").mkdir(mode=0o700)
    settings = {
        CONNECTING[words]: "postgresql://login@db.example/registry",
        "KEYS": str(registry_keys),
        "ISSUER": "https://registry.example",
        "SEALER_STATE": str(tmp_path / "heads"),
        "ERASURE_LEDGER": str(tmp_path / "ledger"),
    }
    given = words.format(tmp_path, keys=registry_keys).split()
    ended = forks.run(*given, environment={f"CONSENT_REGISTRY_{name}": value for name, value in settings.items()})
    assert ended.code in {1, 2}, ended
    assert len(ended.lines) == 1, ended
    assert "the database on db.example would be reached without verified TLS" in ended.err


@pytest.fixture(scope="module")
def registry_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of keys."""
    from datetime import UTC, datetime

    from consent_registry.storage.files.key_files import make_keys

    folder = tmp_path_factory.mktemp("keys") / "keys"
    make_keys(folder, datetime.now(UTC))
    return folder


def test_everybody_connects_here() -> None:
    """No other module calls asyncpg's functions that connect."""
    found = {
        path.name
        for path in SOURCES.rglob("*.py")
        if "asyncpg.connect(" in path.read_text() or "asyncpg.create_pool(" in path.read_text()
    }
    assert found == {Path(connections.__file__).name}
