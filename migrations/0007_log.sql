-- Why: one append-only log per network, which strangers can verify: events, their leaves, tiles of the tree over them and
-- signed checkpoints, written by the sealer, a process with a role of its own that sees leaves and nothing about anybody.
-- Survives the previous release: there is none.

-- Bytes and nonce of an event can be erased; its leaf stays for ever. No foreign key binds the two.
-- actor_id, sender_id, recipient_id, purpose_id, outcome and client_id are copies for searching, in codes for size; person
-- is the member of staff an event names. Columns stand by width, so that no row is padded, and there is no key: a
-- partition's would have to hold `at` too, which would take twice the space. The leaves' key, filled in the same call of
-- registry.append, says that an index is given once.
create table events (
    log_index bigint not null,
    at timestamptz not null,
    event_id uuid not null,
    client_id uuid,
    network_id integer not null,
    actor_id integer,
    sender_id integer,
    recipient_id integer,
    purpose_id smallint,
    kind smallint not null,
    outcome smallint,
    nonce bytea not null,
    event bytea not null,
    person text collate "C",
    constraint events_nonce_check check (octet_length(nonce) = 32)
) partition by range (at);
-- Hashes do not compress.
alter table events alter column nonce set storage external;
create index events_log_idx on events (network_id, log_index);
-- Ids rise with time over all networks: appended at its right end, this index is half as big as one that begins with
-- the network.
create index events_event_idx on events (event_id);
-- With the actor, which makes it no wider: what others did about a client is passed over in the index.
create index events_client_idx on events (network_id, client_id, actor_id) where client_id is not null;
-- Permits whose transfer is not reported yet (outcomes 1 and 2 permit).
create index events_permits_idx on events (network_id, sender_id, event_id)
    where kind = registry.kind('decision') and outcome <= 2;
create index events_at_idx on events using brin (at);
-- Data-protection officers search the log. Two indices that end with the place let a page begin anywhere: one for every
-- kind of event, one for decisions by what was asked and answered. PostgreSQL fills the pages of an index in ascending
-- groups only if its tuples are not wider than two bigints; that of the decisions alone is therefore narrow, and the wider
-- one for other kinds costs a decision nothing.
create index events_decision_idx on events (network_id, actor_id, log_index) where kind = registry.kind('decision');
create index events_kind_idx on events (network_id, actor_id, kind, log_index) where kind <> registry.kind('decision');
create index events_flow_idx on events (network_id, actor_id, recipient_id, purpose_id, outcome, log_index)
    where kind = registry.kind('decision');
create index events_person_idx on events (network_id, actor_id, person, log_index) where person is not null;
-- Questions about references nobody had registered; an erasure looks for its person in them as well.
create index events_nobody_idx on events (network_id, sender_id, log_index)
    where kind = registry.kind('decision') and client_id is null;
-- An entry without an actor belongs to somebody's act, and is about a client number this somebody may not know.
call make_tenant_table('events', 'actor_id = any ((select registry.current_partners())::integer[])', p_audited => true);
select make_removable('events');
-- Where events stand in the log. Index and leaf say nothing about a person, but the row that knows both is its actor's.
create policy events_places on events for select to {owner} using (network_id = (select registry.current_network()));

-- What no month's partition takes.
create table events_default partition of events default;
alter table events_default enable row level security;
alter table events_default force row level security;
select make_event_partitions(13);

create table leaves (
    log_index bigint not null,
    network_id integer not null,
    leaf bytea not null,
    constraint leaves_pkey primary key (network_id, log_index),
    constraint leaves_leaf_check check (octet_length(leaf) = 33)
);
-- Not `plain`, which would give each a header of four bytes instead of one.
alter table leaves alter column leaf set storage external;
call make_tenant_table('leaves', p_audited => true, p_append_only => true);
grant select on leaves to {sealer};

-- C2SP tlog-tiles: 1 to 256 hashes of 32 bytes. Of a tile that still grows the widest stands here; a narrower one is
-- its beginning.
create table tiles (
    network_id integer not null references networks,
    level smallint not null,
    number bigint not null,
    width smallint not null,
    data bytea not null,
    constraint tiles_pkey primary key (network_id, level, number, width),
    constraint tiles_level_check check (level between 0 and 7 and number >= 0),
    constraint tiles_data_check check (width between 1 and 256 and octet_length(data) = 32 * width)
);
-- Hashes do not compress, and a part of the bytes is read without the rest.
alter table tiles alter column data set storage external;

-- What was published. Signed again with the same size and root, it is published again: witnesses say when they saw it.
-- The auditor reads it: a whole log's bundle is made for the size that was signed.
create table checkpoints (
    network_id integer not null references networks,
    size bigint not null,
    published_at timestamptz not null,
    root bytea not null,
    note bytea not null,
    constraint checkpoints_pkey primary key (network_id, size, published_at),
    constraint checkpoints_size_check check (size >= 0),
    constraint checkpoints_root_check check (octet_length(root) = 32)
);

-- The sealer writes both; rows that say nothing new are thinned by functions of the owner's, never changed.
call make_tenant_table('tiles', p_app => 'select');
call make_tenant_table('checkpoints', p_app => 'select', p_audited => true);
do $$
declare
    sealed text;
begin
    foreach sealed in array array['tiles', 'checkpoints'] loop
        execute format('create policy %I on registry.%I for delete to {owner} using (network_id = (select registry.current_network()))',
            sealed || '_thin', sealed);
        execute format('grant select, insert on registry.%I to {sealer}', sealed);
        execute format('create trigger %I before update on registry.%I for each row execute function registry.refuse_change()',
            sealed || '_unchanged', sealed);
        execute format('create trigger %I before truncate on registry.%I for each statement execute function registry.refuse_change()',
            sealed || '_no_truncate', sealed);
    end loop;
end
$$;
