"""Converts the oracle's plain scenarios into the product's types. The oracle itself imports nothing of the product."""

from collections import defaultdict
from datetime import datetime

from consent_registry.domain.approvals import Approval
from consent_registry.domain.catalogue import (
    Agreement,
    Catalogue,
    Category,
    Flow,
    FlowKey,
    Network,
    Partner,
    Purpose,
)
from consent_registry.domain.decisions import Question
from consent_registry.domain.flags import CategoryFlags, PurposeFlags
from consent_registry.domain.grants import Change, Grant
from consent_registry.domain.secrecy import Release
from tests.domain.cases import COUNSELLING
from tests.oracle import scenario_format as plain


class World:
    """One scenario in the product's types: the question for `decide`, and its facts."""

    def __init__(self, scenario: plain.Scenario) -> None:
        self.scenario = scenario
        self.now: datetime = scenario["now"]
        request = scenario["request"]
        self.category_ids = {slug: number for number, slug in enumerate(scenario["categories"], start=1)}
        self.slug_of = {number: slug for slug, number in self.category_ids.items()}
        self._partner_ids = {slug: number for number, slug in enumerate(scenario["partners"], start=1)}
        self._purpose_ids = {slug: number for number, slug in enumerate(scenario["purposes"], start=1)}
        self.question = Question(
            sender=self._partner(request["sender"]),
            recipient=self._partner(request["recipient"]),
            purpose=self._purpose(request["purpose"]),
            categories=tuple(self._category(slug) for slug in request["categories"]),
            basis=request["basis"],
            norm="§ 69 SGB X" if request["basis"] == "statute" else None,
        )
        asked = (request["sender"], request["recipient"], request["purpose"])
        self.rules = self._catalogue().flow_rules(
            self._partner_ids[asked[0]], self._partner_ids[asked[1]], self._purpose_ids[asked[2]]
        )
        self.grants = [
            self._grant(grant, consent, f"consent-{number}")
            for number, consent in enumerate(scenario["consents"])
            for grant in consent["grants"]
        ]

    def _partner(self, slug: str) -> Partner:
        partner = self.scenario["partners"][slug]
        return Partner(
            self._partner_ids[slug],
            slug,
            slug,
            slug,
            "welfare",
            "gdpr_bdsg",
            (COUNSELLING,) if partner["secrecy_holder"] else (),
            partner["selectable"],
            partner["isolated"],
            partner["suspended"],
        )

    def _category(self, slug: str) -> Category:
        category = self.scenario["categories"][slug]
        flags = CategoryFlags(default=category["default"], third_party_data=category["third_party"])
        return Category(self.category_ids[slug], slug, slug, slug, category["special"], category["secrecy"], flags)

    def _purpose(self, slug: str) -> Purpose:
        purpose = self.scenario["purposes"][slug]
        flags = PurposeFlags(
            flow_itself_is_special=purpose["special_flow"],
            back_channel="attendance_only" if purpose["attendance_only"] else "open",
            dpo_approval=purpose["needs_approval"],
        )
        numbers = frozenset(self.category_ids.values())
        return Purpose(self._purpose_ids[slug], slug, slug, slug, numbers, flags)

    def _catalogue(self) -> Catalogue:
        flows: defaultdict[FlowKey, list[Flow]] = defaultdict(list)
        for agreement in self.scenario["agreements"]:
            for flow in agreement["flows"]:
                made = self._flow(agreement, flow)
                flows[made.sender_id, made.recipient_id, made.purpose_id].append(made)
        return Catalogue(
            network=Network(1, "small", "Small", "", "log"),
            version=1,
            partners={slug: self._partner(slug) for slug in self.scenario["partners"]},
            categories={slug: self._category(slug) for slug in self.scenario["categories"]},
            purposes={slug: self._purpose(slug) for slug in self.scenario["purposes"]},
            agreements=(),
            flows={key: tuple(same_key) for key, same_key in flows.items()},
            texts={},
            credentials={},
            approvals=tuple(self._approval(approval) for approval in self.scenario["approvals"]),
        )

    def _approval(self, approval: plain.Approval) -> Approval:
        limits = (
            None if approval["sender"] is None else self._partner_ids[approval["sender"]],
            None if approval["recipient"] is None else self._partner_ids[approval["recipient"]],
            None if approval["purpose"] is None else self._purpose_ids[approval["purpose"]],
        )
        of_purpose = approval["about"] == "purpose"
        return Approval(
            "approval",
            None if of_purpose else self._partner_ids[approval["name"]],
            self._purpose_ids[approval["name"]] if of_purpose else None,
            *limits,
            "D-1",
            None,
            approval["valid_until"],
            approval["recorded_at"],
            approval["recorded_at"] if approval["revoked"] else None,
        )

    def _flow(self, agreement: plain.Agreement, flow: plain.Flow) -> Flow:
        frame = Agreement("a", "1", agreement["valid_from"], agreement["valid_until"], agreement["ended"])
        return Flow(
            frame,
            self._partner_ids[flow["sender"]],
            self._partner_ids[flow["recipient"]],
            self._purpose_ids[flow["purpose"]],
            frozenset(self.category_ids[slug] for slug in flow["categories"]),
            flow["basis"],
            None,
        )

    def _grant(self, grant: plain.Grant, consent: plain.Consent, consent_id: str) -> Grant:
        return make_grant(
            grant, self.category_ids, consent_id, self._partner_ids, self._purpose_ids, consent["releases"]
        )


def make_grant(
    grant: plain.Grant,
    category_ids: dict[str, int],
    consent_id: str,
    partner_ids: dict[str, int] | None = None,
    purpose_ids: dict[str, int] | None = None,
    releases: list[plain.Release] | None = None,
) -> Grant:
    """Convert a plain grant into the product's type."""
    partners = partner_ids or {grant["sender"]: 1, grant["recipient"]: 2}
    purposes = purpose_ids or {grant["purpose"]: 1}
    return Grant(
        grant_id=grant["id"],
        consent_id=consent_id,
        sender_id=partners[grant["sender"]],
        recipient_id=partners[grant["recipient"]],
        purpose_id=purposes[grant["purpose"]],
        category_ids=tuple(category_ids[slug] for slug in grant["categories"]),
        explicit=grant["explicit"],
        answer=grant["answer"],
        valid_from=grant["valid_from"],
        valid_until=grant["valid_until"],
        changes=tuple(_change(change, category_ids) for change in grant["changes"]),
        releases=tuple(
            Release(
                partners[release["holder"]],
                partners[release["towards"]],
                not release["withdrawn"],
                None if release["purposes"] is None else frozenset(purposes[slug] for slug in release["purposes"]),
                None
                if release["categories"] is None
                else frozenset(category_ids[slug] for slug in release["categories"]),
                release["valid_until"],
            )
            for release in releases or ()
        ),
        given_at=grant["given_at"],
        third_parties=grant["third_parties"],
        third_party_grants=tuple(f"{grant['id']}-other-{number}" for number in range(len(grant["others"]))),
        depends_on=tuple(
            make_grant(third_party, category_ids, "other", partners, purposes, [])
            for third_party in grant["others"]
            if third_party is not None
        ),
    )


def _change(change: plain.Change, category_ids: dict[str, int]) -> Change:
    parts = change["categories"]
    covered = None if parts is None else frozenset(category_ids[slug] for slug in parts)
    return Change(
        change["kind"],
        change["effective_at"],
        change["recorded_at"],
        covered,
        change["valid_until"],
    )
