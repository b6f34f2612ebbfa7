"""The dangers of an installation: how each is made on a real server, and the line with which it is refused.

`{app}`, `{owner}` are role names, `{db}` the database of this row, `{month}` this month's partition of the log.
"""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from consent_registry.storage.database.migration_files import read_migrations

FIRST, LAST = read_migrations()[0].name, read_migrations()[-1].name


@dataclass(frozen=True, slots=True)
class Danger:
    """One row: what an administrator does (`sql`), takes back (`undo`), sets (`settings`, the server's `options`), and
    the whole line, in which `…` stands for anything.
    """

    name: str
    line: str
    sql: Sequence[str] = ()
    undo: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    login: str = "app"
    parameters: str = ""
    key_file: tuple[str, bytes | None, int] | None = None
    clock: str = ""

    @property
    def is_the_databases(self) -> bool:
        """Whether the row changes the database and needs one of its own."""
        return any("registry" in statement or "{db}" in statement for statement in self.sql)

    @property
    def is_the_servers(self) -> bool:
        """Whether the server itself must be configured or restarted."""
        return bool(self.options) or any("alter system" in statement for statement in self.sql)


def attribute(name: str, line: str) -> Danger:
    """The application's login with a role attribute."""
    without = f"no{name}"
    return Danger(
        f"the login has {name}",
        f"… {line}: log in as the app role, or `alter role … {without}`",
        [f"alter role {{app}} {name}"],
        [f"alter role {{app}} {without}"],
    )


def weak(name: str, value: str, cure: str, *sql: str, source: str, undo: Sequence[str] = ()) -> Danger:
    """A setting that loses acknowledged commits."""
    line = f"{name} is {value} (set by: {source}), so what was acknowledged could be lost: set it to {cure}"
    return Danger(f"{name} {value} by {source}", line, sql, undo)


def weak_server(name: str, value: str, cure: str) -> Danger:
    """A setting of the server's configuration that loses acknowledged commits."""
    undo = [f"alter system reset {name}"]
    return weak(name, value, cure, f"alter system set {name} = {value}", source="configuration file", undo=undo)


def unlimited(name: str, usual: str) -> Danger:
    """The application's login without a time limit."""
    line = (
        f"{name} is 0 for this login, so a request could wait for ever: run what `consent-registry roles` prints, "
        f"which sets it to {usual}"
    )
    return Danger(
        f"no {name}", line, [f"alter role {{app}} set {name} = 0"], [f"alter role {{app}} set {name} = '{usual}'"]
    )


def may(privilege: str, table: str, column: str = "") -> Danger:
    """The application's login with a privilege that changes rows."""
    line = f"… may {privilege} registry.{table}: `revoke {privilege} on registry.{table} from …`"
    return Danger(
        f"the login may {privilege} {table}{column}",
        line,
        [f"grant {privilege}{column} on registry.{table} to {{app}}"],
    )


def setting(name: str, value: str, line: str, *arguments: str) -> Danger:
    """A setting of the environment."""
    return Danger(f"{name} {value!r}", f"CONSENT_REGISTRY_{name} {line}", settings={name: value}, arguments=arguments)


def key(name: str, line: str, content: bytes | None, mode: int = 0o600) -> Danger:
    """A malformed key file."""
    return Danger(
        f"a key file that is {name}",
        f"key file …/sealing.json{line if line[0] == ':' else f' {line}'}",
        key_file=("sealing.json", content, mode),
    )


def secret(encoded: str, *more: str) -> bytes:
    """The content of a key file with these secrets."""
    keys = [{"id": f"sealing-{number}", "secret": text} for number, text in enumerate((encoded, *more), start=1)]
    return json.dumps({"keys": keys}).encode()


PIN = "alter role {app} set synchronous_commit = on"
UNPIN = "alter role {app} reset synchronous_commit"
NO_URL = "is …: it must be a URL without a slash at its end, like https://registry.example"
PLAIN = "is …: outside this machine it must be https, tokens travel under it"
TOO_WIDE = "has …, which would trust everybody: name the proxies' own addresses"
NO_NETWORK = "has …, which is not an address or network: write it like 10.0.0.5 or 10.0.0.0/28"
NO_NUMBER = "is …: it must be a number from 2 to 1000"
NO_NUMBER_FROM_1 = "is …: it must be a number from 1 to 1000"
NO_PROXY = (
    "--host is … and CONSENT_REGISTRY_TRUSTED_PROXIES is not set, so tokens and references would travel in the clear: "
    "bind 127.0.0.1, or name the address of the proxy with TLS"
)
UNREACHED = "the database in CONSENT_REGISTRY_DATABASE_URL cannot be used: …; start it, or correct address or login"
MEMBER = "… is a member of …: log in as the app role, or `revoke … from …`"
NOT_FORCED = (
    "row-level security is not forced on …: `alter table registry.… enable row level security, "
    "force row level security`"
)
NO_POLICY = "registry.… has no policy for …: make it again as the migration that made the table says"
WIDE_POLICY = "policy … on registry.… does not ask for the network: `drop policy … on registry.…`"
CLOCK = "this machine's clock is … s … the database's: keep both to the same time source"
NO_MONTH = "registry.events has no partition for this month and none can be made (…): run `consent-registry migrate`"
NOT_KEYS = "is not a list of keys with id and secret"
NO_RANDOM = ": the secret of … is no random one; let `keys --make` make it"
RANDOM = base64.b64encode(secrets.token_bytes(32)).decode()
NO_SECRET = "needs at least one key of 32 bytes that is not all zero"

LOGINS = [
    attribute("superuser", "is a superuser"),
    attribute("bypassrls", "bypasses row-level security"),
    attribute("createrole", "may create roles"),
    attribute("createdb", "may create databases"),
    attribute("replication", "may copy the whole server by replication"),
    Danger(
        "a superuser",
        "postgres is a superuser: log in as the app role, or `alter role postgres nosuperuser`",
        login="postgres",
    ),
    Danger(
        "a superuser who plays the application",
        "chief is a superuser: log in as the app role, or `alter role chief nosuperuser`",
        ["create role chief login superuser", "alter role chief set role = {app}"],
        ["drop role chief"],
        login="chief",
    ),
    Danger(
        "the owner of a table",
        "… owns registry.code_failures: log in as the app role, which owns nothing",
        ["alter table registry.code_failures owner to {app}"],
    ),
    Danger("a member of the owner", MEMBER, ["grant {owner} to {app}"], ["revoke {owner} from {app}"]),
    Danger("the migrator", MEMBER, login="migrator"),
    Danger(
        "a reader of everything", MEMBER, ["grant pg_read_all_data to {app}"], ["revoke pg_read_all_data from {app}"]
    ),
    may("update", "consents"),
    may("delete", "events"),
    may("truncate", "leaves"),
    may("trigger", "withdrawals"),
    may("update", "grants", " (valid_until)"),
    unlimited("lock_timeout", "1s"),
    unlimited("statement_timeout", "10s"),
    unlimited("idle_in_transaction_session_timeout", "10s"),
]
ONCE_MORE = "run what `consent-registry roles` prints once more"
NOT_LAST = f"… runs as its owner and does not look in pg_temp last: {ONCE_MORE}"
TEMPORARY = f"… may make temporary objects, which could stand in for the registry's: {ONCE_MORE}"
UNSOUND = "… is … for this login, so its statements would not do what they are for: set it to …, with `alter role`"


def unsound(name: str, value: str) -> Danger:
    """A setting of the login's own that changes what statements mean or do."""
    return Danger(
        f"{name} {value}",
        UNSOUND,
        ["alter role {app} in database {db} set " + f"{name} = {value}"],
        ["alter role {app} in database {db} reset all"],
    )


WAYS_UP = [
    Danger(
        "a definer's function without pg_temp",
        NOT_LAST,
        ["alter function registry.make_event_partitions(integer, bigint) set search_path = pg_catalog"],
    ),
    Danger(
        "a definer's function without a path", NOT_LAST, ["alter function registry.latest_event_at(integer) reset all"]
    ),
    Danger(
        "a definer's function with pg_temp first",
        NOT_LAST,
        ["alter function registry.thin_checkpoints(integer) set search_path = pg_temp, pg_catalog, pg_temp"],
    ),
    Danger(
        "somebody's definer's function",
        "… runs as its owner and does not look in pg_temp last: `alter routine … set search_path = …, pg_temp`, or "
        "`revoke execute on routine … from public`",
        [
            "create function public.theirs() returns integer language sql security definer as 'select 1'",
            "grant usage on schema public to {auditor}",
        ],
        ["drop function public.theirs()", "revoke usage on schema public from {auditor}"],
    ),
    *(
        Danger(f"{role} may make temporary objects", TEMPORARY, ["grant temporary on database {db} to {" + role + "}"])
        for role in ("app", "sealer", "eraser", "auditor", "backup")
    ),
    Danger("everybody may make temporary objects", TEMPORARY, ["grant temporary on database {db} to public"]),
    *(
        Danger(
            f"the login may create in the {kind} {name}",
            f"… may make objects in {kind} …: `revoke create on {kind} … from …, public`",
            [f"grant create on {kind} {name} to {{app}}"],
            [f"revoke create on {kind} {name} from {{app}}"],
        )
        for kind, name in (("database", "{db}"), ("schema", "registry"), ("schema", "public"))
    ),
    Danger(
        "the login owns a function",
        "… owns the …: log in as the app role, which owns nothing",
        ["alter function registry.current_network() owner to {app}"],
        ["alter function registry.current_network() owner to {owner}"],
    ),
    Danger(
        "the login owns the database",
        "… owns the …: log in as the app role, which owns nothing",
        ["alter database {db} owner to {app}"],
        ["alter database {db} owner to postgres"],
    ),
    Danger(
        "the login reads the server's files",
        "… may reach the server's files by …: `revoke execute on function … from …, public`",
        ["grant execute on function pg_read_file(text) to {app}"],
        ["revoke execute on function pg_read_file(text) from {app}"],
    ),
    Danger(
        "the login may switch triggers off",
        "… may set session_replication_role: `revoke set on parameter session_replication_role from …, public`",
        ["grant set on parameter session_replication_role to {app}"],
        ["revoke set on parameter session_replication_role from {app}"],
    ),
    unsound("search_path", "public, registry"),
    unsound("row_security", "off"),
    unsound("session_replication_role", "replica"),
    unsound("default_transaction_isolation", "'repeatable read'"),
    unsound("default_transaction_read_only", "on"),
    unsound("transform_null_equals", "on"),
    unsound("array_nulls", "off"),
    unsound("standard_conforming_strings", "off"),
    unsound("timezone", "'Europe/Berlin'"),
]
ROW_SECURITY = [
    Danger("row security off", NOT_FORCED, ["alter table registry.grants disable row level security"]),
    Danger("row security not forced", NOT_FORCED, ["alter table registry.clients no force row level security"]),
    Danger(
        "row security off on DEFAULT", NOT_FORCED, ["alter table registry.events_default disable row level security"]
    ),
    Danger("not forced on a partition", NOT_FORCED, ["alter table registry.{month} no force row level security"]),
    Danger("no policy to read", NO_POLICY, ["drop policy consents_read on registry.consents"]),
    Danger("no policy to add", NO_POLICY, ["drop policy leaves_write on registry.leaves"]),
    Danger("an open policy", WIDE_POLICY, ["create policy open on registry.grants using (true)"]),
    Danger(
        "a policy that was opened",
        WIDE_POLICY,
        ["alter policy events_read on registry.events using (network_id = registry.current_network() or true)"],
    ),
]
SERVER = [
    weak_server("fsync", "off", "on"),
    weak_server("full_page_writes", "off", "on"),
    weak_server("zero_damaged_pages", "on", "off"),
    weak_server("ignore_checksum_failure", "on", "off"),
    weak(
        *("synchronous_commit", "off", "on", UNPIN, "alter system set synchronous_commit = off"),
        source="configuration file",
        undo=["alter system reset synchronous_commit", PIN],
    ),
    *(
        weak(
            *("synchronous_commit", value, "on", f"alter role {{app}} set synchronous_commit = {value}"),
            source="user",
            undo=[PIN],
        )
        for value in ("off", "local", "remote_write")
    ),
    weak(
        *("synchronous_commit", "off", "on", UNPIN, "alter database {db} set synchronous_commit = off"),
        source="database",
        undo=[PIN],
    ),
    weak(
        *("synchronous_commit", "local", "on", "alter role {app} in database {db} set synchronous_commit = local"),
        source="database user",
        undo=["alter role {app} in database {db} reset all"],
    ),
    Danger(
        "synchronous_commit off in the address",
        "synchronous_commit is off (set by: client), so what was acknowledged could be lost: set it to on",
        parameters="&synchronous_commit=off",
    ),
    Danger(
        "a small lock table",
        "max_locks_per_transaction is 64, which makes room for … locks: set it to … or more",
        options={"max_locks_per_transaction": "64"},
    ),
    Danger(
        "more connections than the server has",
        "the workers' pools may open 126 connections, and max_connections is 100 with … reserved: lower "
        "CONSENT_REGISTRY_POOL_SIZE or --workers",
        settings={"POOL_SIZE": "40"},
        arguments=["--workers", "3"],
    ),
    Danger("a clock that is behind", CLOCK, clock="-7s"),
    Danger("a clock that is a day ahead", CLOCK, clock="+1d"),
]
SCHEMA = [
    Danger(
        "no schema", "the database has no schema yet: run `consent-registry migrate`", ["drop schema registry cascade"]
    ),
    Danger(
        "a migration that is missing",
        f"the database lacks migration {LAST}: run `consent-registry migrate`",
        [f"delete from registry.schema_migrations where name = '{LAST}'"],  # noqa: S608 - our own file's name
    ),
    Danger(
        "a gap among the migrations",
        f"the database does not record migration {FIRST}, but later ones: restore registry.schema_migrations "
        "from the backup",
        ["delete from registry.schema_migrations where version = 1"],
    ),
    Danger(
        "a newer release's migration",
        "the database holds migration 9999_tomorrow.sql, which this release does not know: install the newer release",
        ["insert into registry.schema_migrations values (9999, '9999_tomorrow.sql', repeat('0', 64))"],
    ),
    Danger(
        "an edited migration",
        f"migration {FIRST} was changed after it had been applied: install this release again, unchanged",
        ["update registry.schema_migrations set sha256 = repeat('0', 64) where version = 1"],
    ),
    Danger(
        "functions of another release",
        "the database does not have functions/log.sql as this release does: run `consent-registry migrate`",
        ["update registry.schema_functions set sha256 = repeat('0', 64) where name = 'functions/log.sql'"],
    ),
    Danger(
        "a schema of before the first release",
        "this database was set up before the first release (0001_ground.sql), and no migration leads from there to "
        "here: remove the database, with the keys and the files that belong to it, and begin anew",
        ["update registry.schema_migrations set name = '0001_ground.sql' where version = 1"],
    ),
    Danger(
        "demonstration data",
        "this database holds demonstration data: serve from another one, or use `consent-registry demo`",
        ["insert into registry.networks values (7, 'demo', 'Demo', '', 'demo', true, now())"],
    ),
    Danger(
        "no partition and no right to make one",
        NO_MONTH,
        [
            "drop table registry.{month}",
            "revoke execute on function registry.make_event_partitions(integer, bigint) from {app}",
        ],
    ),
    Danger(
        "a table in the partition's place",
        NO_MONTH,
        ["alter table registry.events detach partition registry.{month}"],
    ),
]
ADDRESSES = [
    Danger("no server", UNREACHED, settings={"DATABASE_URL": "postgresql://nobody@/none?host=/nowhere"}),
    Danger("an address that is none", UNREACHED, settings={"DATABASE_URL": "nonsense"}),
    Danger("an unknown login", UNREACHED, login="nobody"),
    Danger("a server that never answers", UNREACHED, settings={"DATABASE_URL": "silence"}),
    Danger(
        "another host without TLS",
        "the database on … would be reached without verified TLS: add sslmode=verify-full (and sslrootcert) to its "
        "address, or waive that with CONSENT_REGISTRY_DATABASE_TLS=unverified",
        settings={"DATABASE_URL": "postgresql://app@db.example/registry?sslmode=require"},
    ),
    setting("DATABASE_TLS", "no", "is …: it must be verified or unverified"),
    Danger(
        "a mistyped setting",
        "… is no setting of the registry: unset it, or did you mean …?",
        settings={"TRUSTED_PROXY": "10.0.0.5"},
    ),
    Danger("no settings", "set CONSENT_REGISTRY_KEYS, CONSENT_REGISTRY_ISSUER", settings={"KEYS": "", "ISSUER": ""}),
    setting("ISSUER", "http://registry.example", PLAIN),
    setting("ISSUER", "http://127.0.0.1.registry.example", PLAIN),
    setting("ISSUER", "https://registry.example/", NO_URL),
    setting("ISSUER", "registry.example", NO_URL),
    setting("ISSUER", "https://registry.example?network=1", NO_URL),
    setting("ISSUER", "https://name@registry.example", NO_URL),
    setting("ISSUER", "https://[registry", NO_URL),
    *(setting("TRUSTED_PROXIES", value, TOO_WIDE) for value in ("0.0.0.0/0", "::/0", "10.0.0.5, 128.0.0.0/1")),
    *(
        setting("TRUSTED_PROXIES", value, NO_NETWORK)
        for value in ("*", "proxy.example", "10.0.0.5/24", "10.0.0.5;10.0.0.6")
    ),
    *(setting("LOG_PUBLIC", value, "is …: it must be true or false") for value in ("perhaps", "1")),
    *(setting("POOL_SIZE", value, NO_NUMBER) for value in ("0", "-1", "many", "100000")),
    *(setting("EVEN_MS", value, NO_NUMBER_FROM_1) for value in ("0", "-5", "5.5", "1001")),
    *(setting("EVEN_ACTS_MS", value, NO_NUMBER_FROM_1) for value in ("0", "1001")),
    *(setting(f"{deadline}_SECONDS", "0", NO_NUMBER_FROM_1) for deadline in ("HEAD", "BODY", "READER")),
    setting("CONNECTIONS", "9", "is …: it must be a number from 10 to 100000"),
    Danger("an open host without a proxy", NO_PROXY, arguments=["--host", "0.0.0.0"]),  # noqa: S104 - refused
]
KEYS = [
    key("missing", "is missing", None),
    key("its group's", "is readable by others than its owner: chmod 600 …", b"", 0o640),
    key("everybody's", "is readable by others than its owner: chmod 600 …", b"", 0o604),
    key("empty", NOT_KEYS, b"{}"),
    key("no JSON", NOT_KEYS, b"secret"),
    key("without a key", NO_SECRET, b'{"keys": []}'),
    key("all zero", NO_SECRET, secret("A" * 43 + "=")),
    key("short", NO_SECRET, secret("c2VjcmV0")),
    key("a default", NO_RANDOM, secret("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")),
    key("one byte again and again", NO_RANDOM, secret("qqqq" * 10 + "qqo=")),
    key("the same twice", "names an id or a secret twice", secret(RANDOM, RANDOM)),
    Danger(
        "a key folder that others can write to",
        "the folder … of the key files can be written by others: chmod 700 …",
        key_file=("", b"", 0o777),
    ),
    Danger("no key folder", "key file /nowhere/digest.json is missing", settings={"KEYS": "/nowhere"}),
]
DANGERS = [*LOGINS, *WAYS_UP, *ROW_SECURITY, *SERVER, *SCHEMA, *ADDRESSES, *KEYS]
