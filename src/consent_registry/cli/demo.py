"""`consent-registry demo`: serve five networks on this machine, with an embedded PostgreSQL unless one is given."""

import json
import os
import secrets
import shlex
import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from cyclopts import Parameter

from consent_registry.cli.audit import AUDITOR_URL
from consent_registry.cli.erasure import ERASER_URL, KEYS, LEDGER, MIGRATOR_URL, replay_at_start
from consent_registry.cli.options import Flag
from consent_registry.demo.environment import write_environments, write_example
from consent_registry.demo.loader import load
from consent_registry.demo.steps import step
from consent_registry.process.data_folder import hold, write_private
from consent_registry.process.postgres.cluster import Cluster, prepare
from consent_registry.process.postgres.processes import die_with
from consent_registry.process.server_start import APPLICATION, Port, Service, Workers
from consent_registry.process.standard_streams import show
from consent_registry.process.supervisor import SEALER_DATABASE_URL, supervise
from consent_registry.storage.database.migrations import migrate
from consent_registry.storage.database.provisioning import analyze_tables, create_database, create_roles
from consent_registry.storage.database.rewriting import scrub
from consent_registry.storage.database.roles import DEFAULT_PREFIX, role_names
from consent_registry.storage.files.key_files import make_keys
from consent_registry.storage.start_checks import require_no_real_network

DATABASE = "consent_registry"
WITH_REQUEST_LINES = "consent_registry.app:create_shown_app"
# The roles that log in, and the files with their passwords if the database is not the embedded one.
LOGINS = {
    "app": "database-password",
    "sealer": "sealer-password",
    "eraser": "eraser-password",
    "auditor": "auditor-password",
}
DATABASE_URL = "CONSENT_REGISTRY_DATABASE_URL"
ROLE_PREFIX = "CONSENT_REGISTRY_ROLE_PREFIX"


def demo(
    *,
    data: Path = Path(".consent-registry"),
    port: Port = 8080,
    workers: Workers = 1,
    target: Annotated[str, Parameter(show=False)] = APPLICATION,
    requests: Flag = False,
    end_with_parent: Annotated[bool, Parameter(show=False)] = False,
) -> None:
    """Serve the five demonstration networks on 127.0.0.1 until stopped. The data are kept.

    Parameters
    ----------
    data
        Folder for the database, the keys and demo.json. It can be used again, also with another port.
    port
        Port on 127.0.0.1.
    workers
        Number of worker processes.
    requests
        Show each request in a short line, without anything that a caller sent.
    """
    if end_with_parent:
        die_with(os.getppid(), signal.SIGTERM)()  # a killed `make` must not leave a server behind
    if requests and target == APPLICATION:
        target = WITH_REQUEST_LINES
    service = Service(host="127.0.0.1", port=port, workers=workers, target=target)
    with hold(data):
        (data / "demo.json").unlink(missing_ok=True)  # a script that waits for it must not read the last run's
        _unset_own_database(data)
        cluster = None
        if DATABASE_URL not in os.environ:
            with step("Preparing PostgreSQL"):
                cluster = prepare(data)
            _unset_other_servers()
        supervise(
            service,
            cluster,
            partial(make_ready, data=data.resolve(), service=service),
            record=data / "cluster.json",
            when_serving=partial(_show_addresses, service, data, cluster),
            sealing=True,
        )


def _unset_own_database(data: Path) -> None:
    """Unset the database URL if it comes from DATA/app.env: it names the embedded database, which is started here."""
    own, url = data / "app.env", os.environ.get(DATABASE_URL)
    if url and own.exists() and f"export {DATABASE_URL}={shlex.quote(url)}\n" in own.read_text():
        del os.environ[DATABASE_URL]


async def make_ready(cluster: Cluster | None, *, data: Path, service: Service) -> Mapping[str, str]:
    """Bring the database up to date, load the networks once and write demo.json; returns the server's environment."""
    prefix = os.environ.get(ROLE_PREFIX, DEFAULT_PREFIX)
    keys = data / "keys"
    make_keys(keys, datetime.now(UTC))
    if cluster is not None:
        await create_database(cluster.dsn(), DATABASE)
        await create_roles(cluster.dsn(database=DATABASE), prefix)
        admin = cluster.dsn(database=DATABASE)
        logins = {role: cluster.dsn(user=role_names(prefix)[role], database=DATABASE) for role in LOGINS}
    else:
        admin = spelled_out(os.environ[DATABASE_URL], os.environ)
        await require_no_real_network(admin)  # before the next lines change a password
        passwords = {role: _kept_password(keys / file) for role, file in LOGINS.items()}
        await create_roles(admin, prefix, passwords=passwords)
        logins = {role: with_login(admin, role_names(prefix)[role], passwords[role]) for role in LOGINS}
    state = data / "sealer"
    state.mkdir(mode=0o700, exist_ok=True)
    with step("Bringing the database's schema up to date"):
        await migrate(admin, prefix, to_remove=f"{data}" if cluster is not None else f"that database and {data}")
    ledger = data / "erasures.jsonl"
    if await replay_at_start(logins["eraser"], keys, ledger):
        await scrub(admin)
    await load(logins["app"], keys, data, service.base_url)
    await analyze_tables(admin)
    app = {
        DATABASE_URL: logins["app"],
        ROLE_PREFIX: prefix,
        KEYS: str(keys),
        "CONSENT_REGISTRY_ISSUER": service.base_url,
        "CONSENT_REGISTRY_LOG_PUBLIC": "true",
    }
    sealer = {SEALER_DATABASE_URL: logins["sealer"], KEYS: str(keys), "CONSENT_REGISTRY_SEALER_STATE": str(state)}
    eraser = {ERASER_URL: logins["eraser"], KEYS: str(keys), LEDGER: str(ledger)}
    migrator = {} if cluster is None else {MIGRATOR_URL: admin}
    auditor = {AUDITOR_URL: logins["auditor"]}
    write_environments(data, {"app": app, "sealer": sealer, "eraser": {**eraser, **migrator}, "auditor": auditor})
    write_example(data, service.base_url)
    return {**app, **sealer, LEDGER: str(ledger)}


def with_login(dsn: str, user: str, password: str) -> str:
    """Return `dsn` with another login and otherwise unchanged."""
    parts = urlsplit(dsn)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{place}"))


def spelled_out(dsn: str, environment: Mapping[str, str]) -> str:
    """Return `dsn` with explicit port, sslmode and target, so that it does not depend on PG… variables."""
    parts = urlsplit(dsn)
    names = dict(parse_qsl(parts.query))
    port = {} if ":" in parts.netloc.rpartition("@")[2] else {"port": environment.get("PGPORT") or "5432"}
    added = {
        **port,
        "sslmode": environment.get("PGSSLMODE") or "prefer",
        "target_session_attrs": environment.get("PGTARGETSESSIONATTRS") or "any",
    }
    more = "".join(f"&{name}={quote(value, safe='')}" for name, value in added.items() if name not in names)
    return urlunsplit(parts._replace(query=(parts.query + more).removeprefix("&")))


def _unset_other_servers() -> None:
    """Unset the PG… variables, which point to other PostgreSQL servers."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _kept_password(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text()


def _show_addresses(service: Service, data: Path, cluster: Cluster | None) -> None:
    networks = json.loads((data / "demo.json").read_bytes())["networks"]
    assumptions = sum(len(network["assumptions"]) for network in networks)
    lines = [
        f"The consent registry serves five demonstration networks at {service.base_url}",
        f"  credentials     {data / 'demo.json'} (partners, their DPOs, network admins)",
        f"  documentation   {service.base_url}/docs, and {service.base_url}/ for guides, logs and problems",
        f"  settings        {data / 'app.env'}; auditor, eraser, sealer and example.env: for the guides' lines",
        f"  ready?          {service.base_url}/ready",
        f"  database        {os.fspath(cluster.pgdata) if cluster else f'as {DATABASE_URL} says'}",
        "Try next: paste the curl lines of docs/vendors.md. Questions that are permitted just now:",
        *(f"  {line}" for line in _examples(networks)),
        f'What public texts do not say about these networks is assumed: {assumptions} points, under "assumptions" in',
        "demo.json. All clients are made up.",
        "Stop it with Ctrl-C; start it again with the same DATA and everything is still there.",
    ]
    show("\n".join(lines))


def _examples(networks: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each network's example: the asking partner, client, recipient and purpose."""
    for network in networks:
        if "permit_example" in network:
            partner, question = network["permit_example"]["partner"], network["permit_example"]["request"]
            yield f"{partner} asks about {question['client']}: to {question['recipient']}, for {question['purpose']}"
