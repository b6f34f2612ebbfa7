"""Retention classes: every kind of event is a use, a state or permanent (docs/design/erasure.md).

A kind that a newer release wrote is in no class. It is kept: the database deletes only uses by age.
"""

from consent_registry.domain.events.all_kinds import EVENTS, NUMBERS
from consent_registry.domain.events.event import RetentionClass


def _kinds(retention_class: RetentionClass) -> frozenset[str]:
    return frozenset(kind for kind, event in EVENTS.items() if event.retention_class == retention_class)


# Uses are deleted by age. They prove reliance on a consent, so they are kept as long as its evidence.
USE = _kinds("use")
# The state of clients, consents and catalogue: deleted with its consent or client, never before; the catalogue's never.
STATE = _kinds("state")
# Events about the log itself.
PERMANENT = _kinds("permanent")
# By their numbers.
USE_KINDS = sorted(NUMBERS[kind] for kind in USE)
STATE_KINDS = sorted(NUMBERS[kind] for kind in STATE)
