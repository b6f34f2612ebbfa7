"""Every case of a small world: blocks of scenarios, each the full product of its dimensions.

The blocks vary what belongs together (one grant's life and the category's flags; partners and agreements; two grants
and two categories), because the product of everything would be far too many and most of it a denial for several
reasons.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from .samples import (
    CONTACT,
    DAY,
    HEALTH,
    NOW,
    OTHER,
    OTHER_PURPOSE,
    PURPOSE,
    RECIPIENT,
    SENDER,
    US,
    plain_approval,
    plain_category,
    plain_change,
    plain_flow,
    plain_grant,
    plain_release,
    plain_scenario,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .scenario_format import Approval, Change, ChangeKind, Flow, GivenAnswer, Grant, Release, Scenario, ThirdParties

ANSWERS: tuple[GivenAnswer, ...] = ("given", "refused", "requested")
NOTHING = timedelta(0)
MOMENTS = (-DAY, NOTHING, DAY)
WORDS: dict[str, ChangeKind] = {
    "confirmed": "confirmed",
    "renewed": "renewed",
    "renewed-short": "renewed",
    "unrenewed": "unrenewed",
    "withdrawn": "withdrawn",
    "withdrawn-asked": "withdrawn",
    "withdrawn-other": "withdrawn",
    "ended": "ended",
    "invalidated": "invalidated",
    "restricted": "restricted",
    "restricted-asked": "restricted",
    "restricted-other": "restricted",
    "unrestricted": "unrestricted",
    "unrestricted-other": "unrestricted",
}
LIVES: tuple[tuple[str, ...], ...] = (
    (),
    ("confirmed",),
    ("renewed",),
    ("renewed-short",),
    ("renewed-short", "renewed"),
    ("renewed", "renewed-short"),
    ("confirmed", "renewed"),
    ("withdrawn",),
    ("withdrawn-asked",),
    ("withdrawn-other",),
    ("renewed", "withdrawn-asked"),
    ("withdrawn", "renewed"),
    ("ended",),
    ("ended", "renewed"),
    ("invalidated",),
    ("restricted",),
    ("restricted", "unrestricted"),
    ("unrestricted", "restricted"),
    ("restricted", "unrestricted", "restricted"),
    ("restricted-asked", "unrestricted-other"),
    ("restricted-other",),
    ("renewed", "unrenewed"),
    ("renewed-short", "unrenewed"),
    ("unrenewed", "renewed"),
    ("renewed", "unrenewed", "renewed-short"),
)
RELEASES: dict[str, Release] = {
    "live": plain_release(SENDER, RECIPIENT),
    "withdrawn": plain_release(SENDER, RECIPIENT, withdrawn=True),
    "turned-round": plain_release(RECIPIENT, SENDER),
    "of-the-other": {**plain_release(SENDER, RECIPIENT), "categories": [HEALTH]},
    "for-the-other": {**plain_release(SENDER, RECIPIENT), "purposes": [OTHER_PURPOSE]},
    "over": {**plain_release(SENDER, RECIPIENT), "valid_until": NOW},
    "nearly-over": {**plain_release(SENDER, RECIPIENT), "valid_until": NOW + US},
}
RELEASED = ((), ("live",), ("withdrawn",), ("withdrawn", "live"), ("turned-round",))
LIMITED = (("of-the-other",), ("for-the-other",), ("over",), ("nearly-over",), ("nearly-over", "live"))
WINDOWS = tuple(
    (start, end) for start in (-365 * DAY, NOTHING, US) for end in (-DAY, NOTHING, US, 2 * US, DAY) if start < end
)
AGREEMENT_EDGES = (None, NOW - US, NOW, NOW + US)
VARIANTS = ("exact", "other-sender", "other-recipient", "turned-round", "other-purpose")


def flow_variant(word: str) -> tuple[str, str, str]:
    """The asked sender, recipient and purpose, or these with one difference."""
    return {
        "exact": (SENDER, RECIPIENT, PURPOSE),
        "other-sender": (OTHER, RECIPIENT, PURPOSE),
        "other-recipient": (SENDER, OTHER, PURPOSE),
        "turned-round": (RECIPIENT, SENDER, PURPOSE),
        "other-purpose": (SENDER, RECIPIENT, OTHER_PURPOSE),
    }[word]


def life(words: tuple[str, ...], moment: timedelta, last_recorded: timedelta = -US) -> list[Change]:
    """The changes that the words name, recorded an hour apart, all taking effect at one moment."""
    changes: list[Change] = []
    for number, word in enumerate(words, start=1):
        change = plain_change(WORDS[word], NOW + last_recorded - timedelta(hours=len(words) - number))
        change["effective_at"] = NOW + moment
        if word.endswith("-asked"):
            change["categories"] = [CONTACT]
        if word.endswith("-other"):
            change["categories"] = [HEALTH]
        if word.endswith("-short"):
            change["valid_until"] = NOW + 2 * US
        changes.append(change)
    return changes


def one_grant_lives() -> Iterator[Scenario]:
    """One grant of two categories, one of them asked: every answer, life, window and moment."""
    for answer, words, moment, window in itertools.product(ANSWERS, LIVES, MOMENTS, WINDOWS):
        for last_recorded, (explicit, special) in itertools.product(
            (-US, NOTHING, US), ((False, False), (False, True), (True, True))
        ):
            scenario = plain_scenario()
            scenario["categories"][CONTACT]["special"] = special
            grant = scenario["consents"][0]["grants"][0]
            grant["answer"], grant["explicit"] = answer, explicit
            grant["valid_from"], grant["valid_until"] = NOW + window[0], NOW + window[1]
            grant["changes"] = life(words, moment, last_recorded)
            yield scenario


def secrecy_and_flags() -> Iterator[Scenario]:
    """One grant: secrecy of the category and the partners, releases here and in another consent, the explicit tick."""
    flags = itertools.product((False, True), repeat=5)
    for (secrecy, special, explicit, sender_bound, recipient_bound), here, elsewhere, words in itertools.product(
        flags, RELEASED + LIMITED, RELEASED, LIVES[:1] + LIVES[7:10]
    ):
        scenario = plain_scenario()
        scenario["categories"][CONTACT] = {**plain_category(), "secrecy": secrecy, "special": special}
        scenario["partners"][SENDER]["secrecy_holder"] = sender_bound
        scenario["partners"][RECIPIENT]["secrecy_holder"] = recipient_bound
        scenario["consents"][0]["grants"][0]["explicit"] = explicit
        scenario["consents"][0]["grants"][0]["changes"] = life(words, NOTHING)
        scenario["consents"][0]["releases"] = [RELEASES[name] for name in here]
        unlike = plain_grant("elsewhere")
        unlike["purpose"] = OTHER_PURPOSE
        scenario["consents"].append({"grants": [unlike], "releases": [RELEASES[name] for name in elsewhere]})
        yield scenario


def with_flows(scenario: Scenario, word: str) -> None:
    """Give the only agreement the flows that the word names."""
    statute = plain_flow()
    statute["basis"] = "statute"
    flows: dict[str, list[Flow]] = {
        "consent": [plain_flow()],
        "other-category": [plain_flow(HEALTH)],
        "statute": [statute],
        "both": [plain_flow(), statute],
        "none": [],
    }
    scenario["agreements"][0]["flows"] = flows[word]


def limited_approval(partner: str, flow: tuple[str, str, str]) -> Approval:
    """An approval of a partner for one sender, recipient and purpose."""
    approval = plain_approval("partner", partner)
    approval["sender"], approval["recipient"], approval["purpose"] = flow
    return approval


def partners_and_agreements() -> Iterator[Scenario]:
    """One permitting grant: every state of both partners, of approvals, of the agreement and of its flows."""
    states = ("plain", "isolated", "suspended")
    for sender, recipient, selectable, approval in itertools.product(
        states, states, (True, False), ("none", "exact", "turned-round", "other-purpose")
    ):
        for start, end, ended, flows in itertools.product(
            AGREEMENT_EDGES, AGREEMENT_EDGES, (False, True), ("consent", "other-category", "statute", "both", "none")
        ):
            if start is not None and end is not None and start >= end:
                continue
            scenario = plain_scenario()
            for slug, state in ((SENDER, sender), (RECIPIENT, recipient)):
                scenario["partners"][slug]["isolated"] = state == "isolated"
                scenario["partners"][slug]["suspended"] = state == "suspended"
            scenario["partners"][RECIPIENT]["selectable"] = selectable
            if approval != "none":
                approved = flow_variant(approval)
                scenario["approvals"] = [limited_approval(slug, approved) for slug in (SENDER, RECIPIENT)]
            agreement = scenario["agreements"][0]
            agreement["valid_from"], agreement["valid_until"], agreement["ended"] = start, end, ended
            with_flows(scenario, flows)
            yield scenario


def grant_in_state(name: str, state: str, categories: tuple[str, ...], end: timedelta) -> Grant:
    """A grant of these categories in one of the states of the block of two grants."""
    grant = plain_grant(name, *categories)
    grant["valid_until"] = NOW + end
    if state == "other-recipient":
        grant["recipient"] = OTHER
    elif state == "not-yet":
        grant["valid_from"] = NOW + US
    elif state != "given":
        # A part that the grant does not hold cannot be withdrawn from it: such a grant stays as it is.
        changes = life((state,), NOTHING)
        grant["changes"] = [c for c in changes if c["categories"] is None or set(c["categories"]) <= set(categories)]
    return grant


def two_grants() -> Iterator[Scenario]:
    """Two grants and categories: every pair of states, parts and ends, in one consent or two, with a statute or not."""
    parts = ((CONTACT,), (HEALTH,), (CONTACT, HEALTH))
    states = ("given", "withdrawn", "withdrawn-asked", "restricted-other", "other-recipient", "not-yet")
    each = tuple(itertools.product(states, parts, (timedelta(minutes=2), DAY)))
    asked = ((CONTACT,), (CONTACT, HEALTH), (HEALTH, CONTACT))
    for first, second, order, together, statutory in itertools.product(
        each, each, asked, (True, False), (None, HEALTH)
    ):
        scenario = plain_scenario()
        scenario["request"]["categories"] = list(order)
        scenario["categories"][HEALTH]["secrecy"] = scenario["partners"][SENDER]["secrecy_holder"] = True
        grants = [grant_in_state("first", *first), grant_in_state("second", *second)]
        scenario["consents"][0] = {"grants": grants if together else grants[:1], "releases": [RELEASES["live"]]}
        if not together:
            scenario["consents"].append({"grants": grants[1:], "releases": []})
        if statutory is not None:
            scenario["agreements"][0]["flows"].append({**plain_flow(statutory), "basis": "statute"})
        yield scenario


def near_flows() -> Iterator[Scenario]:
    """Flow, grant, approval and release each either what is asked or with one difference, the recipient isolated."""
    for flow_word, grant_word, approval_word, release_word, basis in itertools.product(
        VARIANTS, VARIANTS, VARIANTS, VARIANTS[:4], ("consent", "statute")
    ):
        scenario = plain_scenario()
        scenario["categories"][CONTACT]["secrecy"] = scenario["partners"][SENDER]["secrecy_holder"] = True
        scenario["partners"][RECIPIENT]["isolated"] = True
        flow, grant = scenario["agreements"][0]["flows"][0], scenario["consents"][0]["grants"][0]
        flow["sender"], flow["recipient"], flow["purpose"] = flow_variant(flow_word)
        flow["basis"] = "consent" if basis == "consent" else "statute"
        grant["sender"], grant["recipient"], grant["purpose"] = flow_variant(grant_word)
        sender, recipient, purpose = flow_variant(approval_word)
        scenario["approvals"] = [limited_approval(RECIPIENT, (sender, recipient, purpose))]
        holder, towards, _ = flow_variant(release_word)
        scenario["consents"][0]["releases"] = [plain_release(holder, towards)]
        yield scenario


def two_agreements() -> Iterator[Scenario]:
    """Two agreements, each in every state and with every kind of flow, and one permitting grant or none."""
    states = ("in-force", "ended", "not-begun", "over")
    each = tuple(itertools.product(states, ("consent", "other-category", "statute", "both", "none")))
    for first, second, asked, granted in itertools.product(each, each, ((CONTACT,), (HEALTH, CONTACT)), (True, False)):
        scenario = plain_scenario()
        scenario["request"]["categories"] = list(asked)
        made = []
        for state, flows in (first, second):
            with_flows(scenario, flows)
            made.append(scenario["agreements"][0].copy())
            made[-1]["ended"] = state == "ended"
            made[-1]["valid_from"] = NOW + US if state == "not-begun" else None
            made[-1]["valid_until"] = NOW if state == "over" else None
        scenario["agreements"] = made
        if not granted:
            scenario["consents"] = []
        yield scenario


def claimed_statutes() -> Iterator[Scenario]:
    """The caller claims a statute: every state of the recipient, flow and consent, for one category or two."""
    for suspended, isolated, selectable, flows, asked, known in itertools.product(
        (False, True), (False, True), (False, True), ("consent", "statute", "none"), (1, 2), (False, True)
    ):
        scenario = plain_scenario()
        scenario["request"]["basis"] = "statute"
        scenario["request"]["categories"] = [HEALTH, CONTACT][:asked]
        recipient = scenario["partners"][RECIPIENT]
        recipient["suspended"], recipient["isolated"], recipient["selectable"] = suspended, isolated, selectable
        with_flows(scenario, flows)
        if not known:
            scenario["consents"] = []
        yield scenario


def flags_and_ticks() -> Iterator[Scenario]:
    """One grant: the category's default, its specialness and the purpose's, the tick, alone or beside another."""
    defaults: tuple[Literal["on", "off", "not_shareable"], ...] = ("on", "off", "not_shareable")
    for default, special, special_flow, explicit, alone, asked in itertools.product(
        defaults, (False, True), (False, True), (False, True), (False, True), ((CONTACT,), (HEALTH,), (CONTACT, HEALTH))
    ):
        scenario = plain_scenario()
        scenario["request"]["categories"] = list(asked)
        scenario["categories"][CONTACT]["default"] = default
        scenario["categories"][CONTACT]["special"] = special
        scenario["purposes"][PURPOSE]["special_flow"] = special_flow
        grant = plain_grant("grant", CONTACT) if alone else plain_grant()
        grant["explicit"] = explicit
        scenario["consents"][0]["grants"] = [grant]
        yield scenario


def ways_back() -> Iterator[Scenario]:
    """A purpose with a narrow way back or none: who else brings whom how much for it, in an agreement or an old one."""
    for narrow, brought, pair, purpose, ended in itertools.product(
        (False, True),
        ((CONTACT,), (HEALTH,), (CONTACT, HEALTH)),
        ((RECIPIENT, SENDER), (OTHER, SENDER), (OTHER, RECIPIENT), (SENDER, OTHER)),
        (PURPOSE, OTHER_PURPOSE),
        (False, True),
    ):
        scenario = plain_scenario()
        scenario["request"]["categories"] = [CONTACT, HEALTH]
        scenario["purposes"][PURPOSE]["attendance_only"] = narrow
        flow = plain_flow(*brought)
        flow["sender"], flow["recipient"], flow["purpose"] = *pair, purpose
        scenario["agreements"].append({"valid_from": None, "valid_until": None, "ended": ended, "flows": [flow]})
        yield scenario


def gates_and_times() -> Iterator[Scenario]:
    """Gates of sender, recipient and purpose against approvals, each at every edge of its time and of the grant's."""
    edges = (NOW - 2 * DAY - US, NOW - 2 * DAY, NOW - 2 * DAY + US)
    for sender, recipient, needs, given_at, approved in itertools.product(
        (False, True), (False, True), (False, True), (None, *edges), (*itertools.product((0, 1), repeat=3),)
    ):
        for recorded_at, valid_until, revoked in itertools.product(
            (NOW - 2 * DAY, NOW - DAY), (None, NOW, NOW + US), (False, True)
        ):
            scenario = plain_scenario()
            scenario["partners"][SENDER]["isolated"], scenario["partners"][RECIPIENT]["isolated"] = sender, recipient
            scenario["purposes"][PURPOSE]["needs_approval"] = needs
            grant = scenario["consents"][0]["grants"][0]
            grant["valid_from"], grant["given_at"] = NOW - DAY, given_at
            every = (
                plain_approval("partner", SENDER),
                plain_approval("partner", RECIPIENT),
                plain_approval("purpose", PURPOSE),
            )
            scenario["approvals"] = [approval for approval, chosen in zip(every, approved, strict=True) if chosen]
            for approval in scenario["approvals"]:
                approval |= {"recorded_at": recorded_at, "valid_until": valid_until, "revoked": revoked}
            yield scenario


def other_persons() -> Iterator[Scenario]:
    """Data about others: what was said, and the life of the grants it depends on."""
    words_alone: tuple[ThirdParties | None, ...] = (None, "unstated", "none", "not_consented")
    for about_others, said in itertools.product((False, True), words_alone):
        scenario = plain_scenario()
        scenario["categories"][CONTACT]["third_party"] = about_others
        scenario["consents"][0]["grants"][0]["third_parties"] = said
        yield scenario
    for about_others, first, second, window in itertools.product((False, True), LIVES, (None, *LIVES[:9]), WINDOWS):
        scenario = plain_scenario()
        scenario["request"]["categories"] = [CONTACT, HEALTH]
        scenario["categories"][CONTACT]["third_party"] = about_others
        grant = scenario["consents"][0]["grants"][0]
        grant["third_parties"] = "consented"
        for number, words in enumerate((first, second) if second is not None else (first,)):
            theirs = plain_grant(f"other-{number}")
            theirs["changes"] = life(words, NOTHING)
            theirs["valid_from"], theirs["valid_until"] = NOW + window[0], NOW + window[1]
            grant["others"].append(theirs)
        yield scenario
        if second is None:
            grant["others"].append(None)
            yield scenario


def every_small_scenario() -> Iterator[Scenario]:
    """All blocks, one after the other."""
    yield from one_grant_lives()
    yield from secrecy_and_flags()
    yield from partners_and_agreements()
    yield from two_grants()
    yield from near_flows()
    yield from two_agreements()
    yield from claimed_statutes()
    yield from flags_and_ticks()
    yield from ways_back()
    yield from gates_and_times()
    yield from other_persons()
