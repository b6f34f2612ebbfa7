"""The record of a removal: the entry of the log that says which places were emptied (docs/design/erasure.md).

It has no actor: the list's gaps would count what others wrote, so auditor and eraser alone read it.
"""

import secrets
from datetime import datetime

from consent_registry.domain.catalogue import Network
from consent_registry.domain.events import Event
from consent_registry.domain.instants import format_instant
from consent_registry.storage.erasure.erasures import RemovalRecord
from consent_registry.storage.log.append import event_bytes
from consent_registry.tlog.leaf import NONCE_LENGTH, make_leaf


def removal_record(network: Network, at: datetime, said: Event) -> RemovalRecord:
    """The entry of a removal, which is about nobody, with its nonce and leaf."""
    nonce = secrets.token_bytes(NONCE_LENGTH)
    body = event_bytes(network, format_instant(at), None, said, nonce)
    return RemovalRecord(said.event_id, body, nonce, make_leaf(body, nonce))
