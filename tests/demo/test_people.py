"""The made-up clients: there are enough, in every state, and all follow the rules."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import msgspec
import pytest

from consent_registry.demo.documents import (
    SLUGS,
    read_catalogue,
    read_network,
)
from consent_registry.demo.people import DemoClient, DemoConsent, clients, permit_example
from tests.demo.wire import FORMS, RULES, Body

NOW = datetime(2026, 11, 22, 5, 7, tzinfo=UTC)
WITH_FLOWS = tuple(slug for slug in SLUGS if slug != "widunetz")
LANGUAGES = {"de", "en", "ar", "uk", "tr"}

with_flows = pytest.mark.parametrize("slug", WITH_FLOWS)
# What depends on the time of the first start has to hold whenever that is.
at_any_start = pytest.mark.parametrize(
    "now", [NOW, datetime(2027, 3, 1, 0, 0, 1, tzinfo=UTC), datetime(2028, 2, 29, 23, 59, tzinfo=UTC)]
)


@cache
def _people(slug: str, now: datetime = NOW) -> tuple[DemoClient, ...]:
    return tuple(clients(slug, now))


def _recorded(slug: str, now: datetime = NOW) -> Iterator[tuple[DemoConsent, Body]]:
    for client in _people(slug, now):
        for consent in client.consents:
            yield consent, msgspec.convert(consent.body, Body)


def _end_of(body: Body) -> datetime:
    given_at = body.act.given_at
    return body.valid_until or given_at.replace(year=given_at.year + 2, day=min(given_at.day, 28))


@at_any_start
@with_flows
def test_enough_clients_and_consents_in_every_state(slug: str, now: datetime) -> None:
    """Each network has at least 40 clients and 60 consents: given, expired, withdrawn wholly and in part."""
    states = Counter(consent.state for consent, _ in _recorded(slug, now))
    assert len(_people(slug, now)) >= 40
    assert states.total() >= 60
    assert set(states) == {"given", "expired", "withdrawn", "withdrawn_in_part"}
    assert min(states.values()) >= 5


def test_widunetz_has_no_clients() -> None:
    """A network without flows has no clients."""
    assert clients("widunetz", NOW) == []
    assert permit_example("widunetz") is None


@with_flows
def test_same_time_gives_same_people(slug: str) -> None:
    """The generator uses neither clock nor random numbers."""
    assert tuple(clients(slug, NOW)) == _people(slug)
    assert tuple(clients(slug, NOW + timedelta(days=1))) != _people(slug)


@with_flows
def test_references_are_codes_and_unique(slug: str) -> None:
    """A reference is a code of its partner, never a name, and belongs to one client."""
    references = [(client.partner, client.reference) for client in _people(slug)]
    assert len(set(references)) == len(references)
    for client in _people(slug):
        assert re.fullmatch(r"[A-Z]{2,5}-1\d{3}", client.reference)
        assert {consent.body["client"] for consent in client.consents} == {client.reference}
        assert {consent.partner for consent in client.consents} == {client.partner}


@at_any_start
@with_flows
def test_state_follows_from_dates_and_withdrawal(slug: str, now: datetime) -> None:
    """The state of each consent follows from its dates and its withdrawal."""
    for consent, body in _recorded(slug, now):
        assert now - timedelta(days=913) <= body.act.given_at < now
        assert body.act.given_at < _end_of(body)
        assert (consent.state == "expired") == (_end_of(body) <= now)
        assert (consent.withdrawal is not None) == consent.state.startswith("withdrawn")


@with_flows
def test_grants_are_flows_of_the_agreement_sent_by_their_recorder(slug: str) -> None:
    """Every grant is within a consent flow of the agreement and is recorded by its sender."""
    flows = {
        (flow.sender, flow.recipient, flow.purpose): set(flow.categories)
        for agreement in read_network(slug).agreements
        for flow in agreement.flows
        if flow.basis == "consent"
    }
    for consent, body in _recorded(slug):
        assert body.text.id == "2026-1"
        assert 1 <= len(body.grants) <= 50
        assert len({(grant.recipient, grant.purpose) for grant in body.grants}) == len(body.grants)
        for grant in body.grants:
            assert grant.sender == consent.partner
            assert grant.answer == "given"
            assert grant.categories
            assert set(grant.categories) <= flows[grant.sender, grant.recipient, grant.purpose]


@with_flows
def test_special_categories_are_explicit_and_secrecy_is_released(slug: str) -> None:
    """Grants with special data are explicit, and every secrecy holder is released towards each recipient."""
    document = read_network(slug)
    catalogue = read_catalogue(document)
    bound = {function.slug for function in catalogue.functions if function.secrecy_norm is not None}
    functions = {partner.slug: bound.intersection(partner.functions) for partner in document.partners}
    special = {category.slug for category in catalogue.data_categories if category.special}
    for _, body in _recorded(slug):
        for grant in body.grants:
            assert grant.explicit == bool(special.intersection(grant.categories))
        needed = {(grant.sender, grant.recipient) for grant in body.grants if functions[grant.sender]}
        assert sorted((release.holder, release.towards) for release in body.releases) == sorted(needed)
        assert all(release.function in functions[release.holder] for release in body.releases)
        assert all(release.person is None for release in body.releases)


@at_any_start
@with_flows
def test_every_form_satisfies_the_stricter_regime_of_its_day(slug: str, now: datetime) -> None:
    """For each category and both sides a form rule was in force on the day, and the method satisfies all of them."""
    document = read_network(slug)
    regimes = {partner.slug: partner.regime for partner in document.partners}
    special = {category.slug for category in read_catalogue(document).data_categories if category.special}
    for _, body in _recorded(slug, now):
        # The days around midnight count in either time zone.
        for day in {body.act.given_at.date(), body.act.given_at.astimezone(ZoneInfo("Europe/Berlin")).date()}:
            for grant in body.grants:
                for side in (grant.sender, grant.recipient):
                    for category in grant.categories:
                        rows = [
                            form
                            for regime, only_special, form, since, until in RULES
                            if regime == regimes[side]
                            and only_special in {None, category in special}
                            and since <= day <= until
                        ]
                        assert rows
                        assert all(body.act.method in FORMS[form] for form in rows)


@with_flows
def test_evidence_is_a_digest_unless_oral(slug: str) -> None:
    """Every consent has evidence of its own, except oral ones, which have a reason for their form."""
    digests = []
    for _, body in _recorded(slug):
        evidence = body.act.evidence
        assert (evidence is None) == (body.act.method == "oral") == (body.act.special_circumstances is not None)
        if evidence is not None:
            assert re.fullmatch(r"[0-9a-f]{64}", evidence.sha256)
            assert "/" in evidence.media_type
            assert evidence.kept_at == f"Akte {body.client}"
            digests.append(evidence.sha256)
    assert len(set(digests)) == len(digests)


@with_flows
def test_clients_were_told_everything_in_their_language(slug: str) -> None:
    """All five languages occur, each client got all three pieces of information, and interpreters have a language."""
    required = read_network(slug).network.policies.interpreter_required
    for _, body in _recorded(slug):
        interpreter = body.information.interpreter
        assert sorted(body.information.told) == ["complaint", "consequences_of_refusal", "withdrawal"]
        assert re.fullmatch(r"[A-Za-z0-9-]{1,32}", body.information.explained_by)
        assert interpreter.kind in {"none", "lay", "sworn", "staff", "family"}
        assert interpreter.language == (None if interpreter.kind == "none" else body.text.language)
        if required and body.text.language != "de":
            assert interpreter.kind in {"lay", "sworn", "staff"}
        if any(grant.explicit for grant in body.grants) and body.text.language != "de":
            assert interpreter.kind == "sworn"
    assert {body.text.language for _, body in _recorded(slug)} == LANGUAGES


@with_flows
def test_givers_may_give(slug: str) -> None:
    """Most givers are adults, a young person's insight was assessed, and a parent decides for a child at school."""
    ages = Counter(body.giver.age_band for _, body in _recorded(slug))
    assert ages["adult"] > 0.8 * ages.total()
    for _, body in _recorded(slug):
        giver = body.giver
        assert (giver.insight_assessed_by is not None) == (giver.age_band == "15_17")
        assert (giver.role, giver.age_band) in {("self", "adult"), ("self", "15_17"), ("parent", "under_14")}
        assert (giver.role == "parent") == ({grant.purpose for grant in body.grants} == {"school"})
        assert giver.co_givers == ([{"role": "parent"}] if giver.care == "joint" else [])
        assert (giver.care is None) == (giver.adult_from is None) == (giver.role == "self")
        if giver.adult_from is not None:
            given_at = body.act.given_at
            of_age = datetime.fromisoformat(f"{giver.adult_from}-01T00:00:00Z")
            assert 48 <= (of_age.year - given_at.year) * 12 + of_age.month - given_at.month <= 216


@with_flows
def test_the_ages_of_a_client_do_not_contradict_each_other(slug: str) -> None:
    """Each client's consents name one age band, so the demonstration's data-protection officers find nothing there."""
    for client in _people(slug):
        bands = {msgspec.convert(consent.body, Body).giver.age_band for consent in client.consents}
        assert len(bands) == 1, client.reference


@at_any_start
@with_flows
def test_withdrawals_take_what_is_there_and_in_order(slug: str, now: datetime) -> None:
    """A withdrawal is after its consent and before now, names existing parts, and is not complete if it is partial."""
    partners = {partner.slug for partner in read_network(slug).partners if not partner.isolated}
    for consent, body in _recorded(slug, now):
        if consent.withdrawal is None:
            continue
        withdrawal = consent.withdrawal
        declared, received = (
            msgspec.convert(withdrawal.body[name], datetime) for name in ("declared_at", "received_at")
        )
        assert body.act.given_at < declared <= received <= now
        assert withdrawal.body["channel"] in {"in_person", "phone", "letter", "email", "third_person"}
        assert withdrawal.partner in partners
        if consent.state == "withdrawn":
            assert withdrawal.grants is None
            assert "categories" not in withdrawal.body
        else:
            assert withdrawal.partner == consent.partner
            touched = [body.grants[place] for place in withdrawal.grants or ()]
            gone = msgspec.convert(withdrawal.body.get("categories", []), list[str])
            assert touched
            assert len(touched) < len(body.grants) or (gone and set(gone) < set(touched[0].categories))
            assert set(gone) <= set(touched[0].categories)


def test_withdrawals_come_by_every_way() -> None:
    """Across the networks clients withdrew at the sender, at a recipient, with the receipt code, and all consents at
    once.
    """
    made = [
        (consent, consent.withdrawal) for slug in WITH_FLOWS for consent, _ in _recorded(slug) if consent.withdrawal
    ]
    assert {withdrawal.by for _, withdrawal in made} == {"consent_id", "receipt_code", "client"}
    assert any(withdrawal.by == "consent_id" and withdrawal.partner != consent.partner for consent, withdrawal in made)
    assert any(
        withdrawal.by == "receipt_code" and withdrawal.partner != consent.partner for consent, withdrawal in made
    )
    assert any("categories" in withdrawal.body for _, withdrawal in made)


@with_flows
def test_a_recipient_who_records_a_withdrawal_is_named_in_all_of_it(slug: str) -> None:
    """A recipient withdraws a whole consent only if it is in every grant; by client, the consent is the only one."""
    for client in _people(slug):
        for consent in client.consents:
            withdrawal = consent.withdrawal
            if withdrawal is None:
                continue
            if withdrawal.by == "consent_id" and withdrawal.partner != client.partner:
                body = msgspec.convert(consent.body, Body)
                assert {grant.recipient for grant in body.grants} == {withdrawal.partner}
            if withdrawal.by == "client":
                assert len(client.consents) == 1
                assert withdrawal.body["client"] == client.reference
