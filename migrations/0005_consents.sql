-- Why: what clients agreed to, and what became of it. Status is derived from these rows at a point in time, never stored.
-- Survives the previous release: there is none.

-- renews: which consent this one renews. No foreign key: the earlier one may be erased under its own retention period first.
-- giver_adult_from: the month (YYYY-MM) in which the client comes of age. giver_scope: the purposes of a mandate, by slug.
-- co_giver_roles, co_giver_assessors: who gave the consent too, and who assessed this person's insight, place by place.
-- guardian_id: the partner that is the client's guardian. remarks: what is to be seen by whoever checks the record.
-- given_at_precision: whether the paper says the instant, or the day alone.
create table consents (
    network_id integer not null,
    consent_id uuid not null,
    client_id uuid not null,
    recorder_id integer not null,
    partner_ids integer[] not null,
    text_id uuid not null,
    language text collate "C" not null,
    giver_role text not null,
    giver_age_band text,
    giver_insight_assessed_by text,
    giver_mandate_until timestamptz,
    method text not null,
    special_circumstances text,
    evidence_sha256 bytea,
    evidence_media_type text,
    evidence_kept_at bytea,
    explained_by text not null,
    interpreter_kind text not null,
    interpreter_language text,
    told text[] not null,
    copy_handed boolean,
    client_language text,
    given_at timestamptz not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    recorded_at timestamptz not null,
    renews uuid,
    guardian_id integer,
    remarks text[] not null default '{}',
    giver_adult_from text,
    giver_insight text,
    giver_direct_counselling boolean,
    giver_care text,
    giver_scope text[],
    co_giver_roles text[] not null default '{}',
    co_giver_assessors text[] not null default '{}',
    given_at_precision text not null default 'instant',
    constraint consents_pkey primary key (network_id, consent_id),
    constraint consents_client_fkey foreign key (network_id, client_id) references clients,
    constraint consents_text_fkey foreign key (network_id, text_id, language) references text_languages,
    constraint consents_guardian_fkey foreign key (network_id, guardian_id) references partners,
    constraint consents_precision_check check (given_at_precision in ('instant', 'day'))
);
create index consents_client_idx on consents (network_id, client_id);
create index consents_recorder_idx on consents (network_id, recorder_id, consent_id);
-- "All consents on this text", for the act that voids them while the whole network waits.
create index consents_text_idx on consents (network_id, text_id, language);
call make_tenant_table('consents', 'partner_ids && (select registry.current_partners())',
    p_audited => true, p_append_only => true, p_encrypted => 'evidence_kept_at');
select make_removable('consents');

-- Evidence that came after the record; `kept_at` is sealed. A consent has evidence once, here or in its own row.
create table consent_evidence (
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
    constraint consent_evidence_consent_fkey foreign key (network_id, consent_id) references consents,
    constraint consent_evidence_sha256_check check (octet_length(sha256) = 32)
);
call make_tenant_table('consent_evidence', 'partner_ids && (select registry.current_partners())',
    p_audited => true, p_append_only => true, p_encrypted => 'kept_at');
select make_removable('consent_evidence');

-- given_at: when the client agreed, as in the consent; a grant without it is opened by no approval.
-- third_parties: whether data about others are in it and they agreed too, as the recorder says; null where the
-- categories are about nobody else. third_party_grants: the others' own grants it leans on. evidence_follows: the consent was
-- recorded before its evidence was there; special data wait for the change `evidenced`. entrusted_by: who entrusted the data to
-- the youth office; a flow marked as entrusted is not permitted without it. release_ids: the releases from secrecy that serve
-- it, of its own consent and of those that this one renews.
create table grants (
    network_id integer not null,
    grant_id uuid not null,
    consent_id uuid not null,
    client_id uuid not null,
    recorder_id integer not null,
    sender_id integer not null,
    recipient_id integer not null,
    purpose_id smallint not null,
    category_ids smallint[] not null,
    explicit boolean not null,
    answer text not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    given_at timestamptz,
    third_parties text,
    third_party_grants uuid[],
    evidence_follows boolean not null default false,
    entrusted_by text,
    release_ids uuid[],
    constraint grants_pkey primary key (network_id, grant_id),
    constraint grants_consent_fkey foreign key (network_id, consent_id) references consents,
    constraint grants_sender_fkey foreign key (network_id, sender_id) references partners,
    constraint grants_recipient_fkey foreign key (network_id, recipient_id) references partners,
    constraint grants_purpose_fkey foreign key (network_id, purpose_id) references purposes,
    constraint grants_direction_check check (sender_id <> recipient_id),
    constraint grants_answer_check check (answer in ('given', 'refused', 'requested')),
    constraint grants_validity_check check (valid_from < valid_until),
    constraint grants_third_parties_check check (third_parties in ('unstated', 'none', 'consented', 'not_consented')),
    constraint grants_entrusted_by_check check (entrusted_by in ('self', 'other')),
    constraint grants_third_party_grants_check
        check ((third_parties is not distinct from 'consented') = (third_party_grants is not null))
);
-- The decision's one descent.
create index grants_flow_idx on grants (network_id, client_id, sender_id, recipient_id, purpose_id);
create index grants_consent_idx on grants (network_id, consent_id);
-- A withdrawal also counts for the grants that lean on the withdrawn one. Reconciliation finds a partner's grants that
-- lean on others, which are few, without reading those that do not.
create index grants_leaning_idx on grants (network_id, sender_id) where third_party_grants is not null;
-- Who may not be told of a grant cannot read it: of a refusal its recorder alone, of a request also the sender
-- who is to confirm it. A request's recipient is its recorder, so a confirmation adds no reader. The same as
-- readers_of in domain/grants.py, by which partner_ids of the other tables are written.
call make_tenant_table('grants', '(recorder_id = any ((select registry.current_partners())::integer[])'
    || ' or answer <> ''refused'' and sender_id = any ((select registry.current_partners())::integer[])'
    || ' or answer = ''given'' and recipient_id = any ((select registry.current_partners())::integer[]))',
    p_audited => true, p_append_only => true);
select make_removable('grants');

-- What happened to a grant after it was recorded. by_grant_id: the grant that renewed this one. `unrenewed`: that grant was
-- void from the start, so nothing was renewed.
create table grant_changes (
    network_id integer not null,
    grant_id uuid not null,
    change_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    kind text not null,
    category_ids smallint[],
    valid_until timestamptz,
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    by_grant_id uuid,
    constraint grant_changes_pkey primary key (network_id, grant_id, change_id),
    constraint grant_changes_grant_fkey foreign key (network_id, grant_id) references grants,
    constraint grant_changes_kind_check check (kind in
        ('confirmed', 'evidenced', 'renewed', 'unrenewed', 'withdrawn', 'ended', 'invalidated', 'restricted', 'unrestricted')),
    constraint grant_changes_renewal_check check ((kind = 'renewed') = (valid_until is not null)),
    constraint grant_changes_by_check check ((kind in ('renewed', 'unrenewed')) = (by_grant_id is not null))
);
create index grant_changes_client_idx on grant_changes (network_id, client_id);
-- Each act's changes are looked for by the act, where retention asks what an event tells of.
create index grant_changes_act_idx on grant_changes (network_id, act_id);
-- Reconciliation looks for grants that were withdrawn, or declared void, in a period, and for what had been sent before
-- that: found by their own time, however many changes there are.
create index grant_changes_withdrawn_idx on grant_changes (network_id, recorded_at) where kind = 'withdrawn';
create index grant_changes_invalidated_idx on grant_changes (network_id, recorded_at) where kind = 'invalidated';
call make_tenant_table('grant_changes', 'partner_ids && (select registry.current_partners())',
    p_audited => true, p_append_only => true);
select make_removable('grant_changes');

create table releases (
    network_id integer not null,
    release_id uuid not null,
    consent_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    holder_id integer not null,
    towards_id integer not null,
    function_sealed bytea,
    person text,
    -- Null: those of the grants it serves.
    purpose_ids smallint[],
    category_ids smallint[],
    valid_until timestamptz,
    constraint releases_pkey primary key (network_id, release_id),
    constraint releases_consent_fkey foreign key (network_id, consent_id) references consents,
    constraint releases_holder_fkey foreign key (network_id, holder_id) references partners,
    constraint releases_towards_fkey foreign key (network_id, towards_id) references partners
);
create index releases_consent_idx on releases (network_id, consent_id);
create index releases_client_idx on releases (network_id, client_id);
call make_tenant_table('releases', 'partner_ids && (select registry.current_partners())',
    p_audited => true, p_append_only => true, p_encrypted => 'function_sealed');
select make_removable('releases');

create table release_changes (
    network_id integer not null,
    release_id uuid not null,
    change_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    kind text not null,
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint release_changes_pkey primary key (network_id, release_id, change_id),
    constraint release_changes_release_fkey foreign key (network_id, release_id) references releases,
    constraint release_changes_kind_check check (kind in ('withdrawn', 'ended', 'invalidated'))
);
create index release_changes_client_idx on release_changes (network_id, client_id);
create index release_changes_act_idx on release_changes (network_id, act_id);
create index release_changes_withdrawn_idx on release_changes (network_id, recorded_at) where kind = 'withdrawn';
call make_tenant_table('release_changes', 'partner_ids && (select registry.current_partners())',
    p_audited => true, p_append_only => true);
select make_removable('release_changes');

-- The code a client carries. Seen by every partner of the network, because withdrawing works at any of them. Of a consent's
-- codes the one issued last works.
create table receipt_codes (
    network_id integer not null,
    digest bytea not null,
    digest_key text collate "C" not null,
    consent_id uuid not null,
    client_id uuid not null,
    partner_ids integer[] not null,
    recorded_at timestamptz not null,
    issue integer not null default 1,
    constraint receipt_codes_pkey primary key (network_id, digest),
    constraint receipt_codes_consent_fkey foreign key (network_id, consent_id) references consents,
    constraint receipt_codes_issue_key unique (network_id, consent_id, issue)
);
create index receipt_codes_client_idx on receipt_codes (network_id, client_id);
create index receipt_codes_consent_idx on receipt_codes (network_id, consent_id);
call make_tenant_table('receipt_codes', p_audited => true);
select make_removable('receipt_codes');

-- One row for each client number that means the client, whether something was given under it or not; act_id is the
-- withdrawal_id of the number by which it was made. The partner that took it reads that row alone.
-- covers: what it takes back of papers that it did not name and that were given until it was received: `flows` those in
-- covered_flows ([sender, recipient, purpose, [categories]] each), `partner` every flow in which the partner takes part that
-- took it (all categories, or category_ids), `everything` every flow, `consent` none.
create table withdrawals (
    network_id integer not null,
    withdrawal_id uuid not null,
    act_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    channel text not null,
    declared_at timestamptz not null,
    received_at timestamptz not null,
    recorded_at timestamptz not null,
    covers text not null,
    covered_flows jsonb,
    category_ids smallint[],
    constraint withdrawals_pkey primary key (network_id, withdrawal_id),
    constraint withdrawals_partner_fkey foreign key (network_id, partner_id) references partners,
    constraint withdrawals_channel_check check (channel in ('in_person', 'phone', 'letter', 'email', 'third_person')),
    constraint withdrawals_covers_check check (covers in ('flows', 'partner', 'everything', 'consent')),
    constraint withdrawals_flows_check check ((covers = 'flows') = (covered_flows is not null)),
    constraint withdrawals_categories_check check (category_ids is null or covers = 'partner')
);
create index withdrawals_client_idx on withdrawals (network_id, client_id);
call make_tenant_table('withdrawals',
    'act_id = withdrawal_id and partner_id = any ((select registry.current_partners())::integer[])',
    p_audited => true, p_append_only => true);
select make_removable('withdrawals');
