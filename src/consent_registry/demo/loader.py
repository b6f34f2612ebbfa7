"""Loads the demonstration with the same operations that partners use, so that its data follow all rules."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from consent_registry.demo import documents
from consent_registry.demo.people import DemoClient, DemoConsent, clients, permit_example
from consent_registry.demo.steps import step
from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.identifiers import uuid7s
from consent_registry.operations.catalogue.network_document_plan import read_plan
from consent_registry.operations.catalogue.network_setup import establish_network, issue_credential
from consent_registry.operations.clients.clients import ClientRequest, register_client
from consent_registry.operations.consents.late_papers import withdraw_across_link
from consent_registry.operations.consents.record import record_consent
from consent_registry.operations.consents.schemas import ConsentRequest, WithdrawalRequest
from consent_registry.operations.consents.withdrawals import withdraw_consent
from consent_registry.operations.runtime.actors import Actor
from consent_registry.operations.runtime.context import Runtime
from consent_registry.operations.runtime.idempotency import IdempotencyKey
from consent_registry.operations.runtime.installation import opened_runtime
from consent_registry.process.data_folder import write_private

LOG_ORIGIN = "consent-registry.demo"
TEXTS_SINCE = datetime(2026, 1, 1, tzinfo=UTC)


async def load_network(runtime: Runtime, number: int, slug: str) -> dict[str, Any]:
    """Set up one network with its clients, consents and withdrawals; returns its part of demo.json."""
    plan = read_plan(documents.FOLDER, number, slug, f"{LOG_ORIGIN}/{slug}", demonstration=True)
    plan = msgspec.structs.replace(plan, text_ids={text.version: text_id(slug, text.version) for text in plan.texts})
    if slug not in {network.slug for network in await runtime.networks()}:
        await establish_network(runtime, plan)
    admin = await issue_credential(runtime, plan.network, None)
    credentials = {
        partner.slug: await issue_credential(runtime, plan.network, partner)
        for partner in plan.partners
        if partner.selectable
    }
    catalogue = await runtime.picture(plan.network, fresh=True)
    for client in clients(slug, datetime.now(UTC)):
        await _load_client(runtime, catalogue, {name: pair[0] for name, pair in credentials.items()}, client)
    entry: dict[str, Any] = {
        "slug": slug,
        "name": plan.network.name,
        "log_origin": plan.network.log_origin,
        "log_vkey": runtime.keys.log_vkey(plan.network.log_origin),
        "admin": _login(admin),
        "partners": [{"slug": name, **_login(pair)} for name, pair in credentials.items()],
        "users": [],
        "assumptions": list(documents.read_network(slug).assumptions),
    }
    await _give_dpos(runtime, entry)
    example = permit_example(slug)
    return entry if example is None else {**entry, "permit_example": example}


def text_id(slug: str, version: str) -> str:
    """The id of a text of the demonstration. It is the same in every installation, so that examples can use it."""
    return uuid7s(TEXTS_SINCE, hashlib.sha256(f"{slug}/{version}".encode()).digest()[:10])[0]


def _login(pair: tuple[str, str]) -> dict[str, str]:
    return {"client_id": pair[0], "client_secret": pair[1]}


async def _give_dpos(runtime: Runtime, entry: dict[str, Any]) -> None:
    """Issue a credential for the DPO of every partner in a network's part of demo.json that has none."""
    network = await runtime.network(entry["slug"])
    if network is None:
        raise ValueError(entry["slug"])
    catalogue = await runtime.picture(network)
    for partner in entry["partners"]:
        if "dpo" not in partner:
            partner["dpo"] = _login(
                await issue_credential(runtime, network, catalogue.partners[partner["slug"]], "dpo")
            )


async def _load_client(runtime: Runtime, catalogue: Catalogue, client_ids: dict[str, str], client: DemoClient) -> None:
    def caller(slug: str) -> Actor:
        partner = catalogue.partners[slug]
        return Actor(catalogue.network, partner.partner_id, slug, client_ids[slug], frozenset(), 0)

    registered = ClientRequest(client.reference)
    await register_client(runtime, caller(client.partner), registered, at_link=withdraw_across_link)
    versions = {text.version: text_id for text_id, text in catalogue.texts.items()}
    keys = _keys(client)
    for consent in client.consents:
        body = json.loads(json.dumps(consent.body))
        body["text"]["id"] = versions[body["text"]["id"]]
        request = msgspec.convert(body, ConsentRequest)
        outcome = await record_consent(runtime, caller(consent.partner), request, next(keys))
        if consent.withdrawal is not None:
            withdrawal = msgspec.convert(_withdrawal(consent, msgspec.to_builtins(outcome.value)), WithdrawalRequest)
            await withdraw_consent(runtime, caller(consent.withdrawal.partner), withdrawal, next(keys))


def _keys(client: DemoClient) -> Iterator[IdempotencyKey]:
    number = 0
    while True:
        number += 1
        yield IdempotencyKey.of(0, "POST", "/demonstration", f"{client.reference}-{number}", b"")


def _withdrawal(consent: DemoConsent, recorded: dict[str, Any]) -> dict[str, Any]:
    """The body that withdraws the consent `recorded`."""
    planned = consent.withdrawal
    if planned is None:
        raise ValueError(consent)
    body = dict(planned.body)
    if planned.by in {"consent_id", "receipt_code"}:
        body[planned.by] = recorded[planned.by]
    if planned.grants is not None:
        body["grants"] = [recorded["grants"][position]["grant_id"] for position in planned.grants]
    return body


async def load(dsn: str, keys: Path, data: Path, base_url: str) -> None:
    """Load the networks that are not loaded yet, with the application's login `dsn`, and write demo.json.

    It can be interrupted and run again: commands are repeated with their idempotency keys, and a network whose
    credentials were not saved gets new ones.
    """
    async with opened_runtime(dsn, keys, base_url, 4) as runtime:
        entries = [await _entry(runtime, data, number, slug) for number, slug in enumerate(documents.SLUGS, start=1)]
    content = {"base_url": base_url, "networks": entries}
    write_private(data / "demo.json", json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")


async def _entry(runtime: Runtime, data: Path, number: int, slug: str) -> dict[str, Any]:
    kept = data / "keys" / f"demo-{slug}.json"
    if not kept.exists():
        with step(f"Loading the network {slug}"):
            loaded = await load_network(runtime, number, slug)
        write_private(kept, json.dumps(loaded, ensure_ascii=False).encode())
    entry: dict[str, Any] = json.loads(kept.read_bytes())
    if not all("dpo" in partner for partner in entry["partners"]):  # loaded before DPOs had credentials
        await _give_dpos(runtime, entry)
        write_private(kept, json.dumps(entry, ensure_ascii=False).encode())
    return entry
