"""From the oracle's plain scenarios to the product's types. The oracle itself shares no import with the product."""

from datetime import datetime

from consent_registry.domain.catalogue import Agreement, Category, Flow, Partner, Purpose
from consent_registry.domain.decisions import Question
from consent_registry.domain.grants import Change, Grant, Release
from tests.oracle import scenario_format as plain


class World:
    """One scenario in the product's terms: what `decide` is to be asked, and with which facts."""

    def __init__(self, scenario: plain.Scenario) -> None:
        self.scenario = scenario
        self.now: datetime = scenario["now"]
        request = scenario["request"]
        self.category_ids = {slug: number for number, slug in enumerate(scenario["categories"], start=1)}
        self.slug_of = {number: slug for slug, number in self.category_ids.items()}
        self._partner_ids = {slug: number for number, slug in enumerate(scenario["partners"], start=1)}
        self._purpose_ids = Numbers()
        self.question = Question(
            sender=self._partner(request["sender"]),
            recipient=self._partner(request["recipient"]),
            purpose=self._purpose(request["purpose"]),
            categories=tuple(self._category(slug) for slug in request["categories"]),
            basis=request["basis"],
            norm="§ 69 SGB X" if request["basis"] == "statute" else None,
        )
        asked = (request["sender"], request["recipient"], request["purpose"])
        self.approved = any((one["sender"], one["recipient"], one["purpose"]) == asked for one in scenario["approvals"])
        self.flows = [
            self._flow(agreement, flow)
            for agreement in scenario["agreements"]
            for flow in agreement["flows"]
            if (flow["sender"], flow["recipient"], flow["purpose"]) == asked
        ]
        self.grants = [
            self._grant(grant, consent, f"consent-{number}")
            for number, consent in enumerate(scenario["consents"])
            for grant in consent["grants"]
        ]

    def _partner(self, slug: str) -> Partner:
        one = self.scenario["partners"][slug]
        return Partner(
            self._partner_ids[slug],
            slug,
            slug,
            slug,
            "welfare",
            "gdpr_bdsg",
            one["secrecy_holder"],
            one["selectable"],
            one["isolated"],
            one["suspended"],
        )

    def _category(self, slug: str) -> Category:
        one = self.scenario["categories"][slug]
        return Category(self.category_ids[slug], slug, slug, slug, one["special"], one["secrecy"])

    def _purpose(self, slug: str) -> Purpose:
        return Purpose(self._purpose_ids.of(slug), slug, slug, slug, frozenset(self.category_ids.values()))

    def _flow(self, agreement: plain.Agreement, flow: plain.Flow) -> Flow:
        frame = Agreement("a", "1", agreement["valid_from"], agreement["valid_until"], agreement["ended"])
        return Flow(
            frame,
            self._partner_ids[flow["sender"]],
            self._partner_ids[flow["recipient"]],
            self._purpose_ids.of(flow["purpose"]),
            frozenset(self.category_ids[slug] for slug in flow["categories"]),
            flow["basis"],
            None,
        )

    def _grant(self, grant: plain.Grant, consent: plain.Consent, consent_id: str) -> Grant:
        return make_grant(
            grant, self.category_ids, consent_id, self._partner_ids, self._purpose_ids, consent["releases"]
        )


class Numbers:
    """A number for each name, in the order in which they are met."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, name: str) -> int:
        """The name's number."""
        return self._known.setdefault(name, len(self._known) + 1)


def make_grant(
    grant: plain.Grant,
    category_ids: dict[str, int],
    consent_id: str,
    partner_ids: dict[str, int] | None = None,
    purpose_ids: Numbers | None = None,
    releases: list[plain.Release] | None = None,
) -> Grant:
    """A plain grant in the product's terms."""
    partners = partner_ids or {grant["sender"]: 1, grant["recipient"]: 2}
    purposes = purpose_ids or Numbers()
    return Grant(
        grant_id=grant["id"],
        consent_id=consent_id,
        sender_id=partners[grant["sender"]],
        recipient_id=partners[grant["recipient"]],
        purpose_id=purposes.of(grant["purpose"]),
        category_ids=tuple(category_ids[slug] for slug in grant["categories"]),
        explicit=grant["explicit"],
        answer=grant["answer"],
        valid_from=grant["valid_from"],
        valid_until=grant["valid_until"],
        changes=tuple(_change(one, category_ids) for one in grant["changes"]),
        releases=tuple(
            Release(partners[one["holder"]], partners[one["towards"]], live=not one["withdrawn"])
            for one in releases or ()
        ),
    )


def _change(one: plain.Change, category_ids: dict[str, int]) -> Change:
    parts = one["categories"]
    covered = None if parts is None else frozenset(category_ids[slug] for slug in parts)
    return Change(one["kind"], one["effective_at"], one["recorded_at"], covered, one["valid_until"])
