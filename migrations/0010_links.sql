-- Why: two partners' references may mean one client. A client carries a one-time code from one partner to another; a
-- partner may take its reference out again; and a receipt code can be issued anew.
-- Survives the previous release: yes, as long as nobody has linked anything. That release knows no groups, so its
-- withdrawal by client would stop at one partner's reference: let no process of it serve once this one does.

-- Every reference keeps for ever the client number it was registered with, and what was recorded under it stays under
-- that number. Which numbers mean one client is said here, by rows that are only added: of a client the one with the
-- highest position counts, none means a client of its own. A link gives every member a row of a new group, so a group
-- only ever loses members: whoever has locked those of a group has locked all that it will ever have.
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

-- A reference that is a client of its own again; unlinking_id is its group from then on, left_group_id the one it was in. What was permitted between
-- linked_at and recorded_at on consents of the other side is to be looked at.
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

-- Of a consent's receipt codes the one issued last works.
alter table receipt_codes add column issue integer not null default 1;
alter table receipt_codes add constraint receipt_codes_issue_key unique (network_id, consent_id, issue);

-- Guessing at one kind of code is not held against the other.
alter table code_failures add column kind text not null default 'receipt_code';
alter table code_failures add constraint code_failures_kind_check check (kind in ('receipt_code', 'link_code'));

do $$
declare
    tenant_table text;
begin
    -- Which numbers mean one client is the business of every decision, and which permits rested on a link that of every
    -- partner that had one: of the network, like the numbers themselves.
    foreach tenant_table in array array['client_memberships', 'link_codes', 'links', 'unlinkings'] loop
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
        perform registry.make_removable(tenant_table);
    end loop;
end
$$;

-- How many references each partner has for these clients: of too many no client is made. Partners see their own alone.
create function registry.count_references(p_network integer, p_clients uuid[])
    returns table (partner_id integer, number integer) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
    select r.partner_id, count(*)::integer from registry.client_references r
    where r.network_id = p_network and r.client_id = any (p_clients) group by r.partner_id
$$;
revoke execute on function registry.count_references(integer, uuid[]) from public;
grant execute on function registry.count_references(integer, uuid[]) to {app};

-- Who is erased is everybody who means the same person when it happens.
create or replace function registry.clients_of_person(p_network integer, p_client uuid) returns uuid[]
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select array_agg(c.client_id order by c.client_id) from registry.clients c
    where c.network_id = p_network and c.client_id in (
        select p_client
        union
        select m.client_id from registry.current_memberships o
        join registry.current_memberships m on m.network_id = p_network and m.group_id = o.group_id
        where o.network_id = p_network and o.client_id = p_client)
$$;
