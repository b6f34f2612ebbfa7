"""The rules for recording a consent that come from flags of the catalogue and policies of the network."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from consent_registry.domain.catalogue import Catalogue
from consent_registry.domain.errors import Fault
from consent_registry.domain.flags import ATTENDANCE
from consent_registry.operations.consents.resolve import ResolvedGrant
from consent_registry.operations.consents.schemas import ConsentRequest

GERMAN = frozenset({"de", "de-simple"})
# Two codes for one statement: refusing has no consequences. The contract knows both, either is enough.
SAID_NO_EFFECT = frozenset({"consequences_of_refusal", "no_effect_on_benefits"})


def flag_refusals(
    catalogue: Catalogue, request: ConsentRequest, given_at: datetime, grants: Sequence[ResolvedGrant], now: datetime
) -> Iterator[Fault]:
    """The faults of a consent by the flags of its categories, purposes and partners and by the network's policies."""
    for number, grant in enumerate(grants):
        pointer = f"/grants/{number}"
        yield from _never_shared(grant, pointer)
        yield from _closed_gates(catalogue, grant, given_at, pointer, now)
        if grant.answer == "refused":
            continue  # a refused grant is not checked further
        yield from _own_tick(grant, pointer)
        yield from _way_back(catalogue, grant, pointer)
        yield from _conference(grant, pointer)
    yield from _participants(grants)
    yield from _sheets(grants)
    yield from _consent_faults(catalogue, request, grants)


def needs_benefits_notice(grants: Sequence[ResolvedGrant]) -> bool:
    """Whether the client must be informed that refusing has no effect on benefits.

    That is so if a Jobcenter takes part in a grant whose purpose has the flag `notice`.
    """
    return any(
        grant.purpose.flags.notice and "jobcenter" in {grant.sender.kind, grant.recipient.kind} for grant in grants
    )


def is_special(grant: ResolvedGrant) -> bool:
    """Whether a grant covers special data (Art. 9 DSGVO): by a category, or because the flow itself reveals them."""
    return grant.purpose.flags.flow_itself_is_special or any(category.special for category in grant.categories)


def _never_shared(grant: ResolvedGrant, pointer: str) -> Iterator[Fault]:
    for number, category in enumerate(grant.categories):
        if category.flags.default == "not_shareable":
            yield Fault(
                f"{pointer}/categories/{number}",
                "This category is never shared, whatever a client agrees to.",
                "never_shared",
                "§ 203 StGB, § 65 SGB VIII",
            )


def _closed_gates(
    catalogue: Catalogue, grant: ResolvedGrant, given_at: datetime, pointer: str, now: datetime
) -> Iterator[Fault]:
    rules = catalogue.flow_rules(*grant.flow)
    for gate in rules.gates:
        place = f"{pointer}/{gate.member}"
        if gate.is_open(given_at, now):
            continue
        if gate.rule == "dpo_approval":
            detail = "No data-protection officer had approved this purpose when the consent was given."
            yield Fault(place, detail, "dpo_approval", "Art. 35 DSGVO")
        else:
            detail = "This partner is isolated: no data-protection officer had approved the flow by then."
            yield Fault(place, detail, "isolated_partner", "§ 67d Abs. 1 SGB X")


def _own_tick(grant: ResolvedGrant, pointer: str) -> Iterator[Fault]:
    for number, category in enumerate(grant.categories):
        if category.flags.default == "off" and (len(grant.categories) > 1 or not grant.explicit):
            yield Fault(
                f"{pointer}/categories/{number}",
                "This category is off unless a grant of its own, with an explicit yes, holds it and nothing else.",
                "own_tick",
                "Art. 9 Abs. 2 lit. a DSGVO",
            )


def _way_back(catalogue: Catalogue, grant: ResolvedGrant, pointer: str) -> Iterator[Fault]:
    if not catalogue.flow_rules(*grant.flow).is_back_channel:
        return
    for number, category in enumerate(grant.categories):
        if category.slug not in ATTENDANCE:
            yield Fault(
                f"{pointer}/categories/{number}",
                "An office that advises for this purpose says back who came, and nothing else.",
                "attendance_only",
                "Art. 5 Abs. 1 lit. c DSGVO",
            )


def _conference(grant: ResolvedGrant, pointer: str) -> Iterator[Fault]:
    if grant.purpose.flags.every_participant_named and not grant.has_stated_end:
        yield Fault(
            f"{pointer}/valid_until",
            "A consent to a conference is for one date or series: say when it ends.",
            "conference_end",
            "Art. 5 Abs. 1 lit. b DSGVO",
        )


def _participants(grants: Sequence[ResolvedGrant]) -> Iterator[Fault]:
    """A conference needs one grant for each participant, so that the client can refuse a single participant."""
    seen: set[tuple[int, int, int]] = set()
    for number, grant in enumerate(grants):
        if grant.purpose.flags.every_participant_named and grant.flow in seen:
            yield Fault(
                f"/grants/{number}/recipient",
                "Each participant of a conference is named once, by a grant of its own.",
                "participant_named_once",
                "Art. 4 Nr. 11 DSGVO",
            )
        seen.add(grant.flow)


def _sheets(grants: Sequence[ResolvedGrant]) -> Iterator[Fault]:
    purposes = {grant.purpose.purpose_id for grant in grants}
    for number, grant in enumerate(grants):
        if grant.purpose.flags.separate_sheet and len(purposes) > 1:
            yield Fault(
                f"/grants/{number}/purpose",
                "This purpose needs a consent of its own, with no other purpose on the sheet.",
                "separate_sheet",
                "Art. 7 Abs. 2 DSGVO",
            )


def _consent_faults(catalogue: Catalogue, request: ConsentRequest, grants: Sequence[ResolvedGrant]) -> Iterator[Fault]:
    given = [grant for grant in grants if grant.answer == "given"]
    about_children = any(
        grant.purpose.flags.minors or any(category.flags.minors for category in grant.categories) for grant in given
    )
    if about_children and request.giver.age_band is None:
        yield Fault(
            "/giver/age_band",
            "Data about school and day care are mostly a child's: say how old the client is.",
            "age_band",
            "§ 36 SGB I",
        )
    informed_of = frozenset(request.information.told)
    if needs_benefits_notice(given) and informed_of and not informed_of & SAID_NO_EFFECT:
        yield Fault(
            "/information/told",
            "Towards a Jobcenter the client must be told that refusing has no effect on benefits.",
            "benefits_notice",
            "§ 67b Abs. 2 Satz 3 SGB X",
        )
    interpreter = request.information.interpreter
    if catalogue.policies.interpreter_required and interpreter.kind == "none" and request.text.language not in GERMAN:
        yield Fault(
            "/information/interpreter/kind",
            "This network asks who interpreted whenever the text was not German.",
            "interpreter_required",
            "Art. 12 Abs. 1 DSGVO",
        )
