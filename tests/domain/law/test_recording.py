"""All rules together, on values: what each rule refuses, and what it lets pass, and for whom."""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
import pytest

from consent_registry.domain.catalogue import Catalogue, Cover, Flow, Text, TextLanguage
from consent_registry.domain.flags import CategoryFlags, Policies
from consent_registry.domain.grants import Grant
from consent_registry.domain.law.proposed import ProposedConsent, ShownText
from consent_registry.domain.law.recording import recording_refusals
from tests.domain.cases import change, day
from tests.domain.law.law_cases import ADULT, IDENTITY, NOW, catalogue_with, consent_by, flow_of, grant_between

OTHER = msgspec.structs.replace(IDENTITY, category_id=2, slug="contact")
GRANT = grant_between(
    "gdpr_bdsg", "gdpr_bdsg", valid_from=NOW, valid_until=NOW + timedelta(days=90), asked_until=NOW + timedelta(days=90)
)
TEXT_ID = "0190b9f0-0000-7000-8000-000000000000"


def text(**facts: object) -> Text:
    """A text in force that asks about the grant's flow and informs of everything."""
    plain = Text(
        text_id=TEXT_ID,
        version="1",
        languages={"de": TextLanguage("de", "aa", stale=False)},
        covers=(Cover(GRANT.sender.slug, GRANT.recipient.slug, GRANT.purpose.slug, ("identity", "contact")),),
        informs=frozenset({"withdrawal", "consequences_of_refusal"}),
        in_use_since=date(2024, 1, 1),
        in_use_until=None,
        form_sha256=None,
        published_at=day(0),
    )
    return msgspec.structs.replace(plain, **facts)


def network(*flows: Flow, shown: Text | None = None, **policies: object) -> Catalogue:
    """A network with the grant's flow and this text; evidence may follow unless the policies say otherwise."""
    plain = catalogue_with(*(flows or (flow_of(IDENTITY, OTHER, entrusted=False),)))
    allowed = msgspec.convert({"evidence_may_follow": True} | policies, Policies)
    return msgspec.structs.replace(
        plain,
        texts={TEXT_ID: shown or text()},
        policies=allowed,
        partners={partner.slug: partner for partner in (GRANT.sender, GRANT.recipient)},
        purposes={GRANT.purpose.slug: GRANT.purpose},
        categories={category.slug: category for category in (IDENTITY, OTHER)},
    )


def refused(
    consent: ProposedConsent, catalogue: Catalogue | None = None, recorder_id: int = 1, earlier: Sequence[Grant] = ()
) -> set[tuple[str, str]]:
    """The rule and pointer of each fault that is no matter of information."""
    faults = recording_refusals(catalogue or network(), consent, recorder_id, earlier, (), NOW)
    return {(fault.rule or "", fault.pointer) for fault in faults if fault.rule != "information_missing"}


def consent(**facts: object) -> ProposedConsent:
    """An adult's consent with the grant, given now."""
    return msgspec.structs.replace(consent_by(ADULT, GRANT), **facts)


NO = msgspec.structs.replace(GRANT, answer="refused")


def test_a_plain_consent_is_recorded_by_either_party_and_by_nobody_else() -> None:
    """Sender and recipient record it, a third partner does not."""
    assert refused(consent()) == refused(consent(), recorder_id=2) == set()
    assert refused(consent(), recorder_id=3) == {("caller_takes_part", "/grants/0")}


def test_evidence_is_asked_for_what_was_given() -> None:
    """A written yes needs its evidence where the policy does not let it follow; a no, and spoken words, need none."""
    strict = network(evidence_may_follow=False)
    assert refused(consent(), strict) == {("evidence", "/act/evidence")}
    assert refused(consent(grants=(NO,)), strict) == set()
    spoken = msgspec.structs.replace(consent().act, method="oral")
    assert refused(consent(act=spoken), strict) == set()


def test_a_consent_is_not_given_in_the_future() -> None:
    """A minute is allowed for clocks that differ."""
    for ahead, expected in ((60, set()), (61, {("given_at", "/act/given_at")})):
        later = NOW + timedelta(seconds=ahead)
        act = msgspec.structs.replace(consent().act, given_at=later)
        grant = msgspec.structs.replace(GRANT, valid_from=later)
        assert refused(consent(act=act, grants=(grant,))) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, set()),
        ({"stale": True}, {("text_stale", "/text/language")}),
        ({"void": True}, {("text_void", "/text")}),
        ({"void": True, "stale": True}, {("text_void", "/text")}),
    ],
)
def test_the_state_of_a_text(state: dict[str, bool], expected: set[tuple[str, str]]) -> None:
    """A void text binds nobody, and a stale translation gets no new consents."""
    language = TextLanguage("de", "aa", stale=state.get("stale", False), void=state.get("void", False))
    assert refused(consent(), network(shown=text(languages={"de": language}))) == expected


def test_a_text_must_be_there_in_the_language_that_was_shown() -> None:
    """An unknown text and an unknown language of it are refused."""
    assert refused(consent(text=ShownText("another", "de"))) == {("text_published", "/text/id")}
    assert refused(consent(text=ShownText(TEXT_ID, "ar"))) == {("text_language", "/text/language")}


def test_a_refused_grant_is_not_checked_further() -> None:
    """What is off by default needs a tick of its own where it is given; what is never shared is not even refused."""
    off = msgspec.structs.replace(IDENTITY, flags=CategoryFlags(default="off"))
    given = msgspec.structs.replace(GRANT, categories=(off,))
    no = msgspec.structs.replace(given, answer="refused")
    assert refused(consent(grants=(given,))) == {("own_tick", "/grants/0/categories/0")}
    assert refused(consent(grants=(no,))) == set()
    never = msgspec.structs.replace(IDENTITY, flags=CategoryFlags(default="not_shareable"))
    for grant in (given, no):
        shared = msgspec.structs.replace(grant, categories=(never,))
        assert refused(consent(grants=(shared,))) == {("never_shared", "/grants/0/categories/0")}


EARLIER = Grant(
    "grant-1",
    "consent-1",
    *GRANT.flow,
    (1,),
    explicit=False,
    answer="given",
    valid_from=day(0),
    valid_until=NOW + timedelta(days=10),
)


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        (EARLIER, set()),
        (msgspec.structs.replace(EARLIER, purpose_id=7), {("renewal_widens", "/grants/0")}),
        (msgspec.structs.replace(EARLIER, category_ids=(2,)), {("renewal_widens", "/grants/0/categories/0")}),
        (msgspec.structs.replace(EARLIER, changes=(change("withdrawn", 1),)), {("renewal_revives", "/grants/0")}),
        (
            msgspec.structs.replace(
                EARLIER, changes=(change("renewed", 1, valid_until=day(900), by_grant_id="grant-2"),)
            ),
            {("renewal_of_newest", "/grants/0")},
        ),
        (msgspec.structs.replace(EARLIER, answer="refused"), {("renewal_revives", "/grants/0")}),
    ],
)
def test_what_a_renewal_may_renew(earlier: Grant, expected: set[tuple[str, str]]) -> None:
    """A renewal adds no flow and no category, revives nothing, and renews the newest consent."""
    assert refused(consent(renews="consent-1"), earlier=[earlier]) == expected
    assert refused(consent(), earlier=[earlier]) == set()


def test_a_renewal_gives_something_and_leaves_no_gap() -> None:
    """What is no longer wanted is withdrawn, not renewed as refused; a renewal begins before the earlier one ends."""
    no = consent(renews="consent-1", grants=(NO,))
    assert refused(no, earlier=[EARLIER]) == {
        ("renewal_refused", "/grants/0/answer"),
        ("renewal_gives_nothing", "/renews"),
    }
    late = msgspec.structs.replace(GRANT, valid_from=NOW + timedelta(days=11))
    assert refused(consent(renews="consent-1", grants=(late,)), earlier=[EARLIER]) == {
        ("renewal_gap", "/grants/0/valid_from")
    }
