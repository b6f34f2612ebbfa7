"""Every column of the schema is either data of a client, and then erased with it, or not. No other file decides that.

A new column is put into one of the two lists. A table with a client's data needs `client_id` or `client_ids`
and one call in its migration: `select registry.make_removable('…')`.
"""

CLIENT_DATA_ERASED = {
    "clients": "network_id client_id recorded_at",
    "client_references": "network_id partner_id digest digest_key client_id sealed recorded_at",
    "consents": (
        "network_id consent_id client_id recorder_id partner_ids text_id language giver_role giver_age_band "
        "giver_insight_assessed_by giver_mandate_until method special_circumstances evidence_sha256 "
        "evidence_media_type evidence_kept_at explained_by interpreter_kind interpreter_language told "
        "copy_handed client_language given_at valid_from valid_until recorded_at renews guardian_id remarks "
        "giver_adult_from giver_insight giver_direct_counselling giver_care giver_scope co_giver_roles "
        "co_giver_assessors given_at_precision"
    ),
    "consent_evidence": (
        "network_id consent_id evidence_id client_id partner_ids sha256 media_type kept_at recorded_at"
    ),
    "grants": (
        "network_id grant_id consent_id client_id recorder_id sender_id recipient_id purpose_id category_ids "
        "explicit answer valid_from valid_until given_at third_parties third_party_grants evidence_follows "
        "entrusted_by release_ids"
    ),
    "grant_changes": (
        "network_id grant_id change_id act_id client_id partner_ids kind category_ids valid_until "
        "effective_at recorded_at by_grant_id"
    ),
    "releases": (
        "network_id release_id consent_id client_id partner_ids holder_id towards_id function_sealed person "
        "purpose_ids category_ids valid_until"
    ),
    "release_changes": "network_id release_id change_id act_id client_id partner_ids kind effective_at recorded_at",
    "receipt_codes": "network_id digest digest_key consent_id client_id partner_ids recorded_at issue",
    "client_memberships": "network_id client_id position group_id recorded_at",
    "link_codes": (
        "network_id digest digest_key link_code_id client_id partner_id for_partner_id expires_at recorded_at"
    ),
    "links": "network_id link_id link_code_id client_id partner_id recorded_at",
    "unlinkings": "network_id unlinking_id client_id partner_id left_group_id linked_at recorded_at",
    "withdrawals": (
        "network_id withdrawal_id act_id client_id partner_id channel declared_at received_at recorded_at covers "
        "covered_flows category_ids"
    ),
    "changes": (
        "network_id partner_id change_id kind consent_id client_id grant_ids effective_from acknowledge_by "
        "recorded_at use_ban"
    ),
    "transfers": (
        "network_id transfer_id decision_id partner_id client_id outcome category_ids transferred_at recorded_at"
    ),
    "idempotency_keys": "network_id partner_id scope body_sha256 answer client_ids recorded_at",
    "events": (
        "log_index at event_id client_id network_id actor_id sender_id recipient_id purpose_id kind outcome nonce "
        "event person"
    ),
    "holds": "network_id hold_id client_id norm placed_by recorded_at",
    "hold_liftings": "network_id hold_id client_id lifted_by recorded_at",
}

# The catalogue, credentials, and what says nothing about a person.
NOT_CLIENT_DATA = {
    "schema_migrations": "version name sha256 applied_at",
    "schema_functions": "name sha256 applied_at",
    "networks": "network_id slug name about log_origin demonstration created_at",
    "policies": "network_id version policies set_by recorded_at",
    "catalogue_versions": "network_id version recorded_at",
    "partners": (
        "network_id partner_id slug name organisation kind regime functions selectable isolated "
        "coordinating_post recorded_at"
    ),
    "suspensions": "network_id suspension_id partner_id recorded_at reason",
    "reinstatements": "network_id reinstatement_id suspension_id recorded_at",
    "data_categories": "network_id category_id slug name_de name_en special secrecy flags",
    "purposes": "network_id purpose_id slug name_de name_en category_ids flags",
    "agreements": "network_id agreement_id version valid_from valid_until recorded_at",
    "approvals": (
        "network_id approval_id partner_id subject_purpose_id sender_id recipient_id purpose_id approved_by norm "
        "valid_until recorded_at"
    ),
    "approval_revocations": "network_id revocation_id approval_id revoked_by recorded_at",
    "agreement_endings": "network_id agreement_id recorded_at",
    "flows": "network_id agreement_id flow_number sender_id recipient_id purpose_id category_ids basis norm entrusted",
    "texts": "network_id text_id version asked_flows informs in_use_since in_use_until form_sha256 recorded_at",
    "text_languages": "network_id text_id language content sha256 translation_of aliases",
    "text_invalidations": "network_id invalidation_id text_id language reason recorded_at",
    "stale_translations": "network_id staling_id text_id language reason recorded_at",
    "credentials": "network_id client_id partner_id scopes secret_key secret_mac recorded_at",
    "credential_revocations": "network_id client_id recorded_at",
    "code_failures": "network_id partner_id failure_id recorded_at kind",
    "leaves": "log_index network_id leaf",
    "tiles": "network_id level number width data",
    "checkpoints": "network_id size published_at root note",
    "key_rotations": "network_id key_file key_id recorded_at",
    "retention_periods": "network_id period_id use_years consent_years recorded_at",
    "retentions": "network_id retention_id events recorded_at",
    "erasures": "network_id erasure_id ground events recorded_at",
}
