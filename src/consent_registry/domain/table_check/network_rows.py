"""What the events of a network's setup tell of the tables' rows: its catalogue, its periods, its credentials."""

from collections.abc import Mapping, Sequence
from typing import Any

from consent_registry.domain.table_check.expected_rows import TABLES, UNTOLD, Facts, ToldRows
from consent_registry.domain.table_check.row_mapping import Act, Computed, Said, committed, rows


def _periods(said: Said) -> Sequence[Facts]:
    """A change of the catalogue is its setup, or sets how long what is kept."""
    periods = said.event.get("retention")
    return [periods] if periods else []


def _is_whole(event: Facts) -> bool:
    return "policies" in event


def _network(said: Said) -> Sequence[Facts]:
    return [said.event] if _is_whole(said.event) else []


def _entries(nouns: str) -> Computed:
    return lambda said: said.event[nouns] if _is_whole(said.event) else []


def _names(nouns: str) -> Computed:
    """Before networks told all of their catalogue they told what it lists."""
    return lambda said: [] if _periods(said) or _is_whole(said.event) else said.event[nouns]


def _unnamed(told: ToldRows, event: Facts) -> None:
    if "retention" not in event and not _is_whole(event):
        told.leave_untold("networks", "policies", "data_categories", "purposes", "flows", versions=event["texts"])


def _but_when(table: str) -> Mapping[str, Any]:
    return dict.fromkeys(set(TABLES[table][1]) - {"recorded_at"}, UNTOLD)


SETUP_ACTS: Mapping[str, Sequence[Act]] = {
    "catalogue": [
        rows("retention_periods", each=_periods, period_id="id"),
        rows("networks", each=_network, slug="network", created_at="at"),
        rows("policies", each=_network, version=1, policies=".policies", set_by=None),
        rows("partners", each=_entries("partners")),
        rows("data_categories", each=_entries("categories")),
        rows("purposes", each=_entries("purposes")),
        rows("agreements", each=_entries("agreements"), agreement_id=".id"),
        rows(
            "flows",
            each=_entries("flows"),
            agreement_id=".agreement",
            flow_number=".number",
            sender_id=".sender",
            recipient_id=".recipient",
            purpose_id=".purpose",
        ),
        rows("texts", each=_entries("texts"), text_id=".id"),
        rows("text_languages", each=_entries("text_languages"), text_id=".text", content=".sha256"),
        rows("partners", each=_names("partners"), slug=".", **_but_when("partners")),
        rows("agreements", each=_names("agreements"), version=".", **_but_when("agreements")),
        rows("texts", each=_names("texts"), version=".", text_id=UNTOLD),
        _unnamed,
    ],
    "policy": [rows("policies", version="version", policies="policies", set_by="set_by")],
    "credential": [
        rows(
            "credentials",
            client_id="client_id",
            partner_id="partner",
            scopes="scopes",
            secret_mac=committed("secret", "secret_commitment"),
        )
    ],
    "credential_revocation": [rows("credential_revocations", client_id="client_id")],
}
