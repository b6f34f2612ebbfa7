"""The network of flags running: its offices, and consents between them that differ in one thing from a good one."""

import copy
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.installation import Registry
from tests.support.office import Body, Office, office
from tests.support.releases import needed_releases
from tests.support.small_network import consent_body


async def flag_office(registry: Registry, slug: str) -> Office:
    """Return an office of the network of flags."""
    return await office(registry, slug, "flags")


def body_of(client: str, text_id: str, *grants: Body, **members: Any) -> Body:  # noqa: ANN401 - any member
    """Return a written consent of these grants, given just now, with further members."""
    made = consent_body(client, text_id)
    made["grants"] = [copy.deepcopy(body) for body in grants]
    made["releases"] = needed_releases(made["grants"])
    for name, value in members.items():
        made[name] = made[name] | value if isinstance(made.get(name), dict) else value
    return made


def grant(sender: str, recipient: str, purpose: str, *categories: str, **members: object) -> Body:
    """Return a grant, by default for identity and contact."""
    named = list(categories or ("identity", "contact"))
    return {"sender": sender, "recipient": recipient, "purpose": purpose, "categories": named} | members


def month_after(months: int) -> str:
    """Return the month so many months after this one, as YYYY-MM, by the calendar in Germany."""
    today = datetime.now(ZoneInfo("Europe/Berlin"))
    year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
    return f"{year}-{month + 1:02}"


async def refusals(by: Office, body: Body) -> set[tuple[str, str]]:
    """Return rule and place of everything the consent is refused for; each refusal names its norm as well, but for
    a rule of the network.
    """
    answer = await by.post("/consents", body, 422)
    assert all("norm" in error or error["rule"] == "flow_in_agreement" for error in answer["errors"]), answer
    return {(error["rule"], error["pointer"]) for error in answer["errors"]}


async def recorded(registry: Registry, consent: Body) -> Body:
    """Return the event that says how a consent was recorded."""
    async with registry.sql() as sql:
        said = "select event from registry.events where event_id = $1"
        event: Body = json.loads(await sql.fetchval(said, consent["consent_id"]))
    return event


async def permitted(by: Office, client: str, recipient: str, purpose: str, *categories: str) -> list[str]:
    """Return what may go, of what was asked."""
    question = {"client": client, "recipient": recipient, "purpose": purpose, "categories": list(categories)}
    answer = await by.post("/decisions", question, 200)
    assert isinstance(answer["permitted_categories"], list)
    return list(answer["permitted_categories"])
