"""Pages of a list: an opaque cursor, encrypted and bound to the filter it belongs to."""

import base64
import binascii
from typing import Generic, TypeVar

import msgspec

from consent_registry.domain.errors import Fault, Malformed, Unusable
from consent_registry.storage.keys.keyring import Keys, base64url

Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A page of a list, newest first; `next` is None at the end."""

    items: list[Item]
    next: str | None


def make_cursor(keys: Keys, filter_of_page: bytes, after: str | None) -> str | None:
    """The cursor to the items after the item with this id, for this filter only; None at the end."""
    return None if after is None else base64url(keys.encrypt(after.encode(), _context(filter_of_page)))


def read_cursor(keys: Keys, filter_of_page: bytes, cursor: str | None, *, in_query: bool = False) -> str | None:
    """The id after which the page begins; raises Malformed for a text that is not a cursor of this filter."""
    if cursor is None:
        return None
    try:
        ciphertext = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return keys.decrypt(ciphertext, _context(filter_of_page)).decode()
    except (binascii.Error, Unusable, UnicodeDecodeError, IndexError, ValueError) as error:
        wrong = "is no cursor of this list"
        raise Malformed(faults=[Fault.of_query("cursor", wrong) if in_query else Fault("/cursor", wrong)]) from error


def _context(filter_of_page: bytes) -> str:
    return f"cursor {filter_of_page.decode()}"
