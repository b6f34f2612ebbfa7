-- Why: who may call, and which keys each network's log has named.
-- Survives the previous release: there is none.

-- Secrets are machine-made (256 bits) and kept as a keyed hash only. partner_id is null for the network's administration.
create table credentials (
    network_id integer not null references networks,
    client_id text collate "C" not null,
    partner_id integer,
    scopes text[] not null,
    secret_key text collate "C" not null,
    secret_mac bytea not null,
    recorded_at timestamptz not null,
    constraint credentials_pkey primary key (network_id, client_id),
    constraint credentials_partner_fkey foreign key (network_id, partner_id) references partners
);
-- The auditor is told whose they are by registry.credential_holders, which tells no secret.
call make_tenant_table('credentials');

create table credential_revocations (
    network_id integer not null,
    client_id text collate "C" not null,
    recorded_at timestamptz not null,
    constraint credential_revocations_pkey primary key (network_id, client_id),
    constraint credential_revocations_credential_fkey foreign key (network_id, client_id) references credentials
);
call make_tenant_table('credential_revocations', p_audited => true);

-- Each network's log names every new key once, whichever process notices it first.
create table key_rotations (
    network_id integer not null references networks,
    key_file text collate "C" not null,
    key_id text collate "C" not null,
    recorded_at timestamptz not null,
    constraint key_rotations_pkey primary key (network_id, key_file, key_id),
    constraint key_rotations_file_check check (key_file in ('digest', 'sealing', 'token', 'log'))
);
call make_tenant_table('key_rotations', p_append_only => true);
