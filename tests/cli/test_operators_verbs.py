"""An operator sets up a registry with the verbs only, from an empty database to a token; unsafe steps are refused."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from consent_registry.cli.demo import DATABASE
from consent_registry.demo.documents import (
    FOLDER,
)
from consent_registry.process.postgres.cluster import Cluster, prepare
from consent_registry.storage.database.migration_files import read_functions, read_migrations
from consent_registry.storage.database.provisioning import create_database, create_roles
from consent_registry.storage.database.roles import role_names
from tests.cli.test_command_line import run
from tests.process.test_supervisor import free_port, until
from tests.support.installation import ROLES as DEFAULT_ROLES
from tests.support.installation import Registry

PREFIX = f"verbs_{uuid.uuid4().hex[:8]}"
ROLES = role_names(PREFIX)
ORIGIN = "registry.test/herne"


@dataclass(frozen=True, slots=True)
class Ground:
    """An empty database, a folder for keys, and the environment of `serve` as an operator would set it."""

    cluster: Cluster
    database: str
    keys: Path
    port: int

    def environment(self, role: str = "app") -> dict[str, str]:
        """Return the settings with the login of a role."""
        return {
            "CONSENT_REGISTRY_DATABASE_URL": self.cluster.dsn(user=ROLES[role], database=self.database),
            "CONSENT_REGISTRY_KEYS": str(self.keys),
            "CONSENT_REGISTRY_ISSUER": f"http://127.0.0.1:{self.port}",
            "CONSENT_REGISTRY_ROLE_PREFIX": PREFIX,
        }


def said(*words: str, **environment: str) -> str:
    """Run a verb that succeeds and return its output."""
    result = run(*words, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(*words: str, **environment: str) -> str:
    """Run a verb that is refused: exit code 1 and one line, which is returned."""
    result = run(*words, **environment)
    assert result.returncode == 1, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Make a database with the roles that the verb printed, as an administrator does, twice."""
    database = f"{PREFIX}_database"
    administrator = await asyncpg.connect(cluster.dsn())
    await administrator.execute(f"create database {database}")
    printed = said("roles", CONSENT_REGISTRY_ROLE_PREFIX=PREFIX)
    assert printed == said("roles", "--prefix", PREFIX)
    inside = await asyncpg.connect(cluster.dsn(database=database))
    await inside.execute(printed)
    await inside.execute(printed)
    await inside.close()
    yield Ground(cluster, database, tmp_path_factory.mktemp("operator") / "keys", free_port())
    await administrator.execute(f"drop database {database} with (force)")
    await administrator.execute("".join(f"drop role {name};" for name in ROLES.values()))
    await administrator.close()


async def test_from_an_empty_database_to_a_token(ground: Ground) -> None:
    """After migrate, keys, network, credential and serve, a partner gets its token."""
    assert "no schema yet" in refused("serve", **(ground.environment() | _with_other_keys(ground)))
    migrated = said("migrate", **ground.environment("migrator")).split()
    names = [file.name for file in (*read_functions().for_tables, *read_migrations(), *read_functions().others)]
    assert migrated[: len(names)] == names
    assert said("migrate", **ground.environment("migrator")) == "up to date\n"

    assert "is missing" in refused("keys", str(ground.keys))
    listed = said("keys", str(ground.keys), "--make")
    assert listed == said("keys", str(ground.keys))
    assert [line.split()[0] for line in listed.splitlines()] == ["digest", "sealing", "token", "log"]
    secrets = [path.read_text().split('"')[-2] for path in ground.keys.iterdir()]
    assert not any(secret in listed for secret in secrets)

    app = ground.environment()
    folder = _with_a_partner_called_all(ground)
    line = refused("network", str(folder), "herne", "--log-origin", ORIGIN, **app)
    assert "/partners/0/slug: 'all' is a word" in line
    assert "(reserved_slug)" in line
    assert ORIGIN in said("network", str(FOLDER), "herne", "--log-origin", ORIGIN, **app)
    _set_policies(ground, app)
    assert "is set up already" in refused("network", str(FOLDER), "herne", "--log-origin", "other", **app)
    assert "nowhere" in refused("network", str(FOLDER), "nowhere", "--log-origin", ORIGIN, **app)
    assert "there is no network" in refused("credential", "nowhere", **app)
    assert "is not a partner of herne" in refused("credential", "herne", "nobody", **app)
    lines = said("credential", "herne", "herne-soziales", **app).split()
    assert lines[0::2] == ["client_id", "client_secret"]
    _serve_and_ask(ground, lines[1], lines[3])
    dpo = said("credential", "herne", "herne-soziales", "--dpo", **app).split()
    assert dpo[0::2] == ["client_id", "client_secret"]
    assert "herne.herne-soziales." in dpo[1]
    assert dpo[1] != lines[1]
    assert "A DPO is one partner's" in refused("credential", "herne", "--dpo", **app)
    assert "has no coordinating post" in refused("credential", "herne", "herne-soziales", "--coordinating", **app)
    assert "not for both" in refused("credential", "herne", "herne-soziales", "--dpo", "--coordinating", **app)


def _set_policies(ground: Ground, app: dict[str, str]) -> None:
    """Show policies and set others: each version is recorded, and a fault is named with its place."""
    shown = json.loads(said("policy", "show", "herne", **app))
    assert shown["quotas"] == {"decisions": None, "batch_items": None, "writes": 6000, "reads": 6000, "tokens": 600}
    file = ground.keys.parent / "policies.json"
    file.write_text(json.dumps(shown | {"quotas": {"writes": 7, "tokens": None}, "evidence_may_follow": True}))
    assert "version 2, set by B-12" in said("policy", "set", "herne", str(file), "--staff", "B-12", **app)
    held = json.loads(said("policy", "show", "herne", **app))
    assert held["quotas"] == {"decisions": 60000, "batch_items": 300000, "writes": 7, "reads": 6000, "tokens": None}
    assert held["evidence_may_follow"]
    assert "hold already, as version 2" in refused("policy", "set", "herne", str(file), "--staff", "B-12", **app)
    assert "set_by must be" in refused("policy", "set", "herne", str(file), "--staff", "Mrs B", **app)
    for written, told in (
        ('{"quotas": {"writes": 0}}', "/quotas/writes"),
        ('{"quotas": {"writes": 10000001}}', "/quotas/writes"),
        ('{"quotas": {"shiny": 1}}', "/quotas/shiny"),
        ('{"shiny": true}', "/shiny"),
        ('{"quotas": {}, "quotas": {}}', "'quotas' stands twice"),
        ("quotas", "not JSON"),
    ):
        file.write_text(written)
        assert told in refused("policy", "set", "herne", str(file), "--staff", "B-12", **app)
    assert "no such network" in refused("policy", "show", "nowhere", **app)
    assert json.loads(said("policy", "show", "herne", **app)) == held


def _with_a_partner_called_all(ground: Ground) -> Path:
    """The demonstration's documents, with the first partner of Herne renamed."""
    folder = shutil.copytree(FOLDER, ground.keys.parent / "documents")
    document = folder / "networks" / "herne.json"
    slug = json.loads(document.read_bytes())["partners"][0]["slug"]
    document.write_text(document.read_text().replace(f'"{slug}"', '"all"'))
    return folder


def _with_other_keys(ground: Ground) -> dict[str, str]:
    """Make valid keys, for a refusal with another cause."""
    folder = ground.keys.parent / "other"
    said("keys", str(folder), "--make")
    return {"CONSENT_REGISTRY_KEYS": str(folder)}


def _serve_and_ask(ground: Ground, client_id: str, client_secret: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
    command = [sys.executable, "-m", "consent_registry", "serve", "--port", str(ground.port)]
    url = f"http://127.0.0.1:{ground.port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/ready").status_code == 200
        except httpx.TransportError:
            return False

    with subprocess.Popen(command, env=clean | ground.environment(), stdin=subprocess.DEVNULL) as serving:
        try:
            until(ready, 30)
            form = {"grant_type": "client_credentials"}
            token = httpx.post(f"{url}/oauth/token", data=form, auth=(client_id, client_secret)).json()["access_token"]
            me = httpx.get(f"{url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}).json()
        finally:
            serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0
    assert (me["network"], me["partner"]) == ("herne", "herne-soziales")


def test_migrate_needs_a_login() -> None:
    """Without a database URL the verb names the missing setting."""
    assert "CONSENT_REGISTRY_DATABASE_URL" in refused("migrate")


EARLIER = """
    create schema if not exists registry;
    create table registry.schema_migrations (version integer primary key, name text not null, sha256 text not null);
    insert into registry.schema_migrations values (1, '0001_ground.sql', '');
"""


async def test_a_database_of_before_is_refused_by_every_verb(cluster: Cluster, tmp_path: Path) -> None:
    """What was set up before the first release is named in one line with what to remove, and left as it is."""
    database = f"{PREFIX}_before"
    administrator = await asyncpg.connect(cluster.dsn())
    await administrator.execute(f"create database {database}")
    address = cluster.dsn(database=database)
    inside = await asyncpg.connect(address)
    await create_roles(address)
    await inside.execute(EARLIER)
    owner, migrator = DEFAULT_ROLES["owner"], DEFAULT_ROLES["migrator"]
    await inside.execute(f"alter table registry.schema_migrations owner to {owner}")
    begin = "this database was set up before the first release"
    line = refused("migrate", CONSENT_REGISTRY_DATABASE_URL=cluster.dsn(user=migrator, database=database))
    assert begin in line
    assert "remove the database, with the keys and the files that belong to it, and begin anew" in line
    data = tmp_path / "data"
    environment = {"CONSENT_REGISTRY_DATABASE_URL": address}
    line = refused("demo", "--data", str(data), "--port", str(free_port()), **environment)
    assert begin in line
    assert f"remove that database and {data}, and begin anew" in line
    assert await inside.fetchval("select count(*) from pg_class where relnamespace = 'registry'::regnamespace") == 2
    await inside.close()
    await administrator.execute(f"drop database {database} with (force)")
    await administrator.close()


def test_a_demonstration_of_before_is_refused(open_folder: Callable[[str], Path]) -> None:
    """The demonstration's own database of before the first release: one line, which names the folder to remove."""
    data = open_folder("before") / "data"
    cluster = prepare(data, sync=False)
    cluster.start()

    async def set_up() -> None:
        await create_database(cluster.dsn(), DATABASE)
        connection = await asyncpg.connect(cluster.dsn(database=DATABASE))
        await connection.execute(EARLIER)
        await connection.execute(
            f"create role {DEFAULT_ROLES['owner']}; alter schema registry owner to {DEFAULT_ROLES['owner']};"
            f"alter table registry.schema_migrations owner to {DEFAULT_ROLES['owner']}"
        )
        await connection.close()

    asyncio.run(set_up())
    cluster.stop()
    result = run("demo", "--data", str(data), "--port", str(free_port()))
    assert result.returncode == 1, result.stdout + result.stderr
    (line,) = [line for line in result.stderr.splitlines() if "first release" in line]
    assert f"remove {data}, and begin anew" in line
    assert "Traceback" not in result.stderr


async def test_demo_keeps_away_from_a_real_network(registry: Registry, tmp_path: Path) -> None:
    """The demonstration refuses a real network's database before it changes a role, a password or a row."""
    async with registry.sql() as owner:
        state = "select array_agg(rolpassword order by rolname), (select count(*) from registry.events) from pg_authid"
        before = await owner.fetchrow(state)
        address = registry.installation.dsn(registry.database, "postgres")
        line = refused(
            "demo", "--data", str(tmp_path / "data"), "--port", str(free_port()), CONSENT_REGISTRY_DATABASE_URL=address
        )
        assert "holds a real network" in line
        assert await owner.fetchrow(state) == before
