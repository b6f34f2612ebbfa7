"""The rules about the flows of a consent: agreements, approval gates, and the flags of categories and purposes."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.domain.flags import ATTENDANCE
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant


def agreement_refusals(catalogue: Catalogue, grant: ProposedGrant, pointer: str, now: datetime) -> Iterator[Fault]:
    """The faults of a grant whose parties cannot be chosen, or whose flow no agreement in force allows on consent."""
    for member, partner in (("sender", grant.sender), ("recipient", grant.recipient)):
        if not partner.selectable or partner.suspended:
            yield Fault(f"{pointer}/{member}", "This partner cannot be chosen.", "partner_selectable")
    for number, category in enumerate(grant.categories):
        if category.category_id not in grant.purpose.category_ids:
            yield Fault(
                f"{pointer}/categories/{number}",
                "This category is not needed for this purpose.",
                "category_of_purpose",
            )
    flows = catalogue.flows_between(grant.sender.partner_id, grant.recipient.partner_id, grant.purpose.purpose_id)
    in_force = [flow for flow in flows if flow.agreement.in_force(now)]
    for number, category in enumerate(grant.categories):
        bases = {flow.basis: flow.norm for flow in in_force if category.category_id in flow.category_ids}
        if "statute" in bases:
            yield Fault(
                f"{pointer}/categories/{number}",
                "This flow rests on a statute; asking for consent would mislead the client.",
                "statutory_flow",
                bases["statute"],
            )
        elif "consent" not in bases:
            yield Fault(
                f"{pointer}/categories/{number}",
                "No agreement in force has this flow for this category.",
                "flow_in_agreement",
            )


def flag_refusals(catalogue: Catalogue, consent: ProposedConsent, now: datetime) -> Iterator[Fault]:
    """The faults of a consent by the flags of its categories, purposes and partners."""
    for number, grant in enumerate(consent.grants):
        pointer = f"/grants/{number}"
        yield from _never_shared(grant, pointer)
        yield from _closed_gates(catalogue, grant, consent.act.given_at, pointer, now)
        if grant.answer == "refused":
            continue  # a refused grant is not checked further
        yield from _own_tick(grant, pointer)
        yield from _way_back(catalogue, grant, pointer)
        yield from _conference(grant, pointer)
    yield from _participants(consent.grants)
    yield from _sheets(consent.grants)


def _never_shared(grant: ProposedGrant, pointer: str) -> Iterator[Fault]:
    for number, category in enumerate(grant.categories):
        if category.flags.default == "not_shareable":
            yield Fault(
                f"{pointer}/categories/{number}",
                "This category is never shared, whatever a client agrees to.",
                "never_shared",
            )


def _closed_gates(
    catalogue: Catalogue, grant: ProposedGrant, given_at: datetime, pointer: str, now: datetime
) -> Iterator[Fault]:
    rules = catalogue.flow_rules(*grant.flow)
    for gate in rules.gates:
        place = f"{pointer}/{gate.member}"
        if gate.is_open(given_at, now):
            continue
        if gate.rule == "dpo_approval":
            detail = "No data-protection officer had approved this purpose when the consent was given."
            yield Fault(place, detail, "dpo_approval")
        else:
            detail = "This partner is isolated: no data-protection officer had approved the flow by then."
            yield Fault(place, detail, "isolated_partner")


def _own_tick(grant: ProposedGrant, pointer: str) -> Iterator[Fault]:
    for number, category in enumerate(grant.categories):
        if category.flags.default == "off" and (len(grant.categories) > 1 or not grant.explicit):
            yield Fault(
                f"{pointer}/categories/{number}",
                "This category is off unless a grant of its own, with an explicit yes, holds it and nothing else.",
                "own_tick",
            )


def _way_back(catalogue: Catalogue, grant: ProposedGrant, pointer: str) -> Iterator[Fault]:
    if not catalogue.flow_rules(*grant.flow).is_back_channel:
        return
    for number, category in enumerate(grant.categories):
        if category.slug not in ATTENDANCE:
            yield Fault(
                f"{pointer}/categories/{number}",
                "An office that advises for this purpose says back who came, and nothing else.",
                "attendance_only",
            )


def _conference(grant: ProposedGrant, pointer: str) -> Iterator[Fault]:
    if grant.purpose.flags.every_participant_named and not grant.has_stated_end:
        yield Fault(
            f"{pointer}/valid_until",
            "A consent to a conference is for one date or series: say when it ends.",
            "conference_end",
        )


def _participants(grants: Sequence[ProposedGrant]) -> Iterator[Fault]:
    """A conference needs one grant for each participant, so that the client can refuse a single participant."""
    seen: set[tuple[int, int, int]] = set()
    for number, grant in enumerate(grants):
        if grant.purpose.flags.every_participant_named and grant.flow in seen:
            yield Fault(
                f"/grants/{number}/recipient",
                "Each participant of a conference is named once, by a grant of its own.",
                "participant_named_once",
            )
        seen.add(grant.flow)


def _sheets(grants: Sequence[ProposedGrant]) -> Iterator[Fault]:
    purposes = {grant.purpose.purpose_id for grant in grants}
    for number, grant in enumerate(grants):
        if grant.purpose.flags.separate_sheet and len(purposes) > 1:
            yield Fault(
                f"/grants/{number}/purpose",
                "This purpose needs a consent of its own, with no other purpose on the sheet.",
                "separate_sheet",
            )
