-- Why: whoever withdraws or renews under one number may change what another number agreed to, when both were one client.
-- When the one is erased, what it changed stays with the other, and no event told of it any more: a forged withdrawal
-- or renewal could pass for such a rest. Now a removal tells again, in an event about whom it concerns, what outlives the
-- events it removes; so `audit replay` knows every row. The event goes with the consent whose changes it tells.
-- Survives the previous release: yes. What it calls removes as before, and refuses where something must be told again.

-- Removals ask which changes an act made.
create index grant_changes_act_idx on registry.grant_changes (network_id, act_id);
create index release_changes_act_idx on registry.release_changes (network_id, act_id);

-- As events write instants (domain/instants.py).
create function registry.instant(p_at timestamptz) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
revoke execute on function registry.instant(timestamptz) from public;

-- What these acts changed of consents that are neither these nor of these clients, consent by consent: the members of
-- the event that tells it again.
create function registry.remainders(p_network integer, p_acts uuid[], p_clients uuid[], p_consents uuid[])
    returns table (client_id uuid, members jsonb) language sql stable set search_path = pg_catalog, pg_temp as $$
    select o.client_id, jsonb_build_object('consent', o.consent_id,
        'grants', coalesce(jsonb_agg(o.told order by o.change_id) filter (where o.told ? 'grant'), '[]'),
        'releases', coalesce(jsonb_agg(o.told order by o.change_id) filter (where o.told ? 'release'), '[]'))
    from (
        select g.client_id, g.consent_id, x.change_id, jsonb_build_object('grant', x.grant_id, 'act', x.act_id,
            'change', x.kind, 'categories', case when x.category_ids is not null then (
                select coalesce(jsonb_agg(c.slug order by c.slug), '[]') from registry.data_categories c
                where c.network_id = p_network and c.category_id = any (x.category_ids)) end,
            'valid_until', registry.instant(x.valid_until), 'by', x.by_grant_id,
            'effective_at', registry.instant(x.effective_at), 'recorded_at', registry.instant(x.recorded_at)) as told
        from registry.grant_changes x join registry.grants g on g.network_id = p_network and g.grant_id = x.grant_id
        where x.network_id = p_network and x.act_id = any (p_acts)
        union all
        select r.client_id, r.consent_id, x.change_id, jsonb_build_object('release', x.release_id, 'act', x.act_id,
            'change', x.kind,
            'effective_at', registry.instant(x.effective_at), 'recorded_at', registry.instant(x.recorded_at))
        from registry.release_changes x join registry.releases r on r.network_id = p_network and r.release_id = x.release_id
        where x.network_id = p_network and x.act_id = any (p_acts)
    ) as o
    where o.client_id not in (select unnest(p_clients)) and o.consent_id not in (select unnest(p_consents))
    group by o.client_id, o.consent_id
$$;
revoke execute on function registry.remainders(integer, uuid[], uuid[], uuid[]) from public;

-- The same before an erasure of these clients, for whoever writes the events.
create function registry.survey_remainders(p_network integer, p_clients uuid[])
    returns table (client_id uuid, members jsonb) language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select * from registry.remainders(p_network, array(select e.event_id from registry.events e
        where e.network_id = p_network and e.client_id = any (p_clients) and e.kind <> all (registry.use_kinds())),
        p_clients, '{}') order by members ->> 'consent' collate "C"
$$;
revoke execute on function registry.survey_remainders(integer, uuid[]) from public;
grant execute on function registry.survey_remainders(integer, uuid[]) to {eraser};

-- Appends the event that says what was removed, and behind it those that tell again what outlives it. The first must list
-- exactly the places that were emptied, the others exactly what the removed events' acts (p_acts) changed and is there
-- still: so nobody, not even with the eraser's login, takes an event out of the log without saying so in it.
create function registry.append_removal(
    p_network integer, p_kind smallint, p_indices bigint[], p_acts uuid[], p_at timestamptz, p_ids uuid[], p_clients uuid[],
    p_events bytea[], p_nonces bytea[], p_leaves bytea[]
) returns bigint language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    said jsonb[] := array(select convert_from(event, 'UTF8')::jsonb from unnest(p_events) with ordinality as o (event, number)
        order by number);
    remainders jsonb[] := array(select jsonb_build_object('kind', 'remainder', 'client', r.client_id) || r.members
        from registry.remainders(p_network, p_acts, '{}', '{}') r order by r.members ->> 'consent' collate "C");
    amount integer := cardinality(p_ids) - 1;
begin
    if said[1] -> 'indices' is distinct from registry.spans(p_indices) then
        raise exception 'the event does not list what was removed' using errcode = 'serialization_failure';
    end if;
    if remainders is distinct from array(select event - '{v,id,at,network,actor}'::text[] from unnest(said[2:]) as event)
        or (p_clients[2:])::text[] is distinct from array(select event ->> 'client' from unnest(said[2:]) as event) then
        raise exception 'the events do not tell what is left of what was removed' using errcode = 'serialization_failure';
    end if;
    return registry.append(p_network, p_at, p_ids, array[null::uuid] || p_clients[2:], array_fill(0, array[amount + 1]),
        array_fill(null::integer, array[amount + 1]), array_fill(null::integer, array[amount + 1]),
        array_fill(null::smallint, array[amount + 1]), p_kind || array_fill(36::smallint, array[amount]),
        array_fill(null::smallint, array[amount + 1]), p_events, p_nonces, p_leaves);
end
$$;
revoke execute on function registry.append_removal(integer, smallint, bigint[], uuid[], timestamptz, uuid[], uuid[], bytea[],
    bytea[], bytea[]) from public;
drop function registry.append_removal(integer, smallint, bigint[], timestamptz, uuid, bytea, bytea, bytea);

-- The one way to erase. Removes everything keyed by these clients, and the questions about nobody that the caller
-- recognised as being about them, and appends the events (arrays: the erasure, about nobody, then remainders); returns
-- the erasure's place in the log and the partitions touched.
create function registry.erase_clients(
    p_network integer, p_clients uuid[], p_questions bigint[], p_ground text, p_at timestamptz, p_ids uuid[], p_about uuid[],
    p_events bytea[], p_nonces bytea[], p_leaves bytea[]
) returns table (log_index bigint, partitions text[]) language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp as $$
declare
    gone bigint[];
    acts uuid[];
begin
    execute format('set local registry.network = %L', p_network);
    perform registry.lock_clients(p_network, p_clients || p_about[2:]);
    if exists (select from registry.holds h where h.network_id = p_network and h.client_id = any (p_clients)
        and not exists (select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)) then
        raise exception 'a legal hold stands against this' using errcode = 'restrict_violation';
    end if;
    with removed as (
        delete from registry.events e where e.network_id = p_network and (e.client_id = any (p_clients)
            or e.log_index = any (p_questions) and e.client_id is null and e.kind = 1)
        returning e.log_index, e.event_id, e.kind, e.tableoid
    ) select array_agg(r.log_index), array_agg(r.event_id) filter (where r.kind <> all (registry.use_kinds())),
        array_agg(distinct r.tableoid::regclass::text) into gone, acts, partitions from removed r;
    perform registry.remove_rows(p_network, p_clients, '{}', '{}', '{}');
    insert into registry.erasures (network_id, erasure_id, ground, events, recorded_at)
    values (p_network, p_ids[1], p_ground, coalesce(cardinality(gone), 0), p_at);
    log_index := registry.append_removal(p_network, 27::smallint, coalesce(gone, '{}'), acts, p_at, p_ids, p_about, p_events,
        p_nonces, p_leaves);
    return next;
end
$$;
revoke execute on function registry.erase_clients(integer, uuid[], bigint[], text, timestamptz, uuid[], uuid[], bytea[], bytea[],
    bytea[]) from public;
grant execute on function registry.erase_clients(integer, uuid[], bigint[], text, timestamptz, uuid[], uuid[], bytea[], bytea[],
    bytea[]) to {eraser};

-- As the previous release calls it.
create or replace function registry.erase_clients(
    p_network integer, p_clients uuid[], p_questions bigint[], p_ground text, p_at timestamptz, p_id uuid,
    p_event bytea, p_nonce bytea, p_leaf bytea
) returns table (log_index bigint, partitions text[]) language sql volatile security definer
    set search_path = pg_catalog, pg_temp as $$
    select * from registry.erase_clients(p_network, p_clients, p_questions, p_ground, p_at, array[p_id], array[null::uuid],
        array[p_event], array[p_nonce], array[p_leaf])
$$;

-- The acts whose events stand at these places of a step; uses change nothing.
create function registry.acts_at(p_network integer, p_step text, p_places bigint[]) returns uuid[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select array(select e.event_id from registry.events e
        where p_step <> 'uses' and e.network_id = p_network and e.log_index = any (p_places))
$$;
revoke execute on function registry.acts_at(integer, text, bigint[]) from public;

create or replace function registry.survey_retention(p_network integer, p_limit integer) returns jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object('step', d.step, 'consents', cardinality(d.consents), 'clients', cardinality(d.clients),
        'indices', registry.spans(d.places), 'places', cardinality(d.places),
        'remainders', (select coalesce(jsonb_agg(jsonb_build_array(r.client_id, r.members)
                order by r.members ->> 'consent' collate "C"), '[]')
            from registry.remainders(p_network, registry.acts_at(p_network, d.step, d.places), d.clients, d.consents) r),
        'use_years', t.use_years, 'consent_years', t.consent_years, 'uses_before', t.uses_before,
        'consents_before', t.consents_before)
    from registry.due_step(p_network, p_limit) d, registry.retention_terms(p_network) t
$$;

-- The one way to let go what is due: the next step, in one transaction with the events (arrays: the retention, about
-- nobody, then remainders). Returns the retention's place, or null when nothing is due. Consents and clients are held
-- alone while they go, and so is whoever something is told of again.
create function registry.retain(
    p_network integer, p_limit integer, p_at timestamptz, p_ids uuid[], p_about uuid[], p_events bytea[], p_nonces bytea[],
    p_leaves bytea[]
) returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    due record;
    concerned uuid[];
    acts uuid[];
    transfers_gone uuid[];
begin
    execute format('set local registry.network = %L', p_network);
    perform pg_advisory_xact_lock_shared((2 << 20) | p_network, 0);
    select * into due from registry.due_step(p_network, p_limit);
    select coalesce(array_agg(distinct c.client_id), '{}') || due.clients || p_about[2:] into concerned
    from registry.consents c where c.network_id = p_network and c.consent_id = any (due.consents);
    perform registry.lock_clients(p_network, concerned);
    -- Again, now that nobody changes them: a hold may have been placed, or something recorded, while this waited.
    select * into due from registry.due_step(p_network, p_limit);
    if due.step is null then
        return null;
    end if;
    if exists (select from registry.consents c where c.network_id = p_network and c.consent_id = any (due.consents)
        and c.client_id <> all (concerned)) or not due.clients <@ concerned then
        raise exception 'something else became due meanwhile' using errcode = 'serialization_failure';
    end if;
    acts := registry.acts_at(p_network, due.step, due.places);
    if due.step = 'uses' then
        select array_agg(e.event_id) into transfers_gone from registry.events e
        where e.network_id = p_network and e.log_index = any (due.places) and e.kind = 5;
        set local registry.removal = 'on';
        delete from registry.transfers t where t.network_id = p_network and t.transfer_id = any (transfers_gone);
        set local registry.removal = '';
    end if;
    perform registry.remove_rows(p_network, due.clients, due.consents,
        array(select g.grant_id from registry.grants g where g.network_id = p_network and g.consent_id = any (due.consents)),
        array(select r.release_id from registry.releases r where r.network_id = p_network and r.consent_id = any (due.consents)));
    set local registry.removal = 'on';
    -- A withdrawal goes with the event that tells of it.
    delete from registry.withdrawals w where w.network_id = p_network and w.withdrawal_id = any (acts);
    set local registry.removal = '';
    delete from registry.events e where e.network_id = p_network and e.log_index = any (due.places);
    insert into registry.retentions (network_id, retention_id, events, recorded_at)
    values (p_network, p_ids[1], cardinality(due.places), p_at);
    return registry.append_removal(p_network, 28::smallint, due.places, acts, p_at, p_ids, p_about, p_events, p_nonces,
        p_leaves);
end
$$;
revoke execute on function registry.retain(integer, integer, timestamptz, uuid[], uuid[], bytea[], bytea[], bytea[]) from public;
grant execute on function registry.retain(integer, integer, timestamptz, uuid[], uuid[], bytea[], bytea[], bytea[]) to {eraser};

-- As the previous release calls it.
create or replace function registry.retain(
    p_network integer, p_limit integer, p_at timestamptz, p_id uuid, p_event bytea, p_nonce bytea, p_leaf bytea
) returns bigint language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select registry.retain(p_network, p_limit, p_at, array[p_id], array[null::uuid], array[p_event], array[p_nonce],
        array[p_leaf])
$$;
