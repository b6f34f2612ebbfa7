"""The registry inside the test process: a database of its own, made from a template, and partners that call it."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
from litestar import Litestar

from consent_registry.app import create_app
from consent_registry.demo.documents import (
    SLUGS,
)
from consent_registry.demo.loader import load_network
from consent_registry.operations.catalogue.network_setup import establish_network, issue_credential
from consent_registry.operations.runtime.context import Runtime
from consent_registry.process.postgres.cluster import Cluster
from consent_registry.settings import IpNetworks, Settings
from consent_registry.storage.database.database import open_pool
from consent_registry.storage.database.migrations import migrate
from consent_registry.storage.database.provisioning import create_database, create_roles
from consent_registry.storage.database.roles import role_names
from consent_registry.storage.files.key_files import make_keys
from consent_registry.storage.keys.keyring import load_keys
from consent_registry.web.revocation import after_revocation_check
from tests.support.small_network import small_network

ISSUER = "https://registry.example"
TEMPLATE = "registry_template"
ROLES = role_names()


@dataclass(frozen=True, slots=True)
class Installation:
    """A template database with three networks, the keys it was made with, and each network's part of demo.json."""

    cluster: Cluster
    keys: Path
    networks: dict[str, dict[str, Any]]
    template: str = TEMPLATE

    def dsn(self, database: str, role: str = "app") -> str:
        """Return the address of a database as one of the roles, or as `postgres`."""
        return self.cluster.dsn(user=ROLES.get(role, role), database=database)

    @asynccontextmanager
    async def copy(self) -> AsyncIterator[str]:
        """Make a database from the template for the length of a block; gives its name."""
        name = f"registry_{uuid.uuid4().hex[:12]}"
        admin = await asyncpg.connect(self.cluster.dsn())
        try:
            await admin.execute(f"create database {name} template {self.template} strategy wal_log")
            # A copy has a database's usual privileges again, not those of its template.
            await admin.execute(f"revoke temporary on database {name} from public")
            yield name
            await admin.execute(f"drop database {name} with (force)")
        finally:
            await admin.close()


async def empty_database(cluster: Cluster, name: str) -> None:
    """Make a database with this release's schema, migrated by the migrator, who is no superuser."""
    await create_database(cluster.dsn(), name)
    await create_roles(cluster.dsn(database=name))
    await migrate(cluster.dsn(user=ROLES["migrator"], database=name))


async def install(cluster: Cluster, keys: Path) -> Installation:
    """Make the template: the small network, and two of the demonstration's, one of them without any agreement."""
    await empty_database(cluster, TEMPLATE)
    make_keys(keys, datetime.now(UTC))
    pool = await open_pool(cluster.dsn(user=ROLES["app"], database=TEMPLATE), 2)
    try:
        runtime = Runtime(pool, load_keys(keys), ISSUER)
        networks = {"small": await _small(runtime)}
        for slug in ("paderborn", "widunetz"):
            networks[slug] = await load_network(runtime, SLUGS.index(slug) + 1, slug)
    finally:
        await pool.close()
    return Installation(cluster, keys, networks)


async def _small(runtime: Runtime) -> dict[str, Any]:
    plan = small_network()
    await establish_network(runtime, plan)
    partners = []
    for partner in plan.partners:
        if partner.selectable:
            login = _login(await issue_credential(runtime, plan.network, partner))
            dpo = _login(await issue_credential(runtime, plan.network, partner, "dpo"))
            partners.append({"slug": partner.slug, **login, "dpo": dpo})
    admin = _login(await issue_credential(runtime, plan.network, None))
    return {"slug": plan.network.slug, "admin": admin, "partners": partners}


def _login(pair: tuple[str, str]) -> dict[str, str]:
    return {"client_id": pair[0], "client_secret": pair[1]}


@dataclass(slots=True)
class Partner:
    """A partner's system, or a network's administration, with the token it works with."""

    http: httpx.AsyncClient
    client_id: str
    client_secret: str
    token: str = ""

    async def sign_in(self, **form: str) -> httpx.Response:
        """Ask for a token and keep it when it is given."""
        pair = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        fields = {"grant_type": "client_credentials"} | form
        answer = await self.http.post("/oauth/token", data=fields, headers={"Authorization": f"Basic {pair}"})
        self.token = answer.json().get("access_token", "")
        return answer

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET below /api/v1."""
        return await self.http.get(f"/api/v1{path}", headers=self._headers(headers))

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """POST JSON below /api/v1 with a fresh Idempotency-Key; keywords are further headers, `_` for `-`."""
        given = {"Idempotency_Key": uuid.uuid4().hex} | headers
        return await self.http.post(f"/api/v1{path}", json=body, headers=self._headers(given))

    async def send(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        """POST bytes as they are, said to be JSON, with the given headers only."""
        given = self._headers({"Content_Type": "application/json"} | headers)
        return await self.http.post(f"/api/v1{path}", content=content, headers=given)

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} | {name.replace("_", "-"): more[name] for name in more}


@dataclass(slots=True, eq=False)
class Registry:
    """A running application on a database of its own."""

    installation: Installation
    database: str
    app: Litestar
    http: httpx.AsyncClient
    _partners: dict[tuple[str, str], Partner] = field(default_factory=dict)
    # Networks in which a story left rows in the tables that no event implies.
    planted: set[str] = field(default_factory=set)
    # The transaction before which everything was last found to agree with the log.
    read_until: int = -1

    def stranger(self, slug: str, network: str = "small") -> Partner:
        """Return a partner that has not signed in; the slug `admin` is the network's administration."""
        entry = self.installation.networks[network]
        pair = (
            entry["admin"]
            if slug == "admin"
            else next(partner for partner in entry["partners"] if partner["slug"] == slug)
        )
        return Partner(self.http, pair["client_id"], pair["client_secret"])

    def visited(self) -> list[str]:
        """Return the networks in which somebody signed in, so that something may have happened."""
        return sorted({network for network, _ in self._partners})

    async def partner(self, slug: str, network: str = "small") -> Partner:
        """Return a partner that has signed in, the same one each time."""
        return await self._signed_in((network, slug), self.stranger(slug, network))

    async def dpo(self, slug: str, network: str = "small") -> Partner:
        """Return a partner's DPO, signed in, the same one each time."""
        entry = next(partner for partner in self.installation.networks[network]["partners"] if partner["slug"] == slug)
        pair = entry["dpo"]
        return await self._signed_in(
            (network, f"dpo of {slug}"), Partner(self.http, pair["client_id"], pair["client_secret"])
        )

    async def _signed_in(self, name: tuple[str, str], stranger: Partner) -> Partner:
        known = self._partners.get(name)
        if known is None:
            known = self._partners[name] = stranger
            answer = await known.sign_in()
            assert answer.status_code == httpx.codes.OK, answer.text
        return known

    @asynccontextmanager
    async def sql(self, role: str = "postgres") -> AsyncIterator[asyncpg.Connection]:
        """Open a connection to the database, past the application."""
        connection = await asyncpg.connect(self.installation.dsn(self.database, role))
        try:
            yield connection
        finally:
            await connection.close()


# Every application that runs in this process, and what is to be true of one before it ends.
RUNNING: list[Registry] = []
BEFORE_LEAVING: list[Callable[[Registry], Awaitable[None]]] = []


@asynccontextmanager
async def serving(
    installation: Installation,
    database: str,
    *,
    proxies: IpNetworks = (),
    caller: str = "127.0.0.1",
    log_public: bool = False,
    access_log: bool = False,
    sealer_state: Path | None = None,
    ledger: Path | None = None,
    workers: int = 1,
    make_runtime: Callable[..., Runtime] = Runtime,
    before_refusals: Callable[..., Any] = after_revocation_check,
) -> AsyncIterator[Registry]:
    """Run the application on this database without a socket; it trusts these proxies, is called from `caller`, has this
    erasure ledger and is one of so many workers. A control hands in what makes the runtime, or wraps refusals.
    """
    settings = Settings(
        database_url=installation.dsn(database),
        keys=installation.keys,
        issuer=ISSUER,
        pool_size=4,
        even_acts_ms=1,  # how long an answer waits is measured elsewhere
        trusted_proxies=proxies,
        log_public=log_public,
        access_log=access_log,
        sealer_state=sealer_state,
        erasure_ledger=ledger,
        workers=workers,
    )
    app = create_app(settings, make_runtime, before_refusals)
    transport = httpx.ASGITransport(app=cast("Any", app), client=(caller, 4711))
    async with _started(app), httpx.AsyncClient(transport=transport, base_url="http://registry.test") as http:
        registry = Registry(installation, database, app, http)
        RUNNING.append(registry)
        try:
            yield registry
            for check in BEFORE_LEAVING:
                await check(registry)
        finally:
            RUNNING.remove(registry)


@asynccontextmanager
async def fresh(installation: Installation, **options: Any) -> AsyncIterator[Registry]:  # noqa: ANN401 - of `serving`
    """Run the application, with these options, on a database of its own."""
    async with installation.copy() as database, serving(installation, database, **options) as registry:
        yield registry


@asynccontextmanager
async def _started(app: Litestar) -> AsyncIterator[None]:
    """Hold the application's lifespan in a task of its own: it must end where it began, and a fixture may not."""
    begun, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            begun.set()
            await over.wait()

    life = asyncio.create_task(live())
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait((life, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if not life.done():
            yield
    finally:
        over.set()
        await life
