"""docs/verifying.md: its section for data-protection officers says what there is, and its lines work when pasted."""

import re
from pathlib import Path

import httpx
import msgspec
import pytest

from consent_registry.domain.events.all_kinds import EVENTS
from consent_registry.operations.oversight.event_export import EventExportRequest
from consent_registry.operations.oversight.event_filter import EventFilter
from tests.campaigns.support.server import Server, wait_until
from tests.campaigns.tampering.unrecorded_columns import UNTOLD
from tests.support.pasting import paste, shell_lines

GUIDE = (Path(__file__).parents[2] / "docs/verifying.md").read_text(encoding="utf-8")
SECTION = GUIDE.split("\n## Searching the log, and taking events along\n")[1].split("\n## ")[0]


def test_every_member_of_a_filter_is_explained() -> None:
    """Each is in the table, and no other does; the kinds named there are kinds."""
    rows = [line for line in SECTION.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([a-z]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(field.encode_name for field in msgspec.structs.fields(EventFilter))
    kinds = next(row for row in rows if row.startswith("| `kind`"))
    assert set(re.findall(r"`([a-z_]+)`", kinds.split("|")[2])) < set(EVENTS)


def test_every_format_is_explained() -> None:
    """The export's formats, each by its name."""
    (form,) = [field for field in msgspec.structs.fields(EventExportRequest) if field.name == "format"]
    assert all(f"`{name}`" in SECTION for name in form.type.__args__)


def wait_for_checkpoint(server: Server) -> None:
    """The server is ready before its sealer leads, and a bundle needs what was published."""
    head = f"http://127.0.0.1:{server.port}/log/paderborn/checkpoint"
    wait_until(lambda: httpx.get(head).status_code == httpx.codes.OK, 60.0, "the first checkpoint")


@pytest.mark.system
def test_the_curl_lines_work_when_pasted(tmp_path: Path) -> None:
    """Beside a running demonstration they find a client, write a table and a bundle, and verify the bundle."""
    pasted = paste(shell_lines(SECTION), tmp_path, "verifying", wait_for_checkpoint)
    assert (pasted.returncode, pasted.stderr) == (0, "")
    said = pasted.stdout.splitlines()
    assert said[:2] == ["AWO-1001", "awo-paderborn"]
    assert said[2].startswith("id,kind,at,actor,client")
    assert "Everything that was checked holds." in said
    assert "only the slice awo-paderborn was given" in pasted.stdout
    assert len((tmp_path / "events.csv").read_text().splitlines()) > 2
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) > 2


def test_what_is_not_told_is_in_the_guide() -> None:
    """Every column that the tampering campaign lists as recorded in no event, with its harm, and no other column."""
    rows = GUIDE.partition("| not recorded in events |")[2].partition("\n\n")[0].splitlines()[2:]
    listed = set()
    for row in rows:
        names = re.findall(r"`([a-z_.]+)`", row.split(" | ")[0])
        table = names[0].partition(".")[0]
        listed |= {f"{table}{name}" if name.startswith(".") else name for name in names}
    told = {table if column == "*" else f"{table}.{column}" for table, columns in UNTOLD.items() for column in columns}
    assert listed == told
