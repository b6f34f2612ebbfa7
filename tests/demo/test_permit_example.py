"""The example request that is answered `permit` after the first start, and its variations."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from consent_registry.demo.documents import (
    SLUGS,
    read_network,
)
from consent_registry.demo.people import DemoClient, clients, permit_example

NOW = datetime(2026, 11, 22, 5, 7, tzinfo=UTC)
with_flows = pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "widunetz"])


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of a body of `POST /api/v1/decisions` that the example uses."""

    client: str
    recipient: str
    purpose: str
    categories: list[str]


def _example(slug: str) -> tuple[str, Request]:
    found = permit_example(slug)
    assert found is not None
    return str(found["partner"]), msgspec.convert(found["request"], Request)


def _example_client(slug: str) -> DemoClient:
    partner, request = _example(slug)
    first = next(client for client in clients(slug, NOW) if client.partner == partner)
    assert first.reference == request.client
    return first


def _grants(consent_body: dict[str, object]) -> list[dict[str, object]]:
    return msgspec.convert(consent_body["grants"], list[dict[str, object]])


@with_flows
def test_request_is_covered_by_a_long_lived_consent(slug: str) -> None:
    """The client's last consent covers the whole example, is in German, and is valid for more than a year."""
    _, request = _example(slug)
    last = _example_client(slug).consents[-1]
    asked = [grant for grant in _grants(last.body) if grant["purpose"] == request.purpose]
    assert [question["recipient"] for question in asked] == [request.recipient]
    assert set(request.categories) <= set(msgspec.convert(asked[0]["categories"], list[str]))
    assert last.state == "given"
    assert "valid_until" not in last.body
    assert msgspec.convert(last.body["text"], dict[str, str])["language"] == "de"
    act = msgspec.convert(last.body["act"], dict[str, object])
    assert NOW - msgspec.convert(act["given_at"], datetime) < timedelta(days=60)


@with_flows
def test_two_recipients_share_two_purposes(slug: str) -> None:
    """The example's client consented to the same two purposes for two recipients; the agreement has all four flows."""
    partner, request = _example(slug)
    given = {
        (str(grant["recipient"]), str(grant["purpose"]))
        for consent in _example_client(slug).consents
        for grant in _grants(consent.body)
    }
    flows = {
        (flow.recipient, flow.purpose)
        for agreement in read_network(slug).agreements
        for flow in agreement.flows
        if flow.sender == partner
        and flow.basis == "consent"
        # A variation of the example keeps its categories.
        and set(request.categories) <= set(flow.categories)
    }
    recipients = {recipient for recipient, _ in given}
    purposes = {purpose for _, purpose in given}
    assert len(recipients) == len(purposes) == 2
    assert given == {(recipient, purpose) for recipient in recipients for purpose in purposes}
    assert given <= flows


def test_paderborn_asks_for_work() -> None:
    """Paderborn's example is the AWO's question about its first client, to the Jobcenter, for employment."""
    partner, request = _example("paderborn")
    assert (partner, request.client) == ("awo-paderborn", "AWO-1001")
    assert (request.recipient, request.purpose) == ("jobcenter-kreis-paderborn", "employment")
    employment = next(
        grant for grant in _grants(_example_client("paderborn").consents[-1].body) if grant["purpose"] == "employment"
    )
    assert employment["categories"] == ["identity", "contact", "employment"]
