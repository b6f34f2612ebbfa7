"""`Containerfile` and `compose.yaml`, as far as no daemon is needed: what they name is there, what they run is what the
installation page runs, and the image's steps make a registry that starts.
"""

import json
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from consent_registry import settings
from consent_registry.__main__ import app
from tests.support.debian_system import debian

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/installation.md").read_text()
INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
SOCKET = "/var/run/postgresql"


@dataclass(frozen=True)
class Step:
    """One instruction of the Containerfile, with what follows it on one line."""

    name: str
    words: str


def steps() -> list[Step]:
    """Return the Containerfile's instructions in order."""
    lines = re.sub(r"\\\n\s*", "", (ROOT / "Containerfile").read_text()).splitlines()
    read = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [Step(name, words) for name, _, words in read]


def services() -> dict[str, dict[str, Any]]:
    """Return the services of compose.yaml."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def environment(name: str, folder: Path) -> dict[str, str]:
    """Return the settings in one of the files that the page's lines make."""
    lines = (folder / f"deploy/container/{name}.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_image_is_made_of_what_is_there() -> None:
    """Every instruction is known; every path that is copied is in the repository, and let through to the build."""
    assert {step.name for step in steps()} == INSTRUCTIONS
    allowed = (ROOT / ".containerignore").read_text().splitlines()
    assert allowed == (ROOT / ".dockerignore").read_text().splitlines()
    assert allowed[0] == "*"
    for step in steps():
        if step.name == "COPY" and not step.words.startswith("--from=build"):
            for path in step.words.split()[:-1]:
                assert (ROOT / path).exists(), path
                assert f"!{path}" in allowed, path
    copied = {path for step in steps() if step.name == "COPY" for path in step.words.split()[:-1]}
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {path.partition("/")[0] for path in [*wheel["packages"], *wheel["force-include"]]} <= copied


def test_the_image_is_installed_as_the_page_says() -> None:
    """Locked, with hashes, without what is not needed, on the distribution of the page, as a user without rights."""
    run = "\n".join(step.words for step in steps() if step.name == "RUN")
    for words in ("--require-hashes --requirement requirements.lock", "uninstall --quiet --yes faker pip setuptools"):
        assert words in run
        assert words.replace(" requirements.lock", " $RELEASE/requirements.lock") in PAGE
    assert "[demo]" not in run
    assert "requirements-demo" not in run
    assert {step.words.split()[0] for step in steps() if step.name == "FROM"} == {"debian:bookworm-slim"}
    assert [step.words for step in steps() if step.name == "USER"] == ["10001"]
    entry = next(json.loads(step.words) for step in steps() if step.name == "ENTRYPOINT")
    assert entry == ["/opt/consent-registry/bin/consent-registry"]


def test_every_service_of_ours_is_closed() -> None:
    """Nothing written but its volumes, no capability, no new privilege; the database listens nowhere."""
    ours = {name: service for name, service in services().items() if service["image"] == "consent-registry"}
    assert set(ours) == {"registry", "sealer", "migrate"}
    for name, service in ours.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"ports", "privileged", "cap_add"} & service.keys()
        verb = service.get("command", json.loads(next(step.words for step in steps() if step.name == "CMD")))[0]
        assert verb in set(app)
    database = services()["database"]
    assert database["network_mode"] == "none"
    assert "listen_addresses= " in database["command"]
    assert "--auth-local=scram-sha-256" in database["environment"]["POSTGRES_INITDB_ARGS"]
    assert ours["registry"]["network_mode"] == "service:proxy"
    volumes = yaml.safe_load((ROOT / "compose.yaml").read_text())["volumes"].keys()
    named = {volume.partition(":")[0] for service in services().values() for volume in service.get("volumes", [])}
    assert {name for name in named if not name.startswith(".")} == set(volumes)
    assert "./deploy/nginx.conf" in named


def test_the_pages_lines_make_the_settings(tmp_path: Path) -> None:
    """Each file that compose.yaml names is made, private, and holds what that process cannot do without."""
    lines = re.findall(r"```sh containers\n(.*?)```", PAGE, re.DOTALL)
    assert len(lines) == 1
    subprocess.run(["bash", "-eu", "-o", "pipefail"], input=lines[0], text=True, cwd=tmp_path, check=True)
    for service in services().values():
        for path in [service["env_file"]] if "env_file" in service else []:
            assert (tmp_path / path).stat().st_mode & 0o777 == 0o600
    server = settings.read_settings(environment("server", tmp_path))
    sealer = settings.read_sealer_settings(environment("sealer", tmp_path))
    assert environment("migrator", tmp_path).keys() == {settings.PREFIX + "DATABASE_URL"}
    mounted = {
        name: [volume.partition(":")[2] for volume in services()[name]["volumes"]] for name in ("registry", "sealer")
    }
    assert server.erasure_ledger is not None
    for place in (server.keys.parent, server.erasure_ledger.parent, Path(SOCKET)):
        assert str(place) in mounted["registry"]
    for place in (sealer.keys.parent, sealer.sealer_state, Path(SOCKET)):
        assert str(place) in mounted["sealer"]
    assert (tmp_path / "deploy/container/passwords.sql").read_text().count("alter role") == 3


@pytest.mark.system
def test_the_images_steps_make_a_registry(wheels: Path) -> None:
    """Every RUN and COPY of both stages, in order, on a Debian of its own; the image's user can start it."""
    script = ["mkdir /context /stage", "cd /context", "cp -R /usr/local/src/consent-registry/. .", "cd /"]
    for step in steps():
        if step.name == "WORKDIR":
            script.append(f"mkdir -p {step.words} && cd {step.words}")
        elif step.name == "RUN":
            words = re.sub(r"apt-get (update|install) [^&]*", "true ", step.words)
            script.append(f"{{ {words}; }} || exit 1")
        elif step.name == "COPY" and not step.words.startswith("--from=build"):
            *paths, target = step.words.split()
            script += [
                f"cp -R --no-target-directory /context/{path} {target}/{path}" for path in paths if target == "./"
            ]
            script += [f"cp -R --no-target-directory /context/{path} {target}" for path in paths if target != "./"]
    entry = json.loads(next(step.words for step in steps() if step.name == "ENTRYPOINT"))[0]
    user = f"setpriv --reuid=10001 --clear-groups --no-new-privs env -i {entry}"
    with debian(ROOT, wheels) as world:
        world.says("\n".join(script))
        assert world.says(f"{user} --version") == world.says("/opt/consent-registry/bin/consent-registry --version")
        for verb in ("serve", "seal", "migrate"):
            refused = world.run(f"{user} {verb}")
            assert refused.returncode != 0
            assert "CONSENT_REGISTRY_" in refused.stderr
            assert "Traceback" not in refused.stderr
