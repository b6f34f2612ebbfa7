-- Why: a network's policies (quotas, what its rules leave to it) change while it runs; each version is a row and an event.
-- Survives the previous release: no, which reads them from registry.networks.

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

alter table policies enable row level security;
alter table policies force row level security;
create policy policies_read on policies for select
    using (network_id = (select registry.current_network()));
create policy policies_write on policies for insert
    with check (network_id = (select registry.current_network()));
grant select, insert on policies to {app};
grant select on policies to {auditor};
create trigger policies_append_only before update or delete on policies
    for each row execute function registry.refuse_change();
create trigger policies_no_truncate before truncate on policies
    for each statement execute function registry.refuse_change();
