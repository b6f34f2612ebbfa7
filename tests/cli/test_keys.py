"""The operator's verbs for keys: list, rotate, move values, and drop an unused key."""

import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
import pytest_asyncio

from consent_registry.domain.instants import format_instant
from tests.cli.test_command_line import run
from tests.cli.test_operators_verbs import refused, said
from tests.support.installation import Installation

APP = "CONSENT_REGISTRY_DATABASE_URL"
MIGRATOR = "CONSENT_REGISTRY_MIGRATOR_DATABASE_URL"


class Desk(NamedTuple):
    """An operator's folder of keys and database logins."""

    folder: Path
    environment: dict[str, str]
    administrator: str

    def listed(self) -> dict[tuple[str, str], str]:
        """Return the listed state of each key, by file and id."""
        lines = said("keys", str(self.folder), **self.environment).splitlines()
        return {(line.split()[0], line.split()[1]): line.split(maxsplit=2)[2] for line in lines}

    def let_time_pass(self, name: str, minutes: float) -> None:
        """Rewrite a file as if its keys had been made earlier."""
        path = self.folder / f"{name}.json"
        content = json.loads(path.read_text())
        for key in content["keys"]:
            for member in {"made_at", "active_from", "until"} & set(key):
                at = datetime.fromisoformat(key[member]) - timedelta(minutes=minutes)
                key[member] = format_instant(at.astimezone(UTC))
        path.write_text(json.dumps(content))


@pytest_asyncio.fixture(loop_scope="session")
async def desk(installation: Installation, tmp_path: Path) -> AsyncIterator[Desk]:
    """Make a desk with a database that has consents."""
    folder = shutil.copytree(installation.keys, tmp_path / "keys")
    folder.chmod(0o700)
    async with installation.copy() as database:
        environment = {APP: installation.dsn(database), MIGRATOR: installation.dsn(database, "migrator")}
        yield Desk(folder, environment, installation.dsn(database, "postgres"))


async def test_a_sealing_key_from_the_first_day_to_the_last(desk: Desk) -> None:
    """A sealing key is listed as used, rotated, refused while used, moved and dropped, and no secret is printed."""
    secret = json.loads((desk.folder / "sealing.json").read_text())["keys"][0]["secret"]
    assert "references" in desk.listed()["sealing", "sealing-1"]
    assert "0 days ago" in desk.listed()["sealing", "sealing-1"]

    printed = said("keys", "rotate", str(desk.folder), "--name", "sealing", "--after", "60")
    assert printed.startswith("sealing-2 becomes current at ")
    assert secret not in printed
    assert desk.listed()["sealing", "sealing-1"].startswith("current;")
    assert desk.listed()["sealing", "sealing-2"].startswith("current from ")
    again = refused("keys", "rotate", str(desk.folder), "--name", "sealing")
    assert "sealing-2 is on its way" in again
    drop = ("keys", "drop", str(desk.folder), "sealing-1", "--name", "sealing")
    assert "is current or about to be" in refused(*drop, **desk.environment)

    desk.let_time_pass("sealing", 1)
    assert desk.listed()["sealing", "sealing-1"].startswith("earlier;")
    assert "must have been current for a minute" in refused(*drop, **desk.environment)
    desk.let_time_pass("sealing", 2)
    assert "references" in refused(*drop, **desk.environment)
    assert "use the migrator's" in refused("keys", "reseal", str(desk.folder), **{MIGRATOR: desk.environment[APP]})
    moved = said("keys", "reseal", str(desk.folder), **desk.environment)
    assert int(moved.split()[0]) > 0
    assert said("keys", "reseal", str(desk.folder), **desk.environment).startswith("0 values")
    assert "answers kept for repetition" in refused(*drop, **desk.environment)
    sql = await asyncpg.connect(desk.administrator)
    await sql.execute("delete from registry.idempotency_keys")  # as housekeeping does when they are two days old
    await sql.close()
    assert "sealing-1 was removed" in said(*drop, **desk.environment)
    assert [key for key in desk.listed() if key[0] == "sealing"] == [("sealing", "sealing-2")]
    assert "there is no key sealing-1" in refused(*drop, **desk.environment)


async def test_a_leaked_token_key_goes_at_once(desk: Desk) -> None:
    """A token key is kept while its tokens are valid, unless it leaked; a log key is never dropped."""
    for name in ("token", "log"):
        said("keys", "rotate", str(desk.folder), "--name", name, "--after", "2")
        desk.let_time_pass(name, 2)
    drop = ("keys", "drop", str(desk.folder), "token-1", "--name", "token")
    assert "tokens signed with it are valid until" in refused(*drop, **desk.environment)
    assert "token-1 was removed" in said(*drop, "--leaked", **desk.environment)
    log = ("keys", "drop", str(desk.folder), "log-1", "--name", "log")
    assert "receipts and checkpoints" in refused(*log, **desk.environment)


async def test_a_missing_key_is_pointed_out(desk: Desk) -> None:
    """Values with a key that is not in the folder are listed as MISSING."""
    foreign = desk.folder.parent / "other"
    said("keys", str(foreign), "--make")
    (foreign / "sealing.json").write_text((foreign / "sealing.json").read_text().replace("sealing-1", "sealing-9"))
    lines = said("keys", str(foreign), **desk.environment).splitlines()
    assert any(line.startswith("sealing  sealing-1    MISSING; ") for line in lines)
    assert not any("MISSING" in line for line in said("keys", str(desk.folder), **desk.environment).splitlines())


@pytest.mark.parametrize(
    "words",
    [
        ("rotate", "--name", "token", "--after", "1"),
        ("rotate", "--name", "token", "--after", "0"),
        ("rotate", "--name", "other"),
        ("rotate",),
        ("drop", "token-1"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Too short a delay, an unknown file and a missing name are refused, and nothing changes."""
    said("keys", str(tmp_path / "keys"), "--make")
    before = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    result = run("keys", words[0], str(tmp_path / "keys"), *words[1:])
    assert result.returncode == 2
    assert {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == before
