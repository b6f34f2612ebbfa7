"""Rows as events tell them: by table, under their key, as tuples of columns."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

Facts = Mapping[str, Any]
Key = tuple[Any, ...]
# Stands for a column that this row's event does not tell.
UNTOLD = ...

# Each table's key and the columns that are compared.
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "networks": (("slug",), ("name", "about", "log_origin", "demonstration", "created_at")),
    "policies": (("version",), ("policies", "set_by", "recorded_at")),
    "partners": (
        ("slug",),
        (
            "number",
            "name",
            "organisation",
            "kind",
            "regime",
            "secrecy_holder",
            "selectable",
            "isolated",
            "coordinating_post",
            "recorded_at",
        ),
    ),
    "data_categories": (("slug",), ("number", "name_de", "name_en", "special", "secrecy", "flags")),
    "purposes": (("slug",), ("number", "name_de", "name_en", "category_ids", "flags")),
    "agreements": (("version",), ("agreement_id", "valid_from", "valid_until", "recorded_at")),
    "agreement_endings": (("agreement_id",), ("recorded_at",)),
    "flows": (
        ("agreement_id", "flow_number"),
        ("sender_id", "recipient_id", "purpose_id", "category_ids", "basis", "norm"),
    ),
    # `secret_mac` is the SHA-256 of what is stored; of it, and of the digests of codes, events tell commitments.
    "credentials": (("client_id",), ("partner_id", "scopes", "secret_key", "secret_mac", "recorded_at")),
    "credential_revocations": (("client_id",), ("recorded_at",)),
    "texts": (("version",), ("text_id", "recorded_at")),
    # `content` is the SHA-256 of what is stored.
    "text_languages": (("text_id", "language"), ("sha256", "content", "translation_of")),
    "text_invalidations": (("invalidation_id",), ("text_id", "language", "reason", "recorded_at")),
    "stale_translations": (("staling_id",), ("text_id", "language", "reason", "recorded_at")),
    "suspensions": (("suspension_id",), ("partner_id", "recorded_at")),
    "reinstatements": (("reinstatement_id",), ("suspension_id", "recorded_at")),
    "approvals": (
        ("approval_id",),
        (
            "partner_id",
            "subject_purpose_id",
            "sender_id",
            "recipient_id",
            "purpose_id",
            "approved_by",
            "norm",
            "valid_until",
            "recorded_at",
        ),
    ),
    "approval_revocations": (("revocation_id",), ("approval_id", "revoked_by", "recorded_at")),
    "retention_periods": (("period_id",), ("use_years", "consent_years", "recorded_at")),
    "retentions": (("retention_id",), ("events", "recorded_at")),
    "erasures": (("erasure_id",), ("ground", "events", "recorded_at")),
    "holds": (("hold_id",), ("client_id", "norm", "placed_by", "recorded_at")),
    "hold_liftings": (("hold_id",), ("client_id", "lifted_by", "recorded_at")),
    "clients": (("client_id",), ("recorded_at",)),
    "client_references": (("client_id",), ("partner_id", "recorded_at")),
    "client_memberships": (("client_id", "position"), ("group_id", "recorded_at")),
    "link_codes": (
        ("link_code_id",),
        ("client_id", "partner_id", "for_partner_id", "expires_at", "digest_key", "digest", "recorded_at"),
    ),
    "links": (("link_id",), ("link_code_id", "client_id", "partner_id", "recorded_at")),
    "unlinkings": (("unlinking_id",), ("client_id", "partner_id", "left_group_id", "linked_at", "recorded_at")),
    "consents": (
        ("consent_id",),
        (
            "client_id",
            "recorder_id",
            "partner_ids",
            "text_id",
            "language",
            "giver_role",
            "giver_age_band",
            "giver_insight_assessed_by",
            "giver_mandate_until",
            "guardian_id",
            "method",
            "special_circumstances",
            "evidence_sha256",
            "evidence_media_type",
            "has_kept_at",
            "explained_by",
            "interpreter_kind",
            "interpreter_language",
            "told",
            "copy_handed",
            "given_at",
            "valid_from",
            "valid_until",
            "renews",
            "remarks",
            "recorded_at",
        ),
    ),
    "consent_evidence": (
        ("consent_id",),
        ("evidence_id", "client_id", "partner_ids", "sha256", "media_type", "recorded_at"),
    ),
    "receipt_codes": (
        ("consent_id", "issue"),
        ("client_id", "partner_ids", "digest_key", "digest", "recorded_at"),
    ),
    "grants": (
        ("grant_id",),
        (
            "consent_id",
            "client_id",
            "recorder_id",
            "sender_id",
            "recipient_id",
            "purpose_id",
            "category_ids",
            "explicit",
            "answer",
            "valid_from",
            "valid_until",
            "given_at",
            "third_parties",
            "third_party_grants",
        ),
    ),
    "grant_changes": (
        ("grant_id", "act_id", "kind"),
        ("client_id", "partner_ids", "category_ids", "valid_until", "by_grant_id", "effective_at", "recorded_at"),
    ),
    "releases": (
        ("release_id",),
        # Of the sealed text without keys only whether there is one.
        ("consent_id", "client_id", "partner_ids", "holder_id", "towards_id", "person", "has_function"),
    ),
    "release_changes": (
        ("release_id", "act_id", "kind"),
        ("client_id", "partner_ids", "effective_at", "recorded_at"),
    ),
    "withdrawals": (
        ("withdrawal_id",),
        ("act_id", "client_id", "partner_id", "channel", "declared_at", "received_at", "recorded_at"),
    ),
}


class ToldRows:
    """What was told so far. `unattached` counts changes to what itself was not told."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Key, tuple[Any, ...]]] = {table: {} for table in TABLES}
        self.unattached = 0
        # Of the event that is being told: what its commitments are opened with.
        self.nonce = b""
        self._untold_tables: set[str] = set()
        self._untold_texts: set[str] = set()

    def add(self, table: str, **values: object) -> None:
        """Tell a row by all its columns; raises ValueError for one that was told, KeyError for a column left out."""
        keys, columns = TABLES[table]
        key = tuple(values[name] for name in keys)
        if key in self.rows[table]:
            raise ValueError(f"{table} {key} was told before")
        self.rows[table][key] = tuple(values[name] for name in columns)

    def has(self, table: str, *key: object) -> bool:
        """Whether this row was told."""
        return key in self.rows[table]

    def value(self, table: str, column: str, *key: object) -> Any:  # noqa: ANN401 - of whatever kind the column is
        """A column of a row told before; raises KeyError."""
        return self.rows[table][key][TABLES[table][1].index(column)]

    def take(self, table: str, key: Key) -> tuple[Any, ...] | None:
        """The row, which is not there any more afterwards."""
        return self.rows[table].pop(key, None)

    def leave_untold(self, *tables: str, versions: Iterable[str]) -> None:
        """Of these tables the network's setup told no rows, and of its texts the versions alone."""
        self._untold_tables.update(tables)
        self._untold_texts.update(versions)

    def says_nothing_of(self, table: str, row: Facts) -> bool:
        """Whether such a row may be there though no event told it: its network's setup was not told in full."""
        if table == "text_languages":
            return row["version"] in self._untold_texts
        return table in self._untold_tables


def at(text: str) -> datetime:
    """An instant as events write it; raises ValueError."""
    return datetime.fromisoformat(text)


def listed(some: Iterable[str]) -> tuple[str, ...]:
    """Sorted, as lists of partners and categories are compared."""
    return tuple(sorted(some))
