"""A client withdraws with its receipt code at any partner of the network."""

from tests.support.installation import Registry
from tests.support.log_check import check_log
from tests.support.office import office

BACK = {"sender": "south", "recipient": "north", "purpose": "support", "categories": ["identity"]}


async def test_a_code_works_at_an_office_that_has_no_part(registry: Registry) -> None:
    """An office that knows neither client nor consent withdraws all of it by the code, in any common spelling."""
    north, east = await office(registry, "north"), await office(registry, "east")
    client = await north.client()
    consent = await north.consent(client, BACK)
    await east.get(f"/consents/{consent['consent_id']}", 404)
    written = consent["receipt_code"].lower().replace("-", " ")
    answer = await east.post("/withdrawals", {"receipt_code": written, "channel": "in_person"})
    # South only requested the way back. It is withdrawn as well and can never be confirmed.
    assert sorted(answer["withdrawn"]) == sorted(grant["grant_id"] for grant in consent["grants"])
    assert await north.outcome(client) == "no_permission"
    await east.get(f"/consents/{consent['consent_id']}", 404)
    await east.post("/withdrawals", {"receipt_code": written, "channel": "in_person"}, 409)
    async with registry.sql() as connection:
        notified = await connection.fetch(
            """
            select p.slug from registry.changes c join registry.partners p using (network_id, partner_id)
            where consent_id = $1 and c.kind = 'consent_withdrawn' order by 1
            """,
            consent["consent_id"],
        )
    assert [row["slug"] for row in notified] == ["north", "south"]
    withdrawal = (await check_log(registry))[answer["log"]["index"]]
    assert (withdrawal["actor"], withdrawal["by"]) == ("east", "receipt_code")
    assert consent["receipt_code"] not in str(withdrawal)


async def test_the_code_is_kept_as_a_digest_only(registry: Registry) -> None:
    """The database holds neither the code nor its characters, and no answer shows it again."""
    north = await office(registry, "north")
    consent = await north.consent(await north.client())
    assert "receipt_code" not in await north.get(f"/consents/{consent['consent_id']}")
    code = consent["receipt_code"].replace("-", "")
    async with registry.sql() as connection:
        rows = await connection.fetch("select * from registry.receipt_codes")
        assert all(len(row["digest"]) == 32 for row in rows)
        assert code not in str(rows)
        assert code.encode() not in b"".join(row["digest"] for row in rows)


async def test_wrong_codes_are_all_alike_and_throttled(fresh_registry: Registry) -> None:
    """Unknown, mistyped and impossible codes get the same answer. After twenty within an hour a right code must wait
    too.
    """
    north, south = await office(fresh_registry, "north"), await office(fresh_registry, "south")
    consent = await north.consent(await north.client())
    code = consent["receipt_code"]
    mistyped = code[:-1] + ("2" if code[-1] == "1" else "1")
    bodies = set()
    for number in range(20):
        wrong = ("0000-0000-0000", mistyped, "no code", "U" * 12)[number % 4]
        answer = await south.partner.post("/withdrawals", {"receipt_code": wrong, "channel": "phone"})
        bodies.add((answer.status_code, answer.text))
    assert len(bodies) == 1
    assert next(iter(bodies))[0] == 404
    late = await south.partner.post("/withdrawals", {"receipt_code": code, "channel": "phone"})
    assert (late.status_code, late.headers["retry-after"]) == (429, "3600")
    # Only the guessing partner must wait: the client can still withdraw at another one.
    await north.post("/withdrawals", {"receipt_code": code, "channel": "phone"})
    await check_log(fresh_registry)
