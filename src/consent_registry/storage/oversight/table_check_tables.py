"""The statements with which the table check reads each table."""

from collections.abc import Mapping

# Every table of domain/events/tables.py with its key, its compared columns and what else is needed to
# judge a row.
STATEMENTS: Mapping[str, str] = {
    "networks": """
        select slug, name, about, log_origin, demonstration, created_at
        from registry.networks where network_id = $1
        """,
    "policies": "select version, policies::text, set_by, recorded_at from registry.policies where network_id = $1",
    "partners": """
        select slug, partner_id as number, name, organisation, kind, regime, functions::text, selectable, isolated,
            coordinating_post, recorded_at
        from registry.partners where network_id = $1
        """,
    "data_categories": """
        select slug, category_id as number, name_de, name_en, special, secrecy, flags::text
        from registry.data_categories where network_id = $1
        """,
    "purposes": """
        select slug, purpose_id as number, name_de, name_en, category_ids, flags::text
        from registry.purposes where network_id = $1
        """,
    "agreements": "select * from registry.agreements where network_id = $1",
    "agreement_endings": "select * from registry.agreement_endings where network_id = $1",
    "flows": "select * from registry.flows where network_id = $1",
    "credentials": "select * from registry.credential_holders($1)",
    "credential_revocations": "select * from registry.credential_revocations where network_id = $1",
    "texts": """
        select text_id, version, asked_flows::text, informs, in_use_since::text, in_use_until::text, form_sha256,
            recorded_at
        from registry.texts where network_id = $1
        """,
    "text_languages": """
        select l.text_id, l.language, l.sha256, pg_catalog.sha256(l.content) as content, l.translation_of,
            l.aliases::text, t.version
        from registry.text_languages l left join registry.texts t on t.network_id = $1 and t.text_id = l.text_id
        where l.network_id = $1
        """,
    "text_invalidations": "select * from registry.text_invalidations where network_id = $1",
    "stale_translations": "select * from registry.stale_translations where network_id = $1",
    "suspensions": "select * from registry.suspensions where network_id = $1",
    "reinstatements": "select * from registry.reinstatements where network_id = $1",
    "approvals": "select * from registry.approvals where network_id = $1",
    "approval_revocations": "select * from registry.approval_revocations where network_id = $1",
    "retention_periods": "select * from registry.retention_periods where network_id = $1",
    "retentions": "select * from registry.retentions where network_id = $1",
    "erasures": "select * from registry.erasures where network_id = $1",
    "holds": "select * from registry.holds where network_id = $1",
    "hold_liftings": "select * from registry.hold_liftings where network_id = $1",
    "clients": "select * from registry.clients where network_id = $1",
    "client_references": """
        select client_id, partner_id, recorded_at from registry.client_references where network_id = $1
        """,
    "client_memberships": "select * from registry.client_memberships where network_id = $1",
    "link_codes": """
        select link_code_id, client_id, partner_id, for_partner_id, expires_at, digest_key, digest, recorded_at
        from registry.link_codes where network_id = $1
        """,
    "links": "select * from registry.links where network_id = $1",
    "unlinkings": "select * from registry.unlinkings where network_id = $1",
    "consents": """
        select consent_id, client_id, recorder_id, partner_ids, text_id, language, giver_role, giver_age_band,
            giver_insight_assessed_by, giver_mandate_until, guardian_id, method, special_circumstances, evidence_sha256,
            evidence_media_type, evidence_kept_at is not null as has_kept_at, explained_by,
            interpreter_kind, interpreter_language, told, copy_handed, client_language, given_at, given_at_precision,
            valid_from, valid_until, renews, remarks, recorded_at, giver_adult_from, giver_insight,
            giver_direct_counselling, giver_care, giver_scope, co_giver_roles, co_giver_assessors
        from registry.consents where network_id = $1
        """,
    "consent_evidence": """
        select consent_id, evidence_id, client_id, partner_ids, sha256, media_type, recorded_at
        from registry.consent_evidence where network_id = $1
        """,
    "receipt_codes": """
        select consent_id, issue, client_id, partner_ids, digest_key, digest, recorded_at
        from registry.receipt_codes where network_id = $1
        """,
    "grants": "select * from registry.grants where network_id = $1",
    "grant_changes": "select * from registry.grant_changes where network_id = $1",
    "releases": """
        select release_id, consent_id, client_id, partner_ids, holder_id, towards_id, person, purpose_ids, category_ids,
            valid_until, function_sealed is not null as has_function
        from registry.releases where network_id = $1
        """,
    "release_changes": "select * from registry.release_changes where network_id = $1",
    # The flows as text_of_flows in domain/events/withdrawals.py writes them; a number without a name stays a number.
    "withdrawals": """
        select w.withdrawal_id, w.act_id, w.client_id, w.partner_id, w.channel, w.declared_at, w.received_at, w.covers,
            w.category_ids, w.recorded_at, case
                when w.covered_flows is null then null
                -- What was edited into another shape is compared as it is: no cast and no function may fail on it.
                when jsonb_typeof(w.covered_flows) <> 'array' or jsonb_path_exists(w.covered_flows,
                    'strict $[*] ? (@.type() != "array" || @.size() != 4 || @[3].type() != "array")', '{}', true)
                then convert_to(w.covered_flows::text, 'UTF8')
                else (
                    select convert_to(coalesce(string_agg(f.line, E'\n' order by f.line collate "C"), ''), 'UTF8')
                    from (
                        select concat_ws(' ', coalesce(s.slug, e ->> 0), coalesce(r.slug, e ->> 1),
                            coalesce(p.slug, e ->> 2), (
                                select string_agg(coalesce(d.slug, c), ',' order by coalesce(d.slug, c) collate "C")
                                from jsonb_array_elements_text(e -> 3) c
                                left join registry.data_categories d
                                    on d.network_id = $1 and d.category_id::text = c)) as line
                        from jsonb_array_elements(w.covered_flows) e
                        left join registry.partners s on s.network_id = $1 and s.partner_id::text = e ->> 0
                        left join registry.partners r on r.network_id = $1 and r.partner_id::text = e ->> 1
                        left join registry.purposes p on p.network_id = $1 and p.purpose_id::text = e ->> 2) f
                ) end as covered_flows
        from registry.withdrawals w where w.network_id = $1
        """,
}
