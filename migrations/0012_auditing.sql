-- Why: `consent-registry audit replay` recomputes every consent's state from the log and compares it with the tables.
-- Its login, the auditor's, reads whole networks one at a time, and changes nothing.
-- Survives the previous release: yes, which has no use for that login.

grant usage on schema registry to {auditor};
grant select on registry.networks to {auditor};

do $$
declare
    audited text;
begin
    -- What events tell the state of. No secrets of credentials, no stored answers, no feed: events do not tell those.
    foreach audited in array array['partners', 'purposes', 'data_categories', 'agreements', 'suspensions', 'reinstatements',
        'approvals', 'approval_revocations', 'texts', 'text_languages', 'text_invalidations', 'stale_translations',
        'clients', 'receipt_codes', 'client_memberships', 'link_codes', 'links', 'unlinkings', 'erasures',
        'retention_periods', 'retentions', 'leaves', 'client_references', 'consents', 'consent_evidence', 'grants',
        'grant_changes', 'releases', 'release_changes', 'withdrawals', 'transfers', 'holds', 'hold_liftings', 'events']
    loop
        execute format('grant select on registry.%I to {auditor}', audited);
    end loop;
    -- Those that are cut down to partners for everybody else.
    foreach audited in array array['client_references', 'consents', 'consent_evidence', 'grants', 'grant_changes',
        'releases', 'release_changes', 'withdrawals', 'transfers', 'holds', 'hold_liftings', 'events']
    loop
        execute format(
            'create policy %I on registry.%I for select to {auditor} using (network_id = (select registry.current_network()))',
            audited || '_audit', audited);
    end loop;
end
$$;
