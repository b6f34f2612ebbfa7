"""Who may call what: every call of the API with the scope it needs, and what a stranger tries it with."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.campaigns.support.scene import CREATED, OK, Flow, Person, Scene, register
from tests.support.small_network import published

Body = dict[str, Any]


@dataclass(slots=True)
class Belongings:
    """The shared data of two partners, which nobody else may see."""

    stage: Scene
    flow: Flow
    client: str = field(default_factory=lambda: f"OWN-{uuid.uuid4()}")
    consent: Body = field(default_factory=dict)
    decision: str = ""
    text: str = ""
    agreement: str = ""

    @property
    def secrets(self) -> set[str]:
        """Return every identifier that a stranger may not see."""
        grants = {grant["grant_id"] for grant in self.consent["grants"]}
        return {self.consent["consent_id"], self.consent["receipt_code"], self.decision, self.client} | grants

    def question(self, **members: object) -> Body:
        """Return the partners' own question."""
        return self.flow.question(self.client, **members)


async def belongings(stage: Scene, me: Person) -> Belongings:
    """Let the example partner register, record, ask and report."""
    mine = Belongings(stage, stage.outgoing()[0])
    await register(me, [mine.client])
    body = stage.consent(mine.client, [mine.flow.grant()])
    made = await me.post("/consents", body, str(uuid.uuid4()))
    assert made.status == CREATED, made
    mine.consent, mine.text = made.json(), made.json()["text"]["id"]
    asked = await me.post("/decisions", mine.question())
    assert (asked.status, asked.json()["outcome"]) == (OK, "permit"), asked
    mine.decision = asked.json()["decision_id"]
    agreements = await me.get("/agreements")
    mine.agreement = agreements.json()["items"][0]["agreement_id"]
    return mine


@dataclass(frozen=True, slots=True)
class Call:
    """An operation of the API: `path` as documented, `make` gives path and body of a stranger's attempt."""

    method: str
    path: str
    scope: str | None
    make: Callable[[Belongings], tuple[str, Body | None]]

    @property
    def name(self) -> str:
        """Return method and path."""
        return f"{self.method} {self.path}"


def _get(path: str, scope: str | None, make: Callable[[Belongings], str] | None = None) -> Call:
    return Call("GET", path, scope, lambda b: (make(b) if make else path, None))


def _path(path: str, b: Belongings) -> str:
    names = {"decision_id": b.decision, "consent_id": b.consent["consent_id"], "text_id": b.text}
    names["approval_id"] = b.decision
    return path.format(**names)


def _post(path: str, scope: str | None, make: Callable[[Belongings], Body]) -> Call:
    def filled(b: Belongings) -> tuple[str, Body]:
        return _path(path, b), make(b)

    return Call("POST", path, scope, filled)


EVIDENCE = {"sha256": "cd" * 32, "media_type": "application/pdf", "kept_at": "File 2"}
CALLS = (
    _get("/me", None),
    _get("/network", None),
    _get("/partners", None),
    _get("/partners/{slug}", None, lambda b: f"/partners/{b.flow.sender}"),
    _get("/purposes", None),
    _get("/purposes/{slug}", None, lambda b: f"/purposes/{b.flow.purpose}"),
    _get("/data-categories", None),
    _get("/data-categories/{slug}", None, lambda b: f"/data-categories/{b.flow.categories[0]}"),
    _get("/agreements", None),
    _get("/agreements/{agreement_id}", None, lambda b: f"/agreements/{b.agreement}"),
    _get("/texts", None),
    _get("/texts/{text_id}", None, lambda b: f"/texts/{b.text}"),
    _get("/texts/{text_id}/{language}", None, lambda b: f"/texts/{b.text}/de"),
    _post("/clients", "clients", lambda b: {"reference": b.client}),
    _post("/consents", "consents:write", lambda b: b.stage.consent(b.client, [b.flow.grant()])),
    _post("/consents/search", "consents:read", lambda b: {"client": b.client}),
    _get("/consents/{consent_id}", "consents:read", lambda b: f"/consents/{b.consent['consent_id']}"),
    _post("/link-codes", "clients", lambda b: {"client": b.client}),
    _post("/unlinkings", "clients", lambda b: {"client": b.client}),
    _post("/consents/{consent_id}/receipt-codes", "consents:write", lambda _: {}),
    _post("/consents/{consent_id}/evidence", "consents:write", lambda _: EVIDENCE),
    _post("/consents/{consent_id}/confirmations", "consents:write", lambda _: {}),
    _post("/consents/{consent_id}/endings", "consents:write", lambda _: {"reason": "case_closed"}),
    _post("/consents/{consent_id}/invalidations", "consents:write", lambda _: {"reason": "form"}),
    _post("/consents/{consent_id}/restrictions", "consents:write", lambda _: {}),
    _post("/consents/{consent_id}/restriction-liftings", "consents:write", lambda _: {}),
    _post("/withdrawals", "consents:write", lambda b: {"consent_id": b.consent["consent_id"], "channel": "phone"}),
    _post("/decisions", "decisions", lambda b: b.question()),
    _post("/decisions/batch", "decisions", lambda b: {"decisions": [b.question(), b.question()]}),
    _get("/decisions", "decisions", lambda _: "/decisions?transfer=missing&limit=200"),
    _get("/decisions/{decision_id}", "decisions", lambda b: f"/decisions/{b.decision}"),
    _post("/decisions/{decision_id}/transfers", "decisions", lambda _: {"outcome": "sent", "categories": ["identity"]}),
    _post("/events/search", "audit:read", lambda b: {"client": b.client}),
    _post("/events/exports", "audit:read", lambda b: {"format": "jsonl", "client": b.client}),
    _post("/texts", "catalogue:write", lambda _: published("9")),
    _post("/texts/{text_id}/stale-translations", "catalogue:write", lambda _: {"language": "ar"}),
    _post("/text-invalidations", "catalogue:write", lambda b: {"text": b.text, "reason": "form"}),
    _post("/suspensions", "catalogue:write", lambda b: {"partner": b.flow.sender}),
    _post("/reinstatements", "catalogue:write", lambda b: {"partner": b.flow.sender}),
    _get("/approvals", "catalogue:write"),
    _post(
        "/approvals", "catalogue:write", lambda _: {"subject": {"purpose": "residence-advice"}, "approved_by": "D-1"}
    ),
    _post("/approvals/{approval_id}/revocations", "catalogue:write", lambda _: {"revoked_by": "D-1"}),
    _get("/findings", "audit:read", lambda _: "/findings?report_days=0&questions_without_transfer=1&limit=200"),
    _post("/credential-revocations", "catalogue:write", lambda _: {"client_id": "paderborn.nobody"}),
)
