"""The record of a removal: the event that says what went, and for each consent of somebody else that the removed acts
had changed an event that tells those changes again, so that every row is one the log tells of (design.md section 7).
"""

import secrets
from collections.abc import Sequence
from datetime import datetime

from consent_registry.audit.leaf import NONCE_LENGTH, make_leaf
from consent_registry.domain.catalogue import Network
from consent_registry.domain.events import Event
from consent_registry.domain.instants import format_instant
from consent_registry.operations.acts import new_id
from consent_registry.storage.erasures import Remainder, RemovalRecord
from consent_registry.storage.log import event_bytes

_ACTOR = "administration"


def removal_record(network: Network, at: datetime, said: Event, remainders: Sequence[Remainder]) -> RemovalRecord:
    """The events of this removal with their nonces and leaves; the first one, `said`, is about nobody."""
    events = [said, *(Event("remainder", new_id(at), one.members, one.client_id) for one in remainders)]
    nonces = [secrets.token_bytes(NONCE_LENGTH) for _ in events]
    instant = format_instant(at)
    bodies = [event_bytes(network, instant, _ACTOR, event, nonce) for event, nonce in zip(events, nonces, strict=True)]
    return RemovalRecord(
        ids=[event.event_id for event in events],
        client_ids=[event.client_id for event in events],
        events=bodies,
        nonces=nonces,
        leaves=[make_leaf(body, nonce) for body, nonce in zip(bodies, nonces, strict=True)],
    )
