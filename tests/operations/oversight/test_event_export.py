"""An export of events has the slice of the search, is safe in a spreadsheet, logged before it is sent, and verifies."""

import base64
import csv
import gzip
import io
import json
import random
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from consent_registry.domain.erasures import GROUNDS
from consent_registry.operations.erasure.erasures import perform_erasure, preview_erasure
from consent_registry.operations.log.export import export_log
from consent_registry.operations.runtime.commands import digest_of
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.steps import ReadingLimits
from consent_registry.web.csv_rows import csv_row
from consent_registry.web.http_middleware import CutOff
from tests.cli.test_command_line import run
from tests.support.dpo_searches import EXPORTS, records, search_all
from tests.support.erasing import administering, erasing, north, small
from tests.support.installation import Installation, Partner, Registry, fresh
from tests.support.office import office
from tests.support.sealing import office as sealing_office
from tests.support.small_network import question

AUDITOR = "CONSENT_REGISTRY_AUDITOR_DATABASE_URL"
WIDE = "\uff1d\uff0b\uff0d\uff20"
STARTS = "=+-@\t\r\n" + WIDE


async def taken(dpo: Partner, form: str, **asked: object) -> httpx.Response:
    """Request an export."""
    answer = await dpo.post(EXPORTS, {"format": form, **asked})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer


async def live(registry: Registry) -> str:
    """Let partners north and south record consents and ask for decisions; returns north's reference."""
    ours, theirs = await office(registry, "north"), await office(registry, "south")
    await ours.post("/decisions", question("N-1"), 200)
    await ours.post("/clients", {"reference": "N-1"})
    await ours.consent("N-1")
    await ours.outcome("N-1")
    await theirs.post("/clients", {"reference": "S-1"})
    await theirs.consent("S-1", sender="south", recipient="north", categories=["identity"])
    await theirs.post("/decisions", question("S-1", recipient="north", categories=["identity"]), 200)
    return "N-1"


@pytest_asyncio.fixture(loop_scope="session")
async def short_pages(installation: Installation) -> AsyncIterator[Registry]:
    """A registry whose exports have pages of two events."""
    make_runtime = partial(Runtime, limits=ReadingLimits(export_events=2, export_places=2))
    async with fresh(installation, make_runtime=make_runtime) as registry:
        yield registry


async def test_json_lines_are_the_search_oldest_first(fresh_registry: Registry) -> None:
    """For every filter tried, an export has the items of the search, and none recorded after the export began."""
    await live(fresh_registry)
    for partner in ("north", "south", "east"):
        dpo = await fresh_registry.dpo(partner)
        filters: list[dict[str, object]] = [{}, {"client": "N-1"}, {"kind": "decision"}, {"purpose": "support"}]
        filters.append({"partner": "south"})
        for asked in filters:
            shown = await search_all(dpo, limit=200, **asked)
            last = (await records(fresh_registry))[-1].index
            answer = await taken(dpo, "jsonl", **asked)
            assert answer.headers["content-type"] == "application/jsonl"
            name = f'attachment; filename="events-small-{partner}.jsonl"'
            assert answer.headers["content-disposition"] == name
            lines = [json.loads(line) for line in answer.text.splitlines()]
            looks = {last} if lines and lines[-1]["log"]["index"] == last else set()  # the search just made
            assert [item for item in lines if item["log"]["index"] not in looks] == shown[::-1], (partner, asked)


async def test_each_page_is_on_record_before_it_leaves(short_pages: Registry) -> None:
    """With pages of two, each page has a read event with count and digest, and all together cover what was sent."""
    await live(short_pages)
    dpo = await short_pages.dpo("north")
    before = (await records(short_pages))[-1].index
    left = [json.loads(line)["id"] for line in (await taken(dpo, "jsonl")).text.splitlines()]
    looks = [record.facts for record in await records(short_pages) if record.index > before]
    assert {(item["kind"], item["what"], item["actor"]) for item in looks} == {("read", "event export", "north")}
    assert sum(item["count"] for item in looks) == len(left)
    assert len(looks) > 2
    digests = []
    for item in looks:
        shown, left = left[: item["count"]], left[item["count"] :]
        digests.append(digest_of(shown))
    assert digests == [item["digest"] for item in looks]


async def test_an_export_that_finds_nothing_is_on_record(fresh_registry: Registry) -> None:
    """An export without events is logged once with count 0; it is empty, and as CSV it has the header line."""
    dpo = await fresh_registry.dpo("east")
    assert (await taken(dpo, "jsonl", client="nobody")).text == ""
    assert (await records(fresh_registry))[-1].facts["count"] == 0
    text = (await taken(dpo, "csv", client="nobody")).text
    assert text == "id,kind,at,actor,client,recipient,purpose,outcome,person,log_index,leaf\r\n"


def hostile() -> list[str]:
    """Two hundred references that a spreadsheet could take for formulas or separators."""
    chance = random.Random(4180)
    payloads = [
        *("=1+1", "+1", "-1", "@SUM(1)", '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0", "'=1", "''", "'"),
        *(
            "a;=1+1",
            "a; =1+1;b",
            'a"";=1',
            "a,=1",
            '",=1',
            '";=1;"',
            f"{WIDE[0]}1+1",
            f"a;{WIDE[0]}1",
            "-2+3+cmd|'x'!A",
            "@",
            "=",
        ),
        *('"', '""', ",", ";", "a;b", "x;-1;+2;@3", "%0A=1", "a|=1", "=1;=2;=3", ";=1", ";;==1"),
    ]
    letters = "=+-@';\",|%!()a1ß " + WIDE
    while len(payloads) < 200:
        text = "".join(chance.choice(letters) for _ in range(chance.randrange(1, 20))).strip()
        if text:
            payloads.append(text)
    return payloads


def test_no_cell_begins_a_formula_in_any_spreadsheet() -> None:
    """No cell of 200 hostile values begins a formula, whether the file is split at commas or at semicolons; without the
    apostrophes each value is the original one. Control: a row written without protection fails the same check.
    """
    payloads = hostile()
    assert len(payloads) >= 200
    rows = b"".join(csv_row(["id", payload, 7, None]) for payload in payloads)
    read = list(csv.reader(io.StringIO(rows.decode(), newline=""), strict=True))
    assert [len(row) for row in read] == [4] * len(payloads)
    for row, payload in zip(read, payloads, strict=True):
        assert not dangerous(row[1]), row[1]
        assert restored(row[1]) == payload
        assert (row[0], row[2], row[3]) == ("id", "7", "")
    plain = [payload for payload in payloads if dangerous(payload)]
    assert len(plain) > 100


def dangerous(cell: str) -> bool:
    """Whether a spreadsheet would see a formula in a cell, or in a part of it between semicolons."""
    return any(piece.lstrip(" ")[:1] in set(STARTS) for piece in cell.split(";") if piece.lstrip(" "))


def restored(cell: str) -> str:
    """Remove one apostrophe from the beginning of a cell and from after each semicolon."""
    return ";".join(piece.removeprefix("'") for piece in cell.split(";"))


async def test_csv_is_safe_end_to_end(fresh_registry: Registry) -> None:
    """With registered references that look like formulas, the CSV follows RFC 4180 with equally many cells per row."""
    ours = await office(fresh_registry, "north")
    references = hostile()[:40]
    for reference in references:
        await ours.partner.post("/clients", {"reference": reference})
    answer = await taken(await fresh_registry.dpo("north"), "csv", kind="client")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('.csv"')
    assert "\n" not in answer.text.replace("\r\n", "")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))
    registered = {item["client"] for item in await search_all(await fresh_registry.dpo("north"), kind="client")}
    assert {restored(row["client"]) for row in rows} == registered
    assert registered >= set(references) - {"=1;=2;=3 "}
    for row in rows:
        assert None not in row
        assert not any(dangerous(cell) for cell in row.values()), row


async def test_a_bundle_needs_a_checkpoint(fresh_registry: Registry) -> None:
    """A bundle before the first checkpoint is refused with 409, and nothing is sent."""
    before = len(await records(fresh_registry))
    dpo = await fresh_registry.dpo("north")
    answer = await dpo.post(EXPORTS, {"format": "bundle"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert "no published checkpoint" in answer.json()["detail"]
    assert len(await records(fresh_registry)) == before


async def test_bad_exports_are_problems(fresh_registry: Registry) -> None:
    """A wrong filter or format is refused before anything is sent."""
    dpo = await fresh_registry.dpo("north")
    for body, pointer in (
        ({}, "/format"),
        ({"format": "pdf"}, "/format"),
        ({"format": "csv", "purpose": "nothing"}, "/purpose"),
        ({"format": "csv", "limit": 5}, "/limit"),
        ({"format": "bundle", "client": " x"}, "/client"),
    ):
        answer = await dpo.post(EXPORTS, body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_bundles_verify_and_a_flipped_byte_is_found(fresh_registry: Registry, tmp_path: Path) -> None:
    """A DPO's bundle over HTTP and the auditor's whole bundle both verify against the exported log. With one bit of an
    event flipped, `verify` fails and names the event.
    """
    await live(fresh_registry)
    async with sealing_office(fresh_registry.installation, fresh_registry.database, tmp_path / "heads") as sealer:
        await sealer.seal()
    folder = tmp_path / "log"
    async with administering(fresh_registry) as (runtime, network):
        await export_log(runtime, network, folder)
        vkey = runtime.keys.log_vkey(network.log_origin)
    dpo = await fresh_registry.dpo("north")
    own = tmp_path / "north.jsonl"
    own.write_text((await taken(dpo, "bundle")).text)
    head, *lines = [json.loads(line) for line in own.read_text().splitlines()]
    size = head["size"]
    assert head == {"bundle": 1, "origin": network.log_origin, "size": size, "slice": "north", "actor": "north"}
    every = [record for record in await records(fresh_registry) if record.index < size]
    assert [record["index"] for record in lines] == [
        record.index for record in every if record.facts["actor"] == "north"
    ]

    auditor = fresh_registry.installation.dsn(fresh_registry.database, "auditor")
    whole = tmp_path / "events.jsonl.gz"
    said = run("audit", "bundle", "small", str(whole), **{AUDITOR: auditor})
    assert (said.returncode, said.stderr) == (0, "")
    assert json.loads(gzip.decompress(whole.read_bytes()).splitlines()[0]) == {
        "bundle": 1,
        "origin": network.log_origin,
        "size": size,
        "slice": "all",
    }
    assert said.stdout == f"{len(every)} events of {size} entries in {whole}\n"
    assert stat.S_IMODE(whole.stat().st_mode) == 0o600

    def verified(file: Path) -> tuple[int, str]:
        done = run("verify", str(folder), "--vkey", vkey, "--events", str(file))
        return done.returncode, done.stdout

    code, report = verified(own)
    assert code == 0, report
    assert f"{len(lines)} events open their leaves; only the slice north was given" in report
    code, report = verified(whole)
    assert code == 0, report
    assert f"{len(every)} events open their leaves; 0 were removed on record" in report

    altered = bytearray(base64.b64decode(lines[3]["event"]))
    altered[len(altered) // 2] ^= 1
    lines[3]["event"] = base64.b64encode(altered).decode()
    own.write_text("".join(json.dumps(line) + "\n" for line in [head, *lines]))
    code, report = verified(own)
    assert (code, f"event {lines[3]['index']} does not open its leaf" in report) == (1, True), report


async def test_the_auditors_bundle_refuses_in_one_line(fresh_registry: Registry, tmp_path: Path) -> None:
    """An unknown network, no checkpoint, another login or a missing setting gives exit code 2, one line and no file."""
    file = tmp_path / "events.jsonl"
    dsn = fresh_registry.installation.dsn
    auditor = {AUDITOR: dsn(fresh_registry.database, "auditor")}
    for network, environment, words in (
        ("nowhere", auditor, "There is no such network."),
        ("small", auditor, "no checkpoint yet"),
        ("small", {AUDITOR: dsn(fresh_registry.database, "app")}, "does not see whole networks"),
        ("small", {}, f"set {AUDITOR}"),
    ):
        said = run("audit", "bundle", network, str(file), **environment)
        assert (said.returncode, len(said.stderr.splitlines())) == (2, 1), said.stderr
        assert words in said.stderr
        assert not file.exists()


async def test_an_erased_client_is_in_no_export(fresh_registry: Registry, tmp_path: Path) -> None:
    """After an erasure an export has neither the client's events nor the questions from before its registration."""
    client = await live(fresh_registry)
    dpo = await fresh_registry.dpo("north")
    about = [json.loads(line)["id"] for line in (await taken(dpo, "jsonl", client=client)).text.splitlines()]
    assert len(about) >= 4
    async with erasing(fresh_registry, tmp_path / "ledger") as eraser:
        network = await small(eraser)
        preview = await preview_erasure(eraser, network, north(client))
        await perform_erasure(eraser, network, north(client), ground=next(iter(GROUNDS)), confirmed=preview.digest)
    assert (await taken(dpo, "jsonl", client=client)).text == ""
    text = (await taken(dpo, "jsonl")).text
    assert text
    assert not any(name in text for name in about)


async def test_a_suspended_partners_export_ends(short_pages: Registry) -> None:
    """A caller suspended during an export gets no further page: the answer breaks off and is incomplete."""
    await live(short_pages)
    dpo, admin = await short_pages.dpo("north"), await short_pages.partner("admin")
    sent: list[bytes] = []

    async def suspending(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        async def noting(message: Any) -> None:  # noqa: ANN401 - as above
            await send(message)
            if message.get("body"):
                sent.append(message["body"])
                if len(sent) == 2:
                    assert (await admin.post("/suspensions", {"partner": "north"})).status_code == 201

        await short_pages.app(scope, receive, noting)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(suspending), base_url="http://registry.test") as http:
        with pytest.raises(CutOff):
            await taken(replace(dpo, http=http), "jsonl")
    assert len(sent) == 2
