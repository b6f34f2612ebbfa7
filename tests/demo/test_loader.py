"""The demonstration's part of demo.json, as the loader saves it."""

import json
from pathlib import Path

import jwt

from consent_registry.demo import documents
from consent_registry.demo.loader import load
from tests.support.installation import ISSUER, Registry


async def test_a_demonstration_from_before_dpos_gives_them_credentials_once(registry: Registry, tmp_path: Path) -> None:
    """An older demo.json keeps its content; every partner with a credential gets a DPO's once, and keeps it at later
    starts.
    """
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    kept = registry.installation.networks["widunetz"]
    bare = [{name: value for name, value in partner.items() if name != "dpo"} for partner in kept["partners"]]
    for slug in documents.SLUGS:
        entry = {**kept, "partners": bare} if slug == "widunetz" else {"slug": slug, "partners": []}
        (keys / f"demo-{slug}.json").write_text(json.dumps(entry))
    for path in registry.installation.keys.iterdir():
        (keys / path.name).write_bytes(path.read_bytes())
        (keys / path.name).chmod(0o600)
    await load(registry.installation.dsn(registry.database), keys, tmp_path, ISSUER)
    first = json.loads((tmp_path / "demo.json").read_bytes())
    await load(registry.installation.dsn(registry.database), keys, tmp_path, ISSUER)
    assert json.loads((tmp_path / "demo.json").read_bytes()) == first
    (network,) = [network for network in first["networks"] if network["slug"] == "widunetz"]
    assert [
        {name: value for name, value in partner.items() if name != "dpo"} for partner in network["partners"]
    ] == bare
    form = {"grant_type": "client_credentials", **network["partners"][0]["dpo"]}
    token = (await registry.http.post("/oauth/token", data=form)).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["partner"], claims["scope"]) == (bare[0]["slug"], "audit:read")
