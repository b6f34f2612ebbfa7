"""The removal record: the event that lists from which places of the log events were removed (docs/design/erasure.md).

It has no actor, so no partner can read it, only auditor and eraser: from the gaps in the list a partner could count the
events of others.
"""

import secrets
from datetime import datetime

from consent_registry.domain.catalogue import Network
from consent_registry.domain.events.all_kinds import write_event
from consent_registry.domain.events.erasure import ErasureEvent, RetentionEvent
from consent_registry.domain.instants import format_instant
from consent_registry.storage.erasure.erasures import RemovalRecord
from consent_registry.tlog.leaf import NONCE_LENGTH, make_leaf


def removal_record(network: Network, at: datetime, said: ErasureEvent | RetentionEvent) -> RemovalRecord:
    """The event of a removal, which names no client, with its nonce and leaf."""
    nonce = secrets.token_bytes(NONCE_LENGTH)
    body = write_event(said.recorded(network.slug, format_instant(at), None), nonce)
    return RemovalRecord(said.id, body, nonce, make_leaf(body, nonce))
