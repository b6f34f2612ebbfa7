"""Members that the bodies of several calls share: their format, and the fault a caller gets for another format."""

import base64
from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from consent_registry.domain.errors import Fault
from consent_registry.domain.identifiers import SLUG_PATTERN, UUID_PATTERN
from consent_registry.domain.instants import DATE_TIME_PATTERN, FORM, NotAnInstant, parse_instant
from consent_registry.storage.log.append import LogPlace

# `rule` is the detail of the fault for a text of another format.
Slug = Annotated[
    str,
    Meta(
        pattern=SLUG_PATTERN,
        extra={"rule": "must be a slug: 1 to 63 of a to z, 0 to 9 and hyphens, not a hyphen first"},
    ),
]
Reference = Annotated[str, Meta(min_length=1, max_length=128, description="Your own identifier for a client.")]
Instant = Annotated[
    str,
    Meta(
        pattern=DATE_TIME_PATTERN,
        examples=["2026-11-20T09:30:00.000000Z", "2026-11-20T10:30:00+01:00"],
        extra_json_schema={"format": "date-time"},
        extra={"rule": FORM},
    ),
]
Uuid = Annotated[str, Meta(pattern=UUID_PATTERN, extra={"rule": "must be a UUID in lower case, with its hyphens"})]
StaffReference = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9-]{1,32}$(?!\n)",
        examples=["B-12"],
        extra={"rule": "must have 1 to 32 letters (A to Z), digits or hyphens"},
    ),
]
ShortText = Annotated[str, Meta(min_length=1, max_length=120, description="Encrypted at rest, for the recorder only.")]
Language = Annotated[
    str,
    Meta(
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,7}$(?!\n)",
        examples=["de", "ar"],
        extra={"rule": "must be a language tag like de or zh-Hans (RFC 5646)"},
    ),
]
Month = Annotated[
    str,
    Meta(
        pattern=r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$(?!\n)",
        examples=["2027-04"],
        extra={"rule": "must be a month like 2027-04"},
    ),
]
Sha256 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", extra={"rule": "must have 64 hexadecimal digits in lower case"})
]
MediaType = Annotated[
    str,
    Meta(
        pattern=r"^[a-z]+/[A-Za-z0-9.+-]{1,80}$(?!\n)",
        extra={"rule": "must be a media type like application/pdf, without parameters"},
    ),
]


GermanDay = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)",
        examples=["2026-01-31"],
        extra_json_schema={"format": "date"},
        extra={"rule": "must be a day in Germany, like 2026-01-31"},
    ),
]


class LogEntry(msgspec.Struct, frozen=True):
    """The record's entry in the log: the log's origin, the zero-based index, and the 33 bytes of the leaf in base64."""

    origin: str
    index: int
    leaf: str

    @classmethod
    def of(cls, place: LogPlace) -> "LogEntry":
        """The wire form of a place in the log."""
        return cls(place.origin, place.index, base64.b64encode(place.leaf).decode())


def instant_at(text: str | None, pointer: str, faults: list[Fault]) -> datetime | None:
    """The instant in this text, or None without one; a day that does not exist is added to `faults`."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except NotAnInstant as error:
        faults.append(Fault(pointer, str(error)))
        return None


def day_at(text: str | None, pointer: str, faults: list[Fault]) -> date | None:
    """The day in this text, or None without one; a day that does not exist is added to `faults`."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        faults.append(Fault(pointer, "there is no such day"))
        return None
