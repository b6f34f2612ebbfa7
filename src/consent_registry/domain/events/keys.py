"""Events about the installation's keys: a successor was published, or stored values were re-encrypted."""

from msgspec import UNSET, UnsetType

from consent_registry.domain.events.event import Event, LoggedInstant


class KeyRotationEvent(Event, frozen=True, kw_only=True, tag="key_rotation"):
    """A step of a key rotation: a new key was published, or stored values were re-encrypted.

    Step `published`: `key` follows `former_key` in a key file, from `active_from` on if that is present; for a log key
    the event has both verifier keys. Step `resealed`: `count` values of a table were re-encrypted with these keys.
    """

    number = 26
    retention_class = "permanent"

    step: str
    file: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    former_key: str | UnsetType = UNSET
    active_from: LoggedInstant | UnsetType = UNSET
    vkey: str | UnsetType = UNSET
    former_vkey: str | UnsetType = UNSET
    table: str | UnsetType = UNSET
    count: int | UnsetType = UNSET
    sealing_key: str | UnsetType = UNSET
    digest_key: str | UnsetType = UNSET
