"""Which norm a refusal or a remark about a consent cites: that of the table of rules, for the regimes concerned.

The rules themselves name no norm, except where the dated row that is not kept has its own.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from consent_registry.domain.catalogue import Partner
from consent_registry.domain.errors import Fault
from consent_registry.domain.law.norms import joined
from consent_registry.domain.law.proposed import ProposedConsent, ProposedGrant
from consent_registry.domain.law.rules.all_rules import RECORDING
from consent_registry.domain.law.rules.rule import Sides


def with_norms(faults: Iterable[Fault], consent: ProposedConsent, recorder: Partner) -> Iterator[Fault]:
    """The same faults, each with its norm on the day of the consent. A fault at a grant cites the law of its sides.

    A norm that a fault has of its own, of the row that is not kept, stays in the place of the table's.
    """
    for fault in faults:
        rule = RECORDING.get(fault.rule or "")
        if rule is None or (fault.norm is not None and not rule.cites_both):
            yield fault
        else:
            flows = _sides(_grants_at(consent, fault.pointer))
            norm = rule.norm_between(consent.act.given_at, recorder.regime, flows)
            yield msgspec.structs.replace(fault, norm=joined(norm, fault.norm))


def _grants_at(consent: ProposedConsent, pointer: str) -> Sequence[ProposedGrant]:
    """The grant that a pointer leads into; all grants where it leads into none."""
    _, member, *place = pointer.split("/")
    return [consent.grants[int(place[0])]] if member == "grants" and place else consent.grants


def _sides(grants: Iterable[ProposedGrant]) -> Iterator[Sides]:
    return ((grant.sender.regime, grant.recipient.regime) for grant in grants)
