"""The README: its exchange is what the registry answers, its promises are those of the list, and it stays short."""

import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.support.installation import Partner, Registry
from tests.support.releases import needed_releases

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LONGEST = 120


def exchange() -> list[dict[str, Any]]:
    """Return the question, its answer, the withdrawal and the answer after it, as they are shown."""
    section = README.split("\n## One exchange\n")[1].split("\n## ")[0]
    return [msgspec.json.decode(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]


async def agreed(partner: Partner, client: str, question: dict[str, Any]) -> str:
    """Let a new client of this partner agree to what the question asks for; returns the receipt code."""
    text = (await partner.get("/texts")).json()["items"][0]["id"]
    grant = {"sender": "awo-paderborn"} | {name: question[name] for name in ("recipient", "purpose", "categories")}
    assert (await partner.post("/clients", {"reference": client})).status_code == 201
    consent = await partner.post(
        "/consents",
        {
            "client": client,
            "text": {"id": text, "language": "de"},
            "grants": [grant],
            "releases": needed_releases([grant]),
            "giver": {"role": "self", "age_band": "adult"},
            "act": {
                "method": "written",
                "given_at": datetime.now(UTC).isoformat(),
                "evidence": {"sha256": "0" * 64, "media_type": "application/pdf", "kept_at": "Akte 4711"},
            },
            "information": {
                "explained_by": "B-12",
                "interpreter": {"kind": "none"},
                "told": ["consequences_of_refusal"],
            },
        },
    )
    assert consent.status_code == 201, consent.text
    return str(consent.json()["receipt_code"])


def seconds_good(answer: dict[str, Any]) -> float:
    """Return for how long an answer is good."""
    return (datetime.fromisoformat(answer["expires_at"]) - datetime.fromisoformat(answer["decided_at"])).total_seconds()


async def test_the_exchange_is_what_the_registry_answers(registry: Registry) -> None:
    """Question, permit, withdrawal by code, denial: every member that is shown is there, and the outcomes are these."""
    question, permit, withdrawal, denial = exchange()
    partner = await registry.partner("awo-paderborn", "paderborn")
    client = f"README-{uuid.uuid4()}"
    code = await agreed(partner, client, question)
    answers = [(await partner.post("/decisions", question | {"client": client})).json()]
    withdrawn = await partner.post("/withdrawals", withdrawal | {"receipt_code": code})
    assert withdrawn.status_code == 201, withdrawn.text
    assert len(withdrawal["receipt_code"]) == len(code)
    answers.append((await partner.post("/decisions", question | {"client": client})).json())
    varying = {"decided_at", "expires_at", "log"}
    for shown, answer in zip((permit, denial), answers, strict=True):
        assert shown.keys() <= answer.keys()
        assert {name: answer[name] for name in shown.keys() - varying} == {
            name: shown[name] for name in shown.keys() - varying
        }
    assert permit["log"].keys() <= answers[0]["log"].keys()
    assert seconds_good(permit) == seconds_good(answers[0]) == 300


def test_its_promises_are_those_of_the_list() -> None:
    """Eight, each with a file of tests that the list names for it."""
    page = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d)\. .+ \| \[[\w.]+\]\((tests/[\w/.]+)\) \|$", README, re.MULTILINE)
    assert [number for number, _ in rows] == list("12345678")
    for number, path in rows:
        section = page.split(f"\n## {number}. ")[1].split("\n## ")[0]
        assert f"](../{path})" in section


def test_it_is_short() -> None:
    """Who opens it reads it to its end."""
    assert len(README.splitlines()) <= LONGEST
