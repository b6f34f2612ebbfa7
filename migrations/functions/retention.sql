-- Retention (Art. 5 Abs. 1 lit. e DSGVO): what is no longer needed as proof goes by class. What is due, and when, is worked
-- out in domain/retention_rules.py, from numbers and times that the eraser's login may ask for here; it reads no table.
-- registry.retain removes what it is named and logs exactly that, and refuses by itself, whoever calls.

-- The moment that counts as now. A function of its own so that a test can look years ahead.
create or replace function registry.retention_now() returns timestamptz language sql stable as $$ select statement_timestamp() $$;
call registry.set_callers('registry.retention_now');

-- A network's periods in calendar years, three each until somebody sets others, and the moment that counts as now.
create or replace function registry.retention_clock(p_network integer)
    returns table (use_years smallint, consent_years smallint, now timestamptz)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select t.use_years, t.consent_years, registry.retention_now()
    from (select p.use_years, p.consent_years, 1 as rank, p.period_id::pg_catalog.text as latest from registry.retention_periods p
            where p.network_id = p_network union all select 3::smallint, 3::smallint, 2, '') t
    order by t.rank, t.latest desc limit 1
$$;
call registry.set_callers('registry.retention_clock', array['{app}', '{eraser}']);

-- All clients of persons on whom a hold is open.
create or replace function registry.held_clients(p_network integer) returns uuid[]
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(distinct one), '{}') from registry.holds h,
        lateral unnest(registry.clients_of_person(p_network, h.client_id)) as one
    where h.network_id = p_network and not exists (
        select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)
$$;
call registry.set_callers('registry.held_clients', array['{eraser}']);

-- What happened at or after this moment stays, whatever it is: it is younger than the network's shortest period, which ends
-- with a calendar year in Germany.
create or replace function registry.youngest_removable(p_network integer) returns timestamptz
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select (date_trunc('year', c.now at time zone 'Europe/Berlin')
        - make_interval(years => least(c.use_years, c.consent_years))) at time zone 'Europe/Berlin'
    from registry.retention_clock(p_network) c
$$;
call registry.set_callers('registry.youngest_removable');

-- Uses from before a moment, in the log's order, by pages; of what is too young to go nothing is shown.
create or replace function registry.old_uses(p_network integer, p_before timestamptz, p_after bigint, p_limit integer)
    returns table (log_index bigint, kind smallint, at timestamptz, client_id uuid)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.log_index, e.kind, e.at, e.client_id from registry.events e
    where e.network_id = p_network and e.kind = any (registry.kinds_of('use')) and e.log_index > p_after
        and e.at < least(p_before, (select registry.youngest_removable(p_network)))
    order by e.log_index limit p_limit
$$;
call registry.set_callers('registry.old_uses', array['{eraser}']);

-- How many those are by kind, without those about some clients.
create or replace function registry.count_old_uses(p_network integer, p_before timestamptz, p_without uuid[])
    returns table (kind smallint, number bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.kind, count(*) from registry.events e
    where e.network_id = p_network and e.kind = any (registry.kinds_of('use'))
        and e.at < least(p_before, (select registry.youngest_removable(p_network)))
        and (e.client_id is null or e.client_id <> all (p_without))
    group by e.kind
$$;
call registry.set_callers('registry.count_old_uses', array['{eraser}']);

-- Clients with a consent that was recorded before a moment, in the order of their numbers, by pages.
create or replace function registry.clients_with_consents(
    p_network integer, p_before timestamptz, p_after uuid, p_limit integer) returns setof uuid
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select distinct c.client_id from registry.consents c
    where c.network_id = p_network and c.recorded_at < least(p_before, (select registry.youngest_removable(p_network)))
        and (p_after is null or c.client_id > p_after)
    order by c.client_id limit p_limit
$$;
call registry.set_callers('registry.clients_with_consents', array['{eraser}']);

-- Clients that were registered before a moment and have no consent, in the same way.
create or replace function registry.clients_without_consents(
    p_network integer, p_before timestamptz, p_after uuid, p_limit integer) returns setof uuid
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select c.client_id from registry.clients c
    where c.network_id = p_network and c.recorded_at < least(p_before, (select registry.youngest_removable(p_network)))
        and (p_after is null or c.client_id > p_after)
        and not exists (select from registry.consents t where t.network_id = p_network and t.client_id = c.client_id)
    order by c.client_id limit p_limit
$$;
call registry.set_callers('registry.clients_without_consents', array['{eraser}']);

-- What the rules need to know of clients: of each their consents with what became of them, transfers with the grants that
-- the decision names (null when its event is gone), and the entries of the log about them that are no mere use. Numbers,
-- times and codes; nobody's reference, no partner, no category.
create or replace function registry.retention_records(p_network integer, p_clients uuid[]) returns jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(jsonb_agg(jsonb_build_object(
        'client_id', c.client_id,
        'consents', (select coalesce(jsonb_agg(jsonb_build_object(
            'consent_id', t.consent_id, 'recorded_at', t.recorded_at,
            'grants', (select coalesce(jsonb_agg(jsonb_build_object(
                'grant_id', g.grant_id, 'answer', g.answer, 'valid_until', g.valid_until,
                'changes', (select coalesce(jsonb_agg(jsonb_build_object(
                    'act_id', x.act_id, 'kind', x.kind, 'whole', x.category_ids is null, 'valid_until', x.valid_until,
                    'recorded_at', x.recorded_at)), '[]')
                    from registry.grant_changes x where x.network_id = p_network and x.grant_id = g.grant_id))), '[]')
                from registry.grants g where g.network_id = p_network and g.consent_id = t.consent_id),
            'release_acts', (select coalesce(jsonb_agg(x.act_id), '[]')
                from registry.releases r join registry.release_changes x
                    on x.network_id = p_network and x.release_id = r.release_id
                where r.network_id = p_network and r.consent_id = t.consent_id and x.kind <> 'withdrawn')) order by t.consent_id), '[]')
            from registry.consents t where t.network_id = p_network and t.client_id = c.client_id),
        'transfers', (select coalesce(jsonb_agg(jsonb_build_object(
            'at', greatest(t.transferred_at, t.recorded_at), 'grants', case when e.event is null then null
                else coalesce(convert_from(e.event, 'UTF8')::pg_catalog.jsonb -> 'grants', '[]') end)), '[]')
            from registry.transfers t
            left join registry.events e on e.network_id = p_network and e.event_id = t.decision_id
            where t.network_id = p_network and t.client_id = c.client_id),
        'entries', (select coalesce(jsonb_agg(jsonb_build_object(
            'log_index', s.log_index, 'event_id', s.event_id, 'kind', s.kind, 'at', s.at, 'act', s.said ->> 'act',
            'consent', s.said ->> 'consent') order by s.log_index), '[]')
            from (select e.log_index, e.event_id, e.kind, e.at, convert_from(e.event, 'UTF8')::pg_catalog.jsonb as said
                from registry.events e
                where e.network_id = p_network and e.client_id = c.client_id
                    and e.kind <> all (registry.kinds_of('use'))) s)) order by c.client_id), '[]')
    from registry.clients c where c.network_id = p_network and c.client_id = any (p_clients)
$$;
call registry.set_callers('registry.retention_records', array['{eraser}']);

-- Of each of these clients: when it was registered; and of the person behind it how many consents there are, the kinds of
-- events and the time of the last one.
create or replace function registry.person_records(p_network integer, p_clients uuid[])
    returns table (client_id uuid, recorded_at timestamptz, consents bigint, kinds smallint[], last_event_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select c.client_id, c.recorded_at,
        (select count(*) from registry.consents t where t.network_id = p_network and t.client_id = any (p.ids)),
        e.kinds, e.last_event_at
    from registry.clients c
    cross join lateral (select registry.clients_of_person(p_network, c.client_id) as ids) p
    cross join lateral (
        select coalesce(array_agg(distinct o.kind), '{}') as kinds, max(o.at) as last_event_at from registry.events o
        where o.network_id = p_network and o.client_id = any (p.ids)) e
    where c.network_id = p_network and c.client_id = any (p_clients)
$$;
call registry.set_callers('registry.person_records', array['{eraser}']);

-- The entries that tell of a consent, of these clients: its own, those of acts on it, those that name it; and what else
-- those acts wrote about the same client: padding, and an act's own entry that names nothing itself. A withdrawal, and a
-- link that withdrew, go with their client and not with the consents they changed: they count for papers to come.
create or replace function registry.entries_of_consents(p_network integer, p_clients uuid[])
    returns table (log_index bigint, consent_id uuid)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with entry as (
        select e.log_index, e.event_id, e.client_id, convert_from(e.event, 'UTF8')::pg_catalog.jsonb as said
        from registry.events e
        where e.network_id = p_network and e.client_id = any (p_clients) and e.kind <> all (registry.kinds_of('use'))
    ), act as (
        select c.consent_id, c.client_id, c.consent_id as act_id from registry.consents c
        where c.network_id = p_network and c.client_id = any (p_clients)
        union
        select g.consent_id, g.client_id, x.act_id from registry.grants g
        join registry.grant_changes x on x.network_id = p_network and x.grant_id = g.grant_id
        where g.network_id = p_network and g.client_id = any (p_clients) and x.kind <> 'withdrawn'
        union
        select r.consent_id, r.client_id, x.act_id from registry.releases r
        join registry.release_changes x on x.network_id = p_network and x.release_id = r.release_id
        where r.network_id = p_network and r.client_id = any (p_clients) and x.kind <> 'withdrawn'
    ), told as (
        select distinct a.consent_id, e.client_id, coalesce(e.said ->> 'act', e.event_id::pg_catalog.text) as act
        from entry e join act a on a.client_id = e.client_id
            and (e.event_id = a.act_id or e.said ->> 'consent' = a.consent_id::pg_catalog.text)
    )
    select distinct e.log_index, t.consent_id from entry e
    join told t on t.client_id = e.client_id and t.act in (e.said ->> 'act', e.event_id::pg_catalog.text)
$$;
call registry.set_callers('registry.entries_of_consents');

-- Why these must not go, in one line; null when they may.
create or replace function registry.reason_to_keep(
    p_network integer, p_consents uuid[], p_clients uuid[], p_places bigint[]) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    youngest pg_catalog.timestamptz := registry.youngest_removable(p_network);
    held pg_catalog.uuid[] := registry.held_clients(p_network);
    removable smallint[] := registry.kinds_of('use') || registry.kinds_of('state');
    concerned pg_catalog.uuid[];
begin
    select coalesce(array_agg(distinct c.client_id), '{}') || p_clients into concerned from registry.consents c
    where c.network_id = p_network and c.consent_id = any (p_consents);
    if concerned && held or exists (select from registry.events e
        where e.network_id = p_network and e.log_index = any (p_places) and e.client_id = any (held)) then
        return 'a legal hold stands against this';
    end if;
    if exists (select from registry.events e
        where e.network_id = p_network and e.log_index = any (p_places) and e.kind <> all (removable)) then
        return 'an event of a permanent or unknown kind is never removed';
    end if;
    if exists (select from registry.events e
            where e.network_id = p_network and e.log_index = any (p_places) and e.at >= youngest)
        or exists (select from registry.consents c
            where c.network_id = p_network and c.consent_id = any (p_consents) and c.recorded_at >= youngest)
        or exists (select from registry.clients c
            where c.network_id = p_network and c.client_id = any (p_clients) and c.recorded_at >= youngest) then
        return 'something is younger than the network''s shortest period';
    end if;
    -- A grant that nobody ended ends with its validity, or with that of its renewal.
    if exists (select from registry.grants g
        where g.network_id = p_network and g.consent_id = any (p_consents) and g.answer <> 'refused'
            and greatest(g.valid_until, (select max(x.valid_until) from registry.grant_changes x
                where x.network_id = p_network and x.grant_id = g.grant_id)) >= youngest
            and not exists (select from registry.grant_changes x where x.network_id = p_network and x.grant_id = g.grant_id
                and (x.kind in ('ended', 'invalidated') or x.kind = 'withdrawn' and x.category_ids is null))) then
        return 'a consent is valid, or was until lately';
    end if;
    if exists (select from registry.consents c where c.network_id = p_network and c.client_id = any (p_clients)
        and c.consent_id <> all (p_consents)) then
        return 'a client stays as long as its consents';
    end if;
    -- A state event goes with its client, or with all the consents that it tells of.
    if exists (select from registry.events e
        where e.network_id = p_network and e.log_index = any (p_places) and e.kind = any (registry.kinds_of('state'))
            and (e.client_id is null or e.client_id <> all (concerned)))
        or exists (select from registry.events e
            left join registry.entries_of_consents(p_network, concerned) t on t.log_index = e.log_index
            where e.network_id = p_network and e.log_index = any (p_places) and e.kind = any (registry.kinds_of('state'))
                and e.client_id <> all (p_clients) and (t.consent_id is null or t.consent_id <> all (p_consents))) then
        return 'a state event stays as long as its consent';
    end if;
    -- Rows never go without their entries.
    if exists (select from registry.entries_of_consents(p_network, concerned) t
            where t.consent_id = any (p_consents) and t.log_index <> all (p_places))
        or exists (select from registry.events e
            where e.network_id = p_network and e.client_id = any (p_clients) and e.log_index <> all (p_places)) then
        return 'an entry that tells of this is not named';
    end if;
    return null;
end
$$;
call registry.set_callers('registry.reason_to_keep');

-- The one way to let go: these consents, these clients and these places of the log, in one transaction with the event that
-- says so; returns that event's place. Consents and clients are held alone while they go. Refuses what must stay
-- (registry.reason_to_keep), and an event that does not say exactly what went. A withdrawal's row goes with its client, as
-- the event that tells of it.
create or replace function registry.retain(
    p_network integer, p_consents uuid[], p_clients uuid[], p_places bigint[], p_at timestamptz, p_id uuid, p_event bytea,
    p_nonce bytea, p_leaf bytea
) returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    said pg_catalog.jsonb := convert_from(p_event, 'UTF8')::pg_catalog.jsonb;
    concerned pg_catalog.uuid[];
    reason pg_catalog.text;
    removed pg_catalog.jsonb;
    gone bigint[];
begin
    if p_consents is null or p_clients is null or p_places is null then
        raise exception 'what is to go must be named' using errcode = 'null_value_not_allowed';
    end if;
    execute format('set local registry.network = %L', p_network);
    select coalesce(array_agg(distinct c.client_id), '{}') || p_clients into concerned from registry.consents c
    where c.network_id = p_network and c.consent_id = any (p_consents);
    perform registry.lock_clients(p_network, concerned);
    reason := registry.reason_to_keep(p_network, p_consents, p_clients, p_places);
    if reason is not null then
        raise exception '%', reason using errcode = 'restrict_violation';
    end if;
    set local registry.removal = 'on';
    delete from registry.transfers t where t.network_id = p_network and t.transfer_id in (
        select e.event_id from registry.events e where e.network_id = p_network and e.log_index = any (p_places)
            and e.kind = registry.kind('transfer'));
    removed := registry.remove_rows(p_network, p_clients, p_consents,
        array(select g.grant_id from registry.grants g where g.network_id = p_network and g.consent_id = any (p_consents)),
        array(select r.release_id from registry.releases r where r.network_id = p_network and r.consent_id = any (p_consents)));
    with emptied as (
        delete from registry.events e where e.network_id = p_network and e.log_index = any (p_places) returning e.log_index
    ) select coalesce(array_agg(e.log_index), '{}') into gone from emptied e;
    if said -> 'consents' is distinct from removed -> 'consents' or said -> 'clients' is distinct from removed -> 'clients' then
        raise exception 'the event does not count what was removed' using errcode = 'serialization_failure';
    end if;
    insert into registry.retentions (network_id, retention_id, events, recorded_at)
    values (p_network, p_id, cardinality(gone), p_at);
    return registry.append_removal(p_network, registry.kind('retention'), gone, p_at, p_id, p_event, p_nonce, p_leaf);
end
$$;
call registry.set_callers('registry.retain', array['{eraser}']);
