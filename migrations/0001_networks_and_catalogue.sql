-- Why: who the networks are, and each one's catalogue: partners, what may flow between them and what opens that.
-- Survives the previous release: there is none. No installation existed before these files: what had been written until then
-- was put together by topic. From here on they go forward only, and none is edited again once a release has it.
--
-- Conventions. Every tenant table's key begins with network_id and every statement names it, so that a network can live
-- on a node of its own; registry.make_tenant_table puts it under row-level security. {app}, {owner} and the like are replaced
-- by the role names of this installation. Functions are not here but in functions/, where they are replaced whole; those
-- that tables need are in functions/for_tables/ and are applied before these files. schema.sql shows what comes of it all.

grant usage on schema registry to {app}, {sealer}, {eraser}, {auditor};

create table networks (
    network_id integer not null,
    slug text collate "C" not null,
    name text not null,
    about text not null,
    log_origin text collate "C" not null,
    demonstration boolean not null,
    created_at timestamptz not null,
    constraint networks_pkey primary key (network_id),
    constraint networks_slug_key unique (slug),
    constraint networks_log_origin_key unique (log_origin),
    -- Advisory locks carry the network in 20 bits beside their class.
    constraint networks_network_id_check check (network_id between 1 and 1048575)
);
grant select, insert on networks to {app};
grant select on networks to {sealer}, {auditor};

-- A network's policies (quotas, what its rules leave to it) change while it runs; each version is a row and an event.
create table policies (
    network_id integer not null references networks,
    version integer not null,
    policies jsonb not null,
    -- Who set them, by a staff reference; the first version comes with the network.
    set_by text collate "C",
    recorded_at timestamptz not null,
    constraint policies_pkey primary key (network_id, version),
    constraint policies_version_check check (version >= 1),
    constraint policies_set_by_check check ((set_by is null) = (version = 1))
);
call make_tenant_table('policies', p_audited => true, p_append_only => true);

-- Each change of the catalogue adds a row, under the catalogue lock. A process keeps its picture of the catalogue and
-- compares this number under the same lock before it relies on it.
create table catalogue_versions (
    network_id integer not null references networks,
    version integer not null,
    recorded_at timestamptz not null,
    constraint catalogue_versions_pkey primary key (network_id, version)
);
call make_tenant_table('catalogue_versions');

create table partners (
    network_id integer not null references networks,
    partner_id integer not null,
    slug text collate "C" not null,
    name text not null,
    organisation text,
    kind text not null,
    regime text,
    -- A partner is bound to secrecy while one of its functions has a norm (§ 203 Abs. 1 StGB).
    functions jsonb not null,
    selectable boolean not null,
    isolated boolean not null,
    coordinating_post boolean not null,
    recorded_at timestamptz not null,
    constraint partners_pkey primary key (network_id, partner_id),
    constraint partners_slug_key unique (network_id, slug),
    constraint partners_regime_check check (regime in ('sgb_x', 'gdpr_bdsg', 'dsg_nrw', 'kdg', 'dsg_ekd')),
    constraint partners_selectable_check check (not selectable or (organisation is not null and regime is not null))
);
call make_tenant_table('partners', p_audited => true);

create table suspensions (
    network_id integer not null,
    suspension_id uuid not null,
    partner_id integer not null,
    recorded_at timestamptz not null,
    reason text not null default 'security',
    constraint suspensions_pkey primary key (network_id, suspension_id),
    constraint suspensions_partner_fkey foreign key (network_id, partner_id) references partners,
    constraint suspensions_reason_check check (reason in ('security', 'agreement', 'other'))
);
call make_tenant_table('suspensions', p_audited => true);

create table reinstatements (
    network_id integer not null,
    reinstatement_id uuid not null,
    suspension_id uuid not null,
    recorded_at timestamptz not null,
    constraint reinstatements_pkey primary key (network_id, reinstatement_id),
    constraint reinstatements_suspension_key unique (network_id, suspension_id),
    constraint reinstatements_suspension_fkey foreign key (network_id, suspension_id) references suspensions
);
call make_tenant_table('reinstatements', p_audited => true);

-- flags: what the catalogue says about an entry beside its name.
create table data_categories (
    network_id integer not null references networks,
    category_id smallint not null,
    slug text collate "C" not null,
    name_de text not null,
    name_en text not null,
    special boolean not null,
    secrecy boolean not null,
    flags jsonb not null default '{}',
    constraint data_categories_pkey primary key (network_id, category_id),
    constraint data_categories_slug_key unique (network_id, slug)
);
call make_tenant_table('data_categories', p_audited => true);

create table purposes (
    network_id integer not null references networks,
    purpose_id smallint not null,
    slug text collate "C" not null,
    name_de text not null,
    name_en text not null,
    category_ids smallint[] not null,
    flags jsonb not null default '{}',
    constraint purposes_pkey primary key (network_id, purpose_id),
    constraint purposes_slug_key unique (network_id, slug)
);
call make_tenant_table('purposes', p_audited => true);

create table agreements (
    network_id integer not null references networks,
    agreement_id uuid not null,
    version text not null,
    valid_from timestamptz,
    valid_until timestamptz,
    recorded_at timestamptz not null,
    constraint agreements_pkey primary key (network_id, agreement_id),
    constraint agreements_version_key unique (network_id, version),
    constraint agreements_validity_check check (valid_from < valid_until)
);
call make_tenant_table('agreements', p_audited => true);

create table agreement_endings (
    network_id integer not null,
    agreement_id uuid not null,
    recorded_at timestamptz not null,
    constraint agreement_endings_pkey primary key (network_id, agreement_id),
    constraint agreement_endings_agreement_fkey foreign key (network_id, agreement_id) references agreements
);
call make_tenant_table('agreement_endings', p_audited => true);

create table flows (
    network_id integer not null,
    agreement_id uuid not null,
    flow_number integer not null,
    sender_id integer not null,
    recipient_id integer not null,
    purpose_id smallint not null,
    category_ids smallint[] not null,
    basis text not null,
    norm text,
    entrusted boolean not null default false,
    constraint flows_pkey primary key (network_id, agreement_id, flow_number),
    constraint flows_agreement_fkey foreign key (network_id, agreement_id) references agreements,
    constraint flows_sender_fkey foreign key (network_id, sender_id) references partners,
    constraint flows_recipient_fkey foreign key (network_id, recipient_id) references partners,
    constraint flows_purpose_fkey foreign key (network_id, purpose_id) references purposes,
    constraint flows_direction_check check (sender_id <> recipient_id),
    constraint flows_basis_check check (basis = 'consent' and norm is null or basis = 'statute' and norm is not null)
);
call make_tenant_table('flows', p_audited => true);

-- Approvals of data-protection officers: a partner or a purpose is approved; limits that are null leave that open.
-- Approved by: a staff reference.
create table approvals (
    network_id integer not null references networks,
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
    constraint approvals_partner_fkey foreign key (network_id, partner_id) references partners,
    constraint approvals_subject_purpose_fkey foreign key (network_id, subject_purpose_id) references purposes,
    constraint approvals_sender_fkey foreign key (network_id, sender_id) references partners,
    constraint approvals_recipient_fkey foreign key (network_id, recipient_id) references partners,
    constraint approvals_purpose_fkey foreign key (network_id, purpose_id) references purposes,
    constraint approvals_subject_check check (num_nonnulls(partner_id, subject_purpose_id) = 1)
);
call make_tenant_table('approvals', p_audited => true, p_append_only => true);

create table approval_revocations (
    network_id integer not null,
    revocation_id uuid not null,
    approval_id uuid not null,
    revoked_by text not null,
    recorded_at timestamptz not null,
    constraint approval_revocations_pkey primary key (network_id, revocation_id),
    constraint approval_revocations_approval_key unique (network_id, approval_id),
    constraint approval_revocations_approval_fkey foreign key (network_id, approval_id) references approvals
);
call make_tenant_table('approval_revocations', p_audited => true, p_append_only => true);
