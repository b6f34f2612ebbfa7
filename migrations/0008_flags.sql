-- Why: what the catalogue says about its entries (flags), approvals of data-protection officers with their revocations,
-- and what rules need to know of a recorded grant: when it was given, and whose data it is about beside the client's.
-- Survives the previous release: yes. What is added is nullable or has a default, and the previous release knows no
-- flow that an approval opens.

alter table registry.data_categories add column flags jsonb not null default '{}';
alter table registry.purposes add column flags jsonb not null default '{}';

-- A partner or a purpose is approved; limits that are null leave that open. Approved by: a staff reference.
create table registry.approvals (
    network_id integer not null references registry.networks,
    approval_id uuid not null,
    partner_id integer,
    subject_purpose_id smallint,
    sender_id integer,
    recipient_id integer,
    purpose_id smallint,
    approved_by text not null,
    norm text,
    valid_until timestamptz,
    recorded_at timestamptz not null,
    constraint approvals_pkey primary key (network_id, approval_id),
    constraint approvals_partner_fkey foreign key (network_id, partner_id) references registry.partners,
    constraint approvals_subject_purpose_fkey foreign key (network_id, subject_purpose_id) references registry.purposes,
    constraint approvals_sender_fkey foreign key (network_id, sender_id) references registry.partners,
    constraint approvals_recipient_fkey foreign key (network_id, recipient_id) references registry.partners,
    constraint approvals_purpose_fkey foreign key (network_id, purpose_id) references registry.purposes,
    constraint approvals_subject_check check (num_nonnulls(partner_id, subject_purpose_id) = 1)
);

create table registry.approval_revocations (
    network_id integer not null,
    revocation_id uuid not null,
    approval_id uuid not null,
    revoked_by text not null,
    recorded_at timestamptz not null,
    constraint approval_revocations_pkey primary key (network_id, revocation_id),
    constraint approval_revocations_approval_key unique (network_id, approval_id),
    constraint approval_revocations_approval_fkey foreign key (network_id, approval_id) references registry.approvals
);

-- given_at: when the client agreed, as in the consent; null in what was recorded before, which no approval opens.
-- third_parties: whether data about others are in it and they agreed too, as the recorder says; null where the
-- categories are about nobody else. third_party_grants: the others' own grants it leans on.
alter table registry.grants
    add column given_at timestamptz,
    add column third_parties text,
    add column third_party_grants uuid[],
    add constraint grants_third_parties_check
        check (third_parties in ('unstated', 'none', 'consented', 'not_consented')),
    add constraint grants_third_party_grants_check
        check ((third_parties is not distinct from 'consented') = (third_party_grants is not null));

-- guardian_id: the partner that is the client's guardian. remarks: what is to be seen by whoever checks the record.
alter table registry.consents
    add column guardian_id integer,
    add column remarks text[] not null default '{}',
    add constraint consents_guardian_fkey foreign key (network_id, guardian_id) references registry.partners;

do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array['approvals', 'approval_revocations'] loop
        execute format('alter table registry.%I enable row level security', tenant_table);
        execute format('alter table registry.%I force row level security', tenant_table);
        execute format(
            'create policy %I on registry.%I for select using (network_id = (select registry.current_network()))',
            tenant_table || '_read', tenant_table);
        execute format(
            'create policy %I on registry.%I for insert with check (network_id = (select registry.current_network()))',
            tenant_table || '_write', tenant_table);
        execute format('grant select, insert on registry.%I to {app}', tenant_table);
        execute format('create trigger %I before update or delete on registry.%I for each row execute function registry.refuse_change()',
            tenant_table || '_append_only', tenant_table);
        execute format('create trigger %I before truncate on registry.%I for each statement execute function registry.refuse_change()',
            tenant_table || '_no_truncate', tenant_table);
    end loop;
end
$$;
