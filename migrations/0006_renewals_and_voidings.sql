-- Why: the complete record. A consent may renew an earlier one; evidence may follow; a text may be void, a translation
-- stale; a recipient is told that it may not use what it got.
-- Survives the previous release: yes, as long as nobody renews: it would stretch a renewed grant by itself, and knows
-- neither that a renewal was void nor that a text is.

-- Which consent this one renews. No foreign key: the earlier one may be erased under its own retention period first.
alter table registry.consents add column renews uuid;
-- "All consents on this text", for the act that voids them while the whole network waits.
create index consents_text_idx on registry.consents (network_id, text_id, language);

-- The grant that renewed this one. `unrenewed`: that grant was void from the start, so nothing was renewed.
alter table registry.grant_changes add column by_grant_id uuid;
alter table registry.grant_changes drop constraint grant_changes_kind_check;
alter table registry.grant_changes add constraint grant_changes_kind_check check (kind in
    ('confirmed', 'renewed', 'unrenewed', 'withdrawn', 'ended', 'invalidated', 'restricted', 'unrestricted'));
alter table registry.grant_changes add constraint grant_changes_by_check
    check ((kind in ('renewed', 'unrenewed')) = (by_grant_id is not null));

-- What was passed on unlawfully may not be used at all (§ 78 Abs. 1 SGB X): the sender forbids it at once.
alter table registry.changes add column use_ban boolean not null default false;

-- Without a language all of the text is void. Who recorded consents on it is told by `changes`.
create table registry.text_invalidations (
    network_id integer not null,
    invalidation_id uuid not null,
    text_id uuid not null,
    language text collate "C",
    reason text not null,
    recorded_at timestamptz not null,
    constraint text_invalidations_pkey primary key (network_id, invalidation_id),
    constraint text_invalidations_text_fkey foreign key (network_id, text_id) references registry.texts,
    constraint text_invalidations_reason_check check (reason in ('form', 'capacity', 'pressure', 'vague_text'))
);

-- A translation that is no longer good for new consents; those given in it stand.
create table registry.stale_translations (
    network_id integer not null,
    staling_id uuid not null,
    text_id uuid not null,
    language text collate "C" not null,
    reason text,
    recorded_at timestamptz not null,
    constraint stale_translations_pkey primary key (network_id, text_id, language),
    constraint stale_translations_language_fkey foreign key (network_id, text_id, language)
        references registry.text_languages,
    constraint stale_translations_reason_check check (reason in ('mistranslated', 'incomplete', 'outdated'))
);

-- Evidence that came after the record; `kept_at` is sealed. A consent has evidence once, here or in its own row.
create table registry.consent_evidence (
    network_id integer not null,
    consent_id uuid not null,
    evidence_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    sha256 bytea not null,
    media_type text not null,
    kept_at bytea not null,
    recorded_at timestamptz not null,
    constraint consent_evidence_pkey primary key (network_id, consent_id),
    constraint consent_evidence_consent_fkey foreign key (network_id, consent_id) references registry.consents,
    constraint consent_evidence_sha256_check check (octet_length(sha256) = 32)
);

do $$
declare
    tenant_table text;
    partner_rule text;
begin
    for tenant_table, partner_rule in values
        ('text_invalidations', null), ('stale_translations', null),
        ('consent_evidence', 'partner_ids && (select registry.current_partners())')
    loop
        execute format('alter table registry.%I enable row level security', tenant_table);
        execute format('alter table registry.%I force row level security', tenant_table);
        execute format(
            'create policy %I on registry.%I for select using (network_id = (select registry.current_network())%s)',
            tenant_table || '_read', tenant_table, coalesce(' and ' || partner_rule, ''));
        execute format(
            'create policy %I on registry.%I for insert with check (network_id = (select registry.current_network()))',
            tenant_table || '_write', tenant_table);
        execute format('grant select, insert on registry.%I to {app}', tenant_table);
        execute format('create trigger %I before update or delete on registry.%I for each row execute function registry.refuse_change()',
            tenant_table || '_append_only', tenant_table);
        execute format('create trigger %I before truncate on registry.%I for each statement execute function registry.refuse_change()',
            tenant_table || '_no_truncate', tenant_table);
    end loop;
    perform registry.make_removable('consent_evidence');
end
$$;
