-- Why: clients, by the references that partners have for them, and which of these mean one person.
-- Survives the previous release: there is none.

create table clients (
    network_id integer not null references networks,
    client_id uuid not null,
    recorded_at timestamptz not null,
    constraint clients_pkey primary key (network_id, client_id)
);
call make_tenant_table('clients', p_audited => true);
select make_removable('clients');

-- A reference is kept twice: as a keyed digest to find it, and sealed to show it to its own partner. Both may move to a new
-- key: that is the migrator's, an operator's act.
create table client_references (
    network_id integer not null,
    partner_id integer not null,
    digest bytea not null,
    digest_key text collate "C" not null,
    client_id uuid not null,
    sealed bytea not null,
    recorded_at timestamptz not null,
    constraint client_references_pkey primary key (network_id, partner_id, digest),
    constraint client_references_partner_fkey foreign key (network_id, partner_id) references partners,
    constraint client_references_client_fkey foreign key (network_id, client_id) references clients
);
create index client_references_client_idx on client_references (network_id, client_id);
call make_tenant_table('client_references', 'partner_id = any ((select registry.current_partners())::integer[])',
    p_audited => true, p_encrypted => 'sealed');
select make_removable('client_references');

-- Every reference keeps for ever the client number it was registered with, and what was recorded under it stays under
-- that number. Which numbers mean one client is said here, by rows that are only added: of a client the one with the
-- highest position counts, none means a client of its own. A link gives every member a row of a new group, so a group
-- only ever loses members: whoever has locked those of a group has locked all that it will ever have.
--
-- Which numbers mean one client is the business of every decision, and which permits rested on a link that of every
-- partner that had one: of the network, like the numbers themselves. So it is for the three tables that follow.
create table client_memberships (
    network_id integer not null,
    client_id uuid not null,
    position integer not null,
    group_id uuid not null,
    recorded_at timestamptz not null,
    constraint client_memberships_pkey primary key (network_id, client_id, position),
    constraint client_memberships_client_fkey foreign key (network_id, client_id) references clients,
    constraint client_memberships_position_check check (position >= 1)
);
create index client_memberships_group_idx on client_memberships (network_id, group_id);
call make_tenant_table('client_memberships', p_audited => true, p_append_only => true);
select make_removable('client_memberships');

-- Each client's row that counts, under the policies of whoever asks.
create view current_memberships with (security_invoker = true) as
    select m.network_id, m.client_id, m.position, m.group_id
    from client_memberships m
    where not exists (
        select from client_memberships later
        where later.network_id = m.network_id and later.client_id = m.client_id and later.position > m.position);
grant select on current_memberships to {app};

-- The code a client carries from one partner to another; kept as a keyed digest only. With for_partner_id only that
-- partner can redeem it. client_id is the home of the reference it was issued for.
create table link_codes (
    network_id integer not null,
    digest bytea not null,
    digest_key text collate "C" not null,
    link_code_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    for_partner_id integer,
    expires_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint link_codes_pkey primary key (network_id, digest),
    constraint link_codes_id_key unique (network_id, link_code_id),
    constraint link_codes_client_fkey foreign key (network_id, client_id) references clients,
    constraint link_codes_partner_fkey foreign key (network_id, partner_id) references partners,
    constraint link_codes_for_partner_fkey foreign key (network_id, for_partner_id) references partners,
    constraint link_codes_expiry_check check (expires_at > recorded_at and expires_at <= recorded_at + interval '168 hours')
);
create index link_codes_client_idx on link_codes (network_id, client_id);
call make_tenant_table('link_codes', p_audited => true, p_append_only => true);
select make_removable('link_codes');

-- A redeemed code; link_id is the group that came of it, client_id the home of the redeemer's reference. No foreign key
-- to the code: it is the other side's, which may have unlinked and been erased since.
create table links (
    network_id integer not null,
    link_id uuid not null,
    link_code_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    recorded_at timestamptz not null,
    constraint links_pkey primary key (network_id, link_id),
    constraint links_link_code_key unique (network_id, link_code_id),
    constraint links_client_fkey foreign key (network_id, client_id) references clients,
    constraint links_partner_fkey foreign key (network_id, partner_id) references partners
);
create index links_client_idx on links (network_id, client_id);
call make_tenant_table('links', p_audited => true, p_append_only => true);
select make_removable('links');

-- A reference that is a client of its own again; unlinking_id is its group from then on, left_group_id the one it was in.
-- What was permitted between linked_at and recorded_at on consents of the other side is to be looked at.
create table unlinkings (
    network_id integer not null,
    unlinking_id uuid not null,
    client_id uuid not null,
    partner_id integer not null,
    left_group_id uuid,
    linked_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint unlinkings_pkey primary key (network_id, unlinking_id),
    constraint unlinkings_client_fkey foreign key (network_id, client_id) references clients,
    constraint unlinkings_partner_fkey foreign key (network_id, partner_id) references partners
);
create index unlinkings_client_idx on unlinkings (network_id, client_id);
call make_tenant_table('unlinkings', p_audited => true, p_append_only => true);
select make_removable('unlinkings');

-- Failed attempts at codes, for the throttle: who and when, nothing of what was tried. Guessing at one kind of code is not
-- held against the other.
create table code_failures (
    network_id integer not null,
    partner_id integer not null,
    failure_id uuid not null,
    recorded_at timestamptz not null,
    kind text not null default 'receipt_code',
    constraint code_failures_pkey primary key (network_id, partner_id, failure_id),
    constraint code_failures_kind_check check (kind in ('receipt_code', 'link_code'))
);
call make_tenant_table('code_failures', 'partner_id = any ((select registry.current_partners())::integer[])');
