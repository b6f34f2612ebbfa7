"""Nothing of an erased person is on the disk, and a physical backup that is restored is erased again at the start."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaigns.support.places import scratch
from tests.campaigns.support.scene import Scene, play, register
from tests.campaigns.support.server import ROOT, Server, lay_out, wait_until
from tests.support.erasing import search_everywhere, traces

pytestmark = pytest.mark.campaign

NETWORK = "paderborn"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One demonstration whose data may be stopped, copied and put back."""
    with scratch("erasure") as folder:
        demonstration = Server(lay_out(folder / "data"))
        demonstration.start()
        try:
            yield demonstration
        finally:
            demonstration.stop(check=False)


def eraser(server: Server, *words: str, reference: str = "") -> str:
    """Run a verb of `erasure` as the demonstration's operator would: its settings are in DATA/eraser.env."""
    lines = (server.data / "eraser.env").read_text().splitlines()
    settings = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONSENT_REGISTRY_")}
    done = subprocess.run(
        [sys.executable, "-m", "consent_registry", "erasure", *words],
        cwd=ROOT,
        env=clean | settings,
        input=reference + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def a_person(server: Server) -> tuple[str, bytes, set[bytes]]:
    """Do all sorts of things about a new client; return its reference, a decision with its receipt, and every trace."""
    reference = f"DISK-{uuid.uuid4()}"
    answers = []

    async def live(stage: Scene) -> None:
        office = stage.person(stage.sender)
        flow = stage.outgoing()[0]
        await register(office, [reference])
        made = (await office.post("/consents", stage.consent(reference, [flow.grant()]), str(uuid.uuid4()))).json()
        decision = (await office.post("/decisions", flow.question(reference, receipt=True), str(uuid.uuid4()))).json()
        answers.append(json.dumps(decision).encode())
        sent = {"outcome": "sent", "categories": ["identity"]}
        await office.post(f"/decisions/{decision['decision_id']}/transfers", sent, str(uuid.uuid4()))
        by_code = {"receipt_code": made["receipt_code"], "channel": "phone"}
        await office.post("/withdrawals", by_code, str(uuid.uuid4()))

    play(server, live)
    return reference, answers[0], asyncio.run(_traces(server))


async def _traces(server: Server) -> set[bytes]:
    """Every id and random value of the client registered last, and of nobody else."""
    sql = await server.sql()
    try:
        rows = await sql.fetch("select client_id from clients order by recorded_at desc")
        last, *others = (str(row[0]) for row in rows)
        of_one, of_others = await traces(sql, [last]), await traces(sql, others)
        await sql.execute("analyze")  # what the planner remembers of values is on the disk as well
        return of_one - of_others
    finally:
        await sql.close()


def forms(canaries: set[bytes]) -> list[bytes]:
    """Return how files contain them: ids as text and as 16 bytes, everything else as it is."""
    texts = [canary for canary in canaries if re.fullmatch(rb"[0-9a-f-]{36}", canary)]
    return sorted(canaries | {uuid.UUID(text.decode()).bytes for text in texts})


def on_disk(server: Server, canaries: set[bytes]) -> set[str]:
    """Return the files of the stopped-still data directory in which anything is found; the write-ahead log apart, which
    has its own end.
    """

    async def checkpoint() -> None:
        sql = await server.sql()
        await sql.execute("checkpoint")
        await sql.close()

    asyncio.run(checkpoint())
    wanted = re.compile(b"|".join(re.escape(form) for form in forms(canaries)))
    pgdata = Path(server.cluster["pgdata"])
    files = [path for path in pgdata.rglob("*") if path.is_file() and "pg_wal" not in path.parts]
    return {str(path.relative_to(pgdata)) for path in files if wanted.search(_bytes(path))}


def _bytes(path: Path) -> bytes:
    """Return what a file holds; nothing where it is gone by now, as caches of PostgreSQL's are."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


async def bundle(server: Server) -> str:
    """Return all events that are there as the bundle that `verify` reads."""
    sql = await server.sql()
    try:
        rows = await sql.fetch(
            "select log_index, event, nonce from events join networks using (network_id) where slug = $1 order by 1",
            NETWORK,
        )
        size = await sql.fetchval(
            "select count(*) from leaves join networks using (network_id) where slug = $1", NETWORK
        )
    finally:
        await sql.close()
    head = {"bundle": 1, "origin": server.network(NETWORK)["log_origin"], "size": size, "slice": "all"}
    lines = [head] + [
        {"index": row[0], "event": b64encode(row[1]).decode(), "nonce": b64encode(row[2]).decode()} for row in rows
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def verified(server: Server, *words: str) -> str:
    """Run `consent-registry verify` on the served log, which the sealer signs within a second, until all holds."""
    events = server.data.with_name("events")
    command = [sys.executable, "-m", "consent_registry", "verify", f"http://127.0.0.1:{server.port}/log/{NETWORK}"]
    command += ["--vkey", server.network(NETWORK)["log_vkey"], "--events", str(events), *words]
    said = ""

    def holds() -> bool:
        nonlocal said
        events.write_text(asyncio.run(bundle(server)))
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        return done.returncode == 0

    try:
        wait_until(holds, 60, "the log to verify")
    except TimeoutError as error:
        raise AssertionError(said) from error
    return said


async def in_tables(server: Server, canaries: set[bytes]) -> list[tuple[str, str, str]]:
    """Return what the tables show of it to a superuser."""
    sql = await server.sql()
    try:
        return await search_everywhere(sql, canaries)
    finally:
        await sql.close()


def test_the_disk_forgets_and_a_backup_is_erased_again(server: Server) -> None:
    """A person's bytes are in the data directory before the erasure, and (the control) after its commit, because
    PostgreSQL only marks rows; when the tables are rewritten they are in no file. The log verifies as before, with the
    checkpoint and the receipt that were kept, and says what was removed. A physical copy from before, put back, knows
    the person; the server is ready only after it was erased again, from the tables and from the disk.
    """
    reference, answer, canaries = a_person(server)
    receipt, kept = server.data.with_name("receipt"), server.data.with_name("kept")
    receipt.write_bytes(answer)
    assert " 0 were removed on record" in verified(server, "--receipt", str(receipt), "--save", str(kept))
    assert len(canaries) > 30
    assert len(on_disk(server, canaries)) > 10
    pgdata = Path(server.cluster["pgdata"])
    server.stop()
    subprocess.run(["cp", "--archive", str(pgdata), f"{pgdata}.backup"], check=True)
    server.start()

    person = (NETWORK, "--partner", server.network(NETWORK)["permit_example"]["partner"])
    digest = eraser(server, "preview", *person, reference=reference).split("--confirm ")[1].strip()
    act = ("perform", *person, "--ground", "consent_withdrawn", "--confirm", digest, "--later")
    assert "run `consent-registry erasure scrub`" in eraser(server, *act, reference=reference)
    assert asyncio.run(in_tables(server, canaries)) == []
    assert on_disk(server, canaries)
    eraser(server, "scrub")
    assert on_disk(server, canaries) == set()
    assert " 0 were removed on record" not in verified(server, "--receipt", str(receipt), "--kept", str(kept))
    server.stop()

    shutil.rmtree(pgdata)
    Path(f"{pgdata}.backup").rename(pgdata)
    server.start()
    assert asyncio.run(in_tables(server, canaries)) == []
    assert on_disk(server, canaries) == set()
    assert (server.data / "erasures.jsonl").read_text().count('"intent"') == 2
