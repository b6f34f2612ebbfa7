"""Made-up clients of the demonstration and their consents, as request bodies.

Pure and deterministic: the same `now` gives the same people. The loader replaces the text's version by its id and adds
the consent's id to a withdrawal.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Literal

import msgspec

from consent_registry.demo import acts
from consent_registry.demo.acts import JSON
from consent_registry.demo.generator import (
    EXAMPLES,
    PREFIXES,
    ActDetails,
    ExamplePartner,
    NetworkGenerator,
    read_generator,
)

FinalState = Literal["given", "expired", "withdrawn", "withdrawn_in_part"]

CLIENTS = 44
FIRST_NUMBER = 1001
# Their number is coprime with the numbers of flows, methods and languages, so that all combinations occur.
STATES: tuple[FinalState, ...] = (
    *("given", "given", "expired", "given", "withdrawn", "given", "withdrawn_in_part"),
    *("given", "expired", "withdrawn", "given", "given", "withdrawn_in_part"),
)
WAYS = ("at the sender", "at the recipient", "with the receipt code", "everything")
CHANNELS = ("in_person", "phone", "letter", "email", "third_person")


class DemoWithdrawal(msgspec.Struct, frozen=True):
    """A body of `POST /api/v1/withdrawals` by `partner`, without ids that exist only after loading.

    The loader adds the member named by `by` (`client` is already in the body). If `grants` has positions in the
    consent's list of grants, the loader adds the member `grants` with their ids.
    """

    partner: str
    by: Literal["consent_id", "receipt_code", "client"]
    grants: tuple[int, ...] | None
    body: JSON


class DemoConsent(msgspec.Struct, frozen=True):
    """A body of `POST /api/v1/consents` by `partner`, with the text's version as `text.id`, and its final state."""

    partner: str
    state: FinalState
    body: JSON
    withdrawal: DemoWithdrawal | None = None


class DemoClient(msgspec.Struct, frozen=True):
    """A client of `partner`, with a reference and without a name."""

    reference: str
    partner: str
    consents: tuple[DemoConsent, ...]


def clients(network_slug: str, now: datetime) -> list[DemoClient]:
    """The network's made-up clients and their consents, in loading order. A network without flows has none."""
    example = EXAMPLES.get(network_slug)
    if example is None:
        return []
    generator = read_generator(network_slug)
    ordinals = count()
    share, rest = divmod(CLIENTS, len(generator.flows))
    made = []
    for place, sender in enumerate(generator.flows):
        for number in range(share + (place < rest)):
            reference = f"{PREFIXES[sender]}-{FIRST_NUMBER + number}"
            if sender == example.partner and number == 0:
                consents = _example_consents(generator, example, reference, now)
            else:
                consents = _consents(generator, sender, reference, ordinals, now, amount=1 + number % 2)
            made.append(DemoClient(reference, sender, consents))
    return made


def permit_example(network_slug: str) -> JSON | None:
    """A partner and a body of `POST /api/v1/decisions` with the answer `permit` after loading, or None."""
    example = EXAMPLES.get(network_slug)
    if example is None:
        return None
    request: JSON = {
        "client": f"{PREFIXES[example.partner]}-{FIRST_NUMBER}",
        "recipient": example.recipients[0],
        "purpose": example.purposes[0],
        "categories": ["identity", "contact"],
    }
    return {"partner": example.partner, "request": request}


def _example_consents(
    generator: NetworkGenerator, example: ExamplePartner, reference: str, now: datetime
) -> tuple[DemoConsent, ...]:
    """Consents for both purposes and recipients. The example's recipient is last, so that a search finds it first."""
    consents = []
    for days, recipient in ((30, example.recipients[1]), (20, example.recipients[0])):
        flows = [
            flow
            for flow in generator.flows[example.partner]
            if flow.recipient == recipient and flow.purpose in example.purposes
        ]
        grants = [
            generator.grant(flow, without=example.not_given if flow.purpose == example.purposes[0] else ())
            for flow in flows
        ]
        given_at = _given_at(now, days, ordinal=days)
        details = ActDetails(reference=reference, given_at=given_at, language="de", method="written", ordinal=0)
        consents.append(DemoConsent(example.partner, "given", generator.consent_body(flows, grants, details)))
    return tuple(consents)


def _consents(
    generator: NetworkGenerator, sender: str, reference: str, ordinals: Iterator[int], now: datetime, *, amount: int
) -> tuple[DemoConsent, ...]:
    return tuple(_consent(generator, sender, reference, next(ordinals), now, alone=amount == 1) for _ in range(amount))


def _consent(
    generator: NetworkGenerator, sender: str, reference: str, ordinal: int, now: datetime, *, alone: bool
) -> DemoConsent:
    state = STATES[ordinal % len(STATES)]
    flows = generator.choose(sender, ordinal, for_adult=not alone)
    grants = [generator.grant(flow, narrowed=ordinal % 2 == 1) for flow in flows]
    late_rule = generator.earliest(flows)
    ends_early = state == "expired" and (late_rule is not None or ordinal % 2 == 1)
    given_at = _given_at(now, _age_in_days(state, ordinal, ends_early=ends_early), ordinal)
    if late_rule is not None:
        given_at = max(given_at, late_rule)
    details = ActDetails(
        reference=reference,
        given_at=given_at,
        language=acts.LANGUAGES[ordinal % len(acts.LANGUAGES)],
        method=acts.method(generator.regimes(flows), given_at, special=generator.any_special(flows), ordinal=ordinal),
        ordinal=ordinal,
        valid_until=given_at + timedelta(days=180) if ends_early else None,
        for_adult=not alone,
    )
    body = generator.consent_body(flows, grants, details)
    if state == "withdrawn":
        return DemoConsent(sender, state, body, _whole_withdrawal(generator, sender, body, details, now, alone=alone))
    if state == "withdrawn_in_part":
        partial = _partial_withdrawal(sender, body, details, now)
        return DemoConsent(sender, state if partial else "given", body, partial)
    return DemoConsent(sender, state, body)


def _age_in_days(state: FinalState, ordinal: int, *, ends_early: bool) -> int:
    """How many days ago a consent was given, so that its state is correct. 24 months end before day 740."""
    if state == "given":
        return 5 + ordinal * 37 % 400
    if state == "expired":
        return 200 + ordinal * 31 % 300 if ends_early else 740 + ordinal * 29 % 160
    return 40 + ordinal * 41 % 400


def _given_at(now: datetime, days: int, ordinal: int) -> datetime:
    """An instant in office hours, `days` days before `now`."""
    return (now - timedelta(days=days)).replace(hour=7 + ordinal % 8, minute=ordinal * 13 % 60, second=0, microsecond=0)


def _whole_withdrawal(
    generator: NetworkGenerator, sender: str, body: JSON, details: ActDetails, now: datetime, *, alone: bool
) -> DemoWithdrawal:
    """The withdrawal of a whole consent: at the sender, at a recipient, with the receipt code, or by client."""
    recipients = generator.recipients(body)
    said = _declaration(details, now)
    way = WAYS[details.ordinal % len(WAYS)]
    if way == "at the recipient" and len(recipients) == 1:
        return DemoWithdrawal(recipients[0], "consent_id", None, said)
    if way == "with the receipt code":
        return DemoWithdrawal(generator.other_partner(sender, details.ordinal), "receipt_code", None, said)
    if way == "everything" and alone:  # with a second consent it would withdraw that one too
        return DemoWithdrawal(sender, "client", None, {"client": details.reference, **said})
    return DemoWithdrawal(sender, "consent_id", None, said)


def _partial_withdrawal(sender: str, body: JSON, details: ActDetails, now: datetime) -> DemoWithdrawal | None:
    """The withdrawal of a grant or of a category. None if nothing would remain."""
    grants = body["grants"]
    if not isinstance(grants, list):
        return None
    said = _declaration(details, now)
    if len(grants) > 1 and details.ordinal % 2 == 0:
        return DemoWithdrawal(sender, "consent_id", (len(grants) - 1,), said)
    categories: Sequence[str] = grants[0]["categories"]
    if len(categories) == 1:
        return None
    return DemoWithdrawal(sender, "consent_id", (0,), {**said, "categories": [categories[-1]]})


def _declaration(details: ActDetails, now: datetime) -> JSON:
    """Time and channel of a withdrawal: declared between the consent and `now`, received the same day or later."""
    declared_at = (details.given_at + (now - details.given_at) * (1 + details.ordinal % 3) / 4).replace(microsecond=0)
    received_at = min(declared_at + timedelta(hours=20 * (details.ordinal % 2)), now)
    return {
        "channel": CHANNELS[details.ordinal % len(CHANNELS)],
        "declared_at": acts.instant(declared_at),
        "received_at": acts.instant(received_at),
    }
