-- Why: what was removed from the log and on which ground (Art. 17, Art. 5 Abs. 1 lit. e DSGVO), what stands against it, and
-- how long each network keeps what.
-- Survives the previous release: there is none.

-- Why something must not be removed yet: a claim, a duty to keep (Art. 17 Abs. 3 lit. b, e DSGVO). Codes, no free text.
-- Holds are the administration's (partner 0): no partner learns that there is one.
create table holds (
    network_id integer not null,
    hold_id uuid not null,
    client_id uuid not null,
    norm text not null,
    placed_by text collate "C" not null,
    recorded_at timestamptz not null,
    constraint holds_pkey primary key (network_id, hold_id),
    constraint holds_client_fkey foreign key (network_id, client_id) references clients
);
create index holds_client_idx on holds (network_id, client_id);
call make_tenant_table('holds', '0 = any ((select registry.current_partners())::integer[])',
    p_audited => true, p_append_only => true);
select make_removable('holds');

create table hold_liftings (
    network_id integer not null,
    hold_id uuid not null,
    client_id uuid not null,
    lifted_by text collate "C" not null,
    recorded_at timestamptz not null,
    constraint hold_liftings_pkey primary key (network_id, hold_id),
    constraint hold_liftings_hold_fkey foreign key (network_id, hold_id) references holds
);
call make_tenant_table('hold_liftings', '0 = any ((select registry.current_partners())::integer[])',
    p_audited => true, p_append_only => true);
select make_removable('hold_liftings');

-- What was erased, without a word about whom. The erasure ledger outside the database has the same ids.
create table erasures (
    network_id integer not null references networks,
    erasure_id uuid not null,
    ground text collate "C" not null,
    events bigint not null,
    recorded_at timestamptz not null,
    constraint erasures_pkey primary key (network_id, erasure_id)
);
call make_tenant_table('erasures', p_app => 'select', p_audited => true, p_append_only => true);

-- How long, in whole calendar years after the one in which it ended; the latest row counts.
create table retention_periods (
    network_id integer not null references networks,
    period_id uuid not null,
    use_years smallint not null,
    consent_years smallint not null,
    recorded_at timestamptz not null,
    constraint retention_periods_pkey primary key (network_id, period_id),
    constraint retention_periods_years_check check (use_years between 1 and 30 and consent_years between 1 and 30)
);
call make_tenant_table('retention_periods', p_audited => true, p_append_only => true);

create table retentions (
    network_id integer not null references networks,
    retention_id uuid not null,
    events bigint not null,
    recorded_at timestamptz not null,
    constraint retentions_pkey primary key (network_id, retention_id)
);
call make_tenant_table('retentions', p_app => 'select', p_audited => true, p_append_only => true);
