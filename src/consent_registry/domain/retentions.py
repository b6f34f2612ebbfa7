"""Which events go when: every kind of event has a class (docs/design/erasure.md).

A kind that nobody classified, because a newer release wrote it, is in none of them: the database lets go by age what is
a use, and nothing else.
"""

from consent_registry.domain.events.event import RetentionClass
from consent_registry.domain.events.registry import EVENTS, NUMBERS


def _kinds(retention_class: RetentionClass) -> frozenset[str]:
    return frozenset(kind for kind, event in EVENTS.items() if event.retention_class == retention_class)


# Uses go by age. What they prove, reliance on a consent, lasts as long as its evidence.
USE = _kinds("use")
# The state of clients, consents and catalogue: goes with its consent or its client, never before; a catalogue never.
STATE = _kinds("state")
# What accounts for the log itself.
PERMANENT = _kinds("permanent")
USE_KINDS = sorted(NUMBERS[kind] for kind in USE)
