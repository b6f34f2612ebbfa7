-- Why: who may touch what. Row-level security on every tenant table, privileges of the application role, the append
-- function, event partitions, and triggers against accidents.
-- Survives the previous release: there is none.

create function registry.current_network() returns integer language sql stable parallel safe
    as $$ select nullif(current_setting('registry.network', true), '')::integer $$;
create function registry.current_partners() returns integer[] language sql stable parallel safe
    as $$ select nullif(current_setting('registry.partners', true), '')::integer[] $$;

-- The policies' sub-selects are evaluated once a statement, not once a row.
do $$
declare
    tenant_table text;
    partner_rule text;
begin
    for tenant_table, partner_rule in values
        ('catalogue_versions', null), ('partners', null), ('suspensions', null), ('reinstatements', null),
        ('data_categories', null), ('purposes', null), ('agreements', null), ('agreement_endings', null),
        ('flows', null), ('texts', null), ('text_languages', null), ('credentials', null),
        ('credential_revocations', null), ('clients', null), ('receipt_codes', null), ('leaves', null),
        ('client_references', 'partner_id = any ((select registry.current_partners())::integer[])'),
        ('consents', 'partner_ids && (select registry.current_partners())'),
        -- Who may not be told of a grant cannot read it: of a refusal its recorder alone, of a request also the sender
        -- who is to confirm it. A request's recipient is its recorder, so a confirmation adds no reader. The same as
        -- readers_of in domain/grants.py, by which partner_ids of the other tables are written.
        ('grants', '(recorder_id = any ((select registry.current_partners())::integer[])'
            || ' or answer <> ''refused'' and sender_id = any ((select registry.current_partners())::integer[])'
            || ' or answer = ''given'' and recipient_id = any ((select registry.current_partners())::integer[]))'),
        ('grant_changes', 'partner_ids && (select registry.current_partners())'),
        ('releases', 'partner_ids && (select registry.current_partners())'),
        ('release_changes', 'partner_ids && (select registry.current_partners())'),
        ('code_failures', 'partner_id = any ((select registry.current_partners())::integer[])'),
        ('withdrawals', 'act_id = withdrawal_id and partner_id = any ((select registry.current_partners())::integer[])'),
        -- An entry without an actor belongs to somebody's act, and is about a client number this somebody may not know.
        ('changes', 'partner_id = any ((select registry.current_partners())::integer[])'),
        ('transfers', 'partner_id = any ((select registry.current_partners())::integer[])'),
        ('idempotency_keys', 'partner_id = any ((select registry.current_partners())::integer[])'),
        ('events', 'actor_id = any ((select registry.current_partners())::integer[])')
    loop
        execute format('alter table registry.%I enable row level security', tenant_table);
        execute format('alter table registry.%I force row level security', tenant_table);
        execute format(
            'create policy %I on registry.%I for select using (network_id = (select registry.current_network())%s)',
            tenant_table || '_read', tenant_table, coalesce(' and ' || partner_rule, ''));
        -- A change concerns partners other than the one who records it, so writing asks for the network alone.
        execute format(
            'create policy %I on registry.%I for insert with check (network_id = (select registry.current_network()))',
            tenant_table || '_write', tenant_table);
        execute format('grant select, insert on registry.%I to {app}', tenant_table);
    end loop;
end
$$;

grant select, insert on registry.networks to {app};
grant usage on schema registry to {app};

-- A courtesy against accidents, not evidence: what proves that nothing was altered is the log.
create function registry.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'registry.% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;
do $$
declare
    append_only text;
begin
    foreach append_only in array array['consents', 'grants', 'grant_changes', 'releases', 'release_changes',
        'withdrawals', 'transfers', 'leaves', 'texts', 'text_languages'] loop
        execute format('create trigger %I before update or delete on registry.%I for each row execute function registry.refuse_change()',
            append_only || '_append_only', append_only);
        execute format('create trigger %I before truncate on registry.%I for each statement execute function registry.refuse_change()',
            append_only || '_no_truncate', append_only);
    end loop;
end
$$;

-- Makes the partitions of `events` for this month and p_months more, and the one that takes what no other takes.
-- Partitions carry no grants: rows are reached through their parent, or not at all.
create function registry.make_event_partitions(p_months integer) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    first_day pg_catalog.date := date_trunc('month', statement_timestamp() at time zone 'UTC');
    partition_name pg_catalog.text;
    made integer := 0;
begin
    -- One at a time: two processes may find the same month missing.
    perform pg_advisory_xact_lock(5 << 20, 0);
    for ahead in -1 .. p_months loop
        partition_name := 'events_' || to_char(first_day + make_interval(months => ahead), 'YYYYMM');
        if to_regclass('registry.' || partition_name) is null then
            execute format('create table registry.%I partition of registry.events for values from (%L) to (%L)', partition_name,
                to_char(first_day + make_interval(months => ahead), 'YYYY-MM-DD') || ' 00:00:00+00',
                to_char(first_day + make_interval(months => ahead + 1), 'YYYY-MM-DD') || ' 00:00:00+00');
            execute format('alter table registry.%I enable row level security', partition_name);
            execute format('alter table registry.%I force row level security', partition_name);
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;
revoke execute on function registry.make_event_partitions(integer) from public;
grant execute on function registry.make_event_partitions(integer) to {app};
create table registry.events_default partition of registry.events default;
alter table registry.events_default enable row level security;
alter table registry.events_default force row level security;
select registry.make_event_partitions(13);

-- The one way into the log, called last in a transaction. The log lock (class 4) is taken before the size is read, and
-- the size is read in a statement of its own: in READ COMMITTED it then sees every commit of the previous holder, so
-- indices have no gap and no double. Returns the index of the first event.
create function registry.append(
    p_network integer, p_at timestamptz, p_ids uuid[], p_clients uuid[], p_actors integer[], p_senders integer[],
    p_recipients integer[], p_purposes smallint[], p_kinds smallint[], p_outcomes smallint[], p_events bytea[],
    p_nonces bytea[], p_leaves bytea[]
) returns bigint language plpgsql volatile as $$
declare
    size bigint;
begin
    perform pg_advisory_xact_lock((4 << 20) | p_network, 0);
    select coalesce(max(log_index) + 1, 0) into size from registry.leaves where network_id = p_network;
    insert into registry.events (network_id, log_index, at, event_id, client_id, actor_id, sender_id, recipient_id, purpose_id,
        kind, outcome, event, nonce)
    select p_network, size + ord - 1, p_at, id, client, actor, sender, recipient, purpose, kind, outcome, event, nonce
    from unnest(p_ids, p_clients, p_actors, p_senders, p_recipients, p_purposes, p_kinds, p_outcomes, p_events, p_nonces)
        with ordinality as item (id, client, actor, sender, recipient, purpose, kind, outcome, event, nonce, ord);
    insert into registry.leaves (network_id, log_index, leaf)
    select p_network, size + ord - 1, leaf from unnest(p_leaves) with ordinality as item (leaf, ord);
    return size;
end
$$;
revoke execute on function registry.append(integer, timestamptz, uuid[], uuid[], integer[], integer[], integer[], smallint[],
    smallint[], smallint[], bytea[], bytea[], bytea[]) from public;
grant execute on function registry.append(integer, timestamptz, uuid[], uuid[], integer[], integer[], integer[], smallint[],
    smallint[], smallint[], bytea[], bytea[], bytea[]) to {app};

-- Stored answers are kept for at least a day (api.md promises 24 h) and then forgotten.
create policy idempotency_keys_forget on registry.idempotency_keys for delete to {owner}
    using (network_id = (select registry.current_network()));
create policy idempotency_keys_forget_read on registry.idempotency_keys for select to {owner}
    using (network_id = (select registry.current_network()));
create function registry.forget_idempotency_keys(p_network integer) returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    with gone as (
        delete from registry.idempotency_keys
        where network_id = p_network and recorded_at < statement_timestamp() - interval '48 hours' returning 1
    ) select count(*) from gone
$$;
revoke execute on function registry.forget_idempotency_keys(integer) from public;
grant execute on function registry.forget_idempotency_keys(integer) to {app};

-- Where events stand in the log. Index and leaf say nothing about a person, but the row that knows both is its actor's.
create policy events_places on registry.events for select to {owner}
    using (network_id = (select registry.current_network()));
create function registry.event_places(p_network integer, p_events uuid[]) returns table (event_id uuid, log_index bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.event_id, e.log_index from registry.events e where e.network_id = p_network and e.event_id = any (p_events)
$$;
revoke execute on function registry.event_places(integer, uuid[]) from public;
grant execute on function registry.event_places(integer, uuid[]) to {app};
