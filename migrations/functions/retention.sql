-- Retention (Art. 5 Abs. 1 lit. e DSGVO): what is no longer needed as proof goes by class.

-- The moment that counts as now. A function of its own so that a test can look years ahead.
create or replace function registry.retention_now() returns timestamptz language sql stable as $$ select statement_timestamp() $$;
call registry.set_callers('registry.retention_now');

-- What ended before these moments is due. The end of the n-th calendar year after it has passed, in Germany.
create or replace function registry.retention_terms(p_network integer)
    returns table (use_years smallint, consent_years smallint, uses_before timestamptz, consents_before timestamptz)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select t.use_years, t.consent_years,
        (year_begun - make_interval(years => t.use_years)) at time zone 'Europe/Berlin',
        (year_begun - make_interval(years => t.consent_years)) at time zone 'Europe/Berlin'
    from (select p.use_years, p.consent_years, 1 as rank, p.period_id::pg_catalog.text as latest from registry.retention_periods p
            where p.network_id = p_network union all select 3::smallint, 3::smallint, 2, '') t,
        date_trunc('year', registry.retention_now() at time zone 'Europe/Berlin') as year_begun
    order by t.rank, t.latest desc limit 1
$$;
call registry.set_callers('registry.retention_terms', array['{app}', '{eraser}']);

-- When somebody could last rely on a consent, or did: the end of its last grant, or the last transfer under it. What
-- was withdrawn in parts ends with its own validity; nothing ends before it was recorded.
create or replace function registry.last_reliance(p_network integer, p_consent uuid) returns timestamptz
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select greatest(c.recorded_at,
        (select max(case when g.answer = 'refused' then c.recorded_at else coalesce(
            (select min(x.recorded_at) from registry.grant_changes x where x.network_id = p_network and x.grant_id = g.grant_id
                and (x.kind in ('ended', 'invalidated') or x.kind = 'withdrawn' and x.category_ids is null)),
            greatest(g.valid_until, (select max(x.valid_until) from registry.grant_changes x
                where x.network_id = p_network and x.grant_id = g.grant_id))) end)
        from registry.grants g where g.network_id = p_network and g.consent_id = c.consent_id),
        (select max(greatest(t.transferred_at, t.recorded_at)) from registry.transfers t
        left join registry.events e on e.network_id = p_network and e.event_id = t.decision_id
        where t.network_id = p_network and t.client_id = c.client_id and (e.event is null
            or convert_from(e.event, 'UTF8')::pg_catalog.jsonb -> 'grants' ?| array(select g.grant_id::pg_catalog.text from registry.grants g
                where g.network_id = p_network and g.consent_id = c.consent_id))))
    from registry.consents c where c.network_id = p_network and c.consent_id = p_consent
$$;
call registry.set_callers('registry.last_reliance');

-- All clients of persons on whom a hold is open.
create or replace function registry.held_clients(p_network integer) returns uuid[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(distinct one), '{}') from registry.holds h,
        lateral unnest(registry.clients_of_person(p_network, h.client_id)) as one
    where h.network_id = p_network and not exists (
        select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)
$$;
call registry.set_callers('registry.held_clients');

-- Consents nobody has relied on since p_before, oldest first. What one act changed goes together, so that no event
-- stays that tells of a consent that is gone, and none goes before its consent.
create or replace function registry.due_consents(p_network integer, p_before timestamptz, p_limit integer) returns uuid[]
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    due pg_catalog.uuid[];
    waiting pg_catalog.uuid[];
begin
    select array_agg(o.consent_id) into due from (
        select c.consent_id from registry.consents c
        where c.network_id = p_network and c.recorded_at < p_before
            and c.client_id <> all ((select registry.held_clients(p_network))::pg_catalog.uuid[])
            and registry.last_reliance(p_network, c.consent_id) < p_before
        order by c.consent_id limit p_limit) o;
    loop
        with acts as (
            select x.act_id, x.client_id, g.consent_id from registry.grants g
            join registry.grant_changes x on x.network_id = p_network and x.grant_id = g.grant_id
            where g.network_id = p_network and g.client_id in (select client_id from registry.consents c
                where c.network_id = p_network and c.consent_id = any (due))
            union all
            select x.act_id, x.client_id, r.consent_id from registry.releases r
            join registry.release_changes x on x.network_id = p_network and x.release_id = r.release_id
            where r.network_id = p_network and r.client_id in (select client_id from registry.consents c
                where c.network_id = p_network and c.consent_id = any (due))
        )
        select array_agg(distinct a.consent_id) into waiting from acts a join acts b using (client_id, act_id)
        where a.consent_id = any (due) and b.consent_id <> all (due);
        exit when waiting is null;
        select array_agg(one) into due from unnest(due) as one where one <> all (waiting);
    end loop;
    return coalesce(due, '{}');
end
$$;
call registry.set_callers('registry.due_consents');

-- The places of the events that tell of these consents: their own, those of acts on them, those that name one; and what
-- else those acts wrote about the same client: padding, and an act's own entry that names nothing itself.
create or replace function registry.places_of_consents(p_network integer, p_consents uuid[]) returns bigint[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with state as (
        select e.log_index, e.event_id, e.client_id, convert_from(e.event, 'UTF8')::pg_catalog.jsonb as said from registry.events e
        where e.network_id = p_network and e.kind <> all (registry.kinds_of('use'))
            and e.client_id in (select c.client_id from registry.consents c
                where c.network_id = p_network and c.consent_id = any (p_consents))
    ), told as (
        select s.log_index, s.client_id, coalesce(s.said ->> 'act', s.event_id::pg_catalog.text) as act from state s
        where s.event_id = any (p_consents)
            or s.said ->> 'consent' = any (p_consents::pg_catalog.text[])
            or s.event_id in (select x.act_id from registry.grant_changes x
                join registry.grants g on g.network_id = p_network and g.grant_id = x.grant_id
                where x.network_id = p_network and g.consent_id = any (p_consents))
            or s.event_id in (select x.act_id from registry.release_changes x
                join registry.releases r on r.network_id = p_network and r.release_id = x.release_id
                where x.network_id = p_network and r.consent_id = any (p_consents))
    )
    select array_agg(distinct s.log_index) from state s where exists (select from told t
        where t.log_index = s.log_index
            or t.client_id = s.client_id and t.act in (s.said ->> 'act', s.event_id::pg_catalog.text))
$$;
call registry.set_callers('registry.places_of_consents');

-- Clients registered before p_before, none of whose person's clients has a consent, a hold or an event that is younger
-- or a use: nobody needs their references any more.
create or replace function registry.unused_clients(p_network integer, p_before timestamptz, p_limit integer) returns uuid[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(o.client_id), '{}') from (
        select c.client_id from registry.clients c
        where c.network_id = p_network and c.recorded_at < p_before
            and not exists (select from registry.consents t where t.network_id = p_network and t.client_id = c.client_id)
            and c.client_id <> all ((select registry.held_clients(p_network))::pg_catalog.uuid[])
            and not exists (
                select from unnest(registry.clients_of_person(p_network, c.client_id)) as one (client_id) where exists (
                    select from registry.consents t where t.network_id = p_network and t.client_id = one.client_id)
                or exists (select from registry.events e where e.network_id = p_network and e.client_id = one.client_id
                    and (e.kind = any (registry.kinds_of('use')) or e.at >= p_before)))
        order by c.client_id limit p_limit) o
$$;
call registry.set_callers('registry.unused_clients');

-- The next step that is due: uses, then consents, then clients, at most p_limit of them. Empty when nothing is.
create or replace function registry.due_step(
    p_network integer, p_limit integer, out step text, out consents uuid[], out clients uuid[], out places bigint[]
) language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    terms pg_catalog.record;
begin
    select * into terms from registry.retention_terms(p_network);
    consents := '{}';
    clients := '{}';
    step := 'uses';
    select array_agg(o.log_index) into places from (
        select e.log_index from registry.events e
        where e.network_id = p_network and e.at < terms.uses_before and e.kind = any (registry.kinds_of('use'))
            and (e.client_id is null or e.client_id <> all ((select registry.held_clients(p_network))::pg_catalog.uuid[]))
        order by e.log_index limit p_limit) o;
    if places is not null then
        return;
    end if;
    step := 'consents';
    consents := registry.due_consents(p_network, terms.consents_before, p_limit);
    if cardinality(consents) > 0 then
        places := coalesce(registry.places_of_consents(p_network, consents), '{}');
        return;
    end if;
    step := 'clients';
    clients := registry.unused_clients(p_network, terms.consents_before, p_limit);
    if cardinality(clients) > 0 then
        select coalesce(array_agg(e.log_index), '{}') into places from registry.events e
        where e.network_id = p_network and e.client_id = any (clients);
        return;
    end if;
    step := null;
    places := '{}';
end
$$;
call registry.set_callers('registry.due_step');

-- What is due next, for the event that will say so; changes nothing.
create or replace function registry.survey_retention(p_network integer, p_limit integer) returns jsonb
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object('step', d.step, 'consents', cardinality(d.consents), 'clients', cardinality(d.clients),
        'indices', registry.spans(d.places), 'places', cardinality(d.places),
        'use_years', t.use_years, 'consent_years', t.consent_years, 'uses_before', t.uses_before,
        'consents_before', t.consents_before)
    from registry.due_step(p_network, p_limit) d, registry.retention_terms(p_network) t
$$;
call registry.set_callers('registry.survey_retention', array['{eraser}']);

-- Everything that is due, counted; and who is held.
create or replace function registry.count_retention(p_network integer) returns jsonb
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    terms pg_catalog.record;
    consents pg_catalog.uuid[];
    uses pg_catalog.jsonb;
begin
    select * into terms from registry.retention_terms(p_network);
    consents := registry.due_consents(p_network, terms.consents_before, null);
    select coalesce(jsonb_object_agg(kind, amount), '{}') into uses from (
        select e.kind, count(*) as amount from registry.events e
        where e.network_id = p_network and e.at < terms.uses_before and e.kind = any (registry.kinds_of('use'))
            and (e.client_id is null or e.client_id <> all ((select registry.held_clients(p_network))::pg_catalog.uuid[]))
        group by e.kind) o;
    return jsonb_build_object('use_years', terms.use_years, 'consent_years', terms.consent_years,
        'uses_before', terms.uses_before, 'consents_before', terms.consents_before, 'uses', uses,
        'consents', cardinality(consents), 'events_of_consents', coalesce(cardinality(
            registry.places_of_consents(p_network, consents)), 0),
        'clients', cardinality(registry.unused_clients(p_network, terms.consents_before, null)),
        'held', cardinality(registry.held_clients(p_network)));
end
$$;
call registry.set_callers('registry.count_retention', array['{eraser}']);

-- Of these clients' consents, how many are still within their period as proof, and until when the last of them is.
create or replace function registry.proof_periods(p_network integer, p_clients uuid[]) returns table (running bigint, until timestamptz)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select count(*), (date_trunc('year', max(o.ended) at time zone 'Europe/Berlin')
        + make_interval(years => max(o.consent_years) + 1)) at time zone 'Europe/Berlin'
    from (select registry.last_reliance(p_network, c.consent_id) as ended, t.consent_years, t.consents_before
        from registry.consents c, registry.retention_terms(p_network) t
        where c.network_id = p_network and c.client_id = any (p_clients)) o
    where o.ended >= o.consents_before
$$;
call registry.set_callers('registry.proof_periods', array['{eraser}']);

-- The one way to let go what is due: the next step, in one transaction with the event that lists its places. Returns
-- the event's place, or null when nothing is due. Consents and clients are held alone while they go. A withdrawal's row
-- goes with the event that tells of it, so that `audit replay` finds in the tables what the log tells.
create or replace function registry.retain(
    p_network integer, p_limit integer, p_at timestamptz, p_id uuid, p_event bytea, p_nonce bytea, p_leaf bytea
) returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    due pg_catalog.record;
    concerned pg_catalog.uuid[];
    transfers_gone pg_catalog.uuid[];
begin
    execute format('set local registry.network = %L', p_network);
    perform pg_advisory_xact_lock_shared((2 << 20) | p_network, 0);
    select * into due from registry.due_step(p_network, p_limit);
    select coalesce(array_agg(distinct c.client_id), '{}') || due.clients into concerned from registry.consents c
    where c.network_id = p_network and c.consent_id = any (due.consents);
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
    if due.step = 'uses' then
        select array_agg(e.event_id) into transfers_gone from registry.events e
        where e.network_id = p_network and e.log_index = any (due.places) and e.kind = registry.kind('transfer');
        set local registry.removal = 'on';
        delete from registry.transfers t where t.network_id = p_network and t.transfer_id = any (transfers_gone);
        set local registry.removal = '';
    end if;
    perform registry.remove_rows(p_network, due.clients, due.consents,
        array(select g.grant_id from registry.grants g where g.network_id = p_network and g.consent_id = any (due.consents)),
        array(select r.release_id from registry.releases r where r.network_id = p_network and r.consent_id = any (due.consents)));
    set local registry.removal = 'on';
    -- A withdrawal goes with the event that tells of it.
    delete from registry.withdrawals w where w.network_id = p_network and w.withdrawal_id in (
        select e.event_id from registry.events e where e.network_id = p_network and e.log_index = any (due.places));
    set local registry.removal = '';
    delete from registry.events e where e.network_id = p_network and e.log_index = any (due.places);
    insert into registry.retentions (network_id, retention_id, events, recorded_at)
    values (p_network, p_id, cardinality(due.places), p_at);
    return registry.append_removal(p_network, registry.kind('retention'), due.places, p_at, p_id, p_event, p_nonce, p_leaf);
end
$$;
call registry.set_callers('registry.retain', array['{eraser}']);
