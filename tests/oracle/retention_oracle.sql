-- A second opinion on what retention lets go: the same rules, written earlier and by themselves in SQL over the tables. They
-- are installed beside a database under test, never in a registry. tests/operations/erasure/test_retention_rules.py compares.
create schema oracle;

-- The kinds of class `use` (decision, transfer, read); nothing else goes by age alone.
create function oracle.use_kinds() returns smallint[] language sql immutable as $$ select array[1, 5, 6]::smallint[] $$;

-- What ended before these moments is due. The end of the n-th calendar year after it has passed, in Germany.
create function oracle.retention_terms(p_network integer)
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

-- When somebody could last rely on a consent, or did: the end of its last grant, or the last transfer under it. What
-- was withdrawn in parts ends with its own validity; nothing ends before it was recorded.
create function oracle.last_reliance(p_network integer, p_consent uuid) returns timestamptz
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

-- All clients of persons on whom a hold is open.
create function oracle.held_clients(p_network integer) returns uuid[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(distinct one), '{}') from registry.holds h,
        lateral unnest(registry.clients_of_person(p_network, h.client_id)) as one
    where h.network_id = p_network and not exists (
        select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)
$$;

-- Consents nobody has relied on since p_before, oldest first. What one act changed goes together, so that no event
-- stays that tells of a consent that is gone, and none goes before its consent. A withdrawal ties nothing: it goes with its
-- client.
create function oracle.due_consents(p_network integer, p_before timestamptz, p_limit integer) returns uuid[]
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    due pg_catalog.uuid[];
    waiting pg_catalog.uuid[];
begin
    select array_agg(o.consent_id) into due from (
        select c.consent_id from registry.consents c
        where c.network_id = p_network and c.recorded_at < p_before
            and c.client_id <> all ((select oracle.held_clients(p_network))::pg_catalog.uuid[])
            and oracle.last_reliance(p_network, c.consent_id) < p_before
        order by c.consent_id limit p_limit) o;
    loop
        with acts as (
            select x.act_id, x.client_id, g.consent_id from registry.grants g
            join registry.grant_changes x on x.network_id = p_network and x.grant_id = g.grant_id
            where x.kind <> 'withdrawn' and g.network_id = p_network and g.client_id in (
                select client_id from registry.consents c where c.network_id = p_network and c.consent_id = any (due))
            union all
            select x.act_id, x.client_id, r.consent_id from registry.releases r
            join registry.release_changes x on x.network_id = p_network and x.release_id = r.release_id
            where x.kind <> 'withdrawn' and r.network_id = p_network and r.client_id in (
                select client_id from registry.consents c where c.network_id = p_network and c.consent_id = any (due))
        )
        select array_agg(distinct a.consent_id) into waiting from acts a join acts b using (client_id, act_id)
        where a.consent_id = any (due) and b.consent_id <> all (due);
        exit when waiting is null;
        select array_agg(one) into due from unnest(due) as one where one <> all (waiting);
    end loop;
    return coalesce(due, '{}');
end
$$;

-- The places of the events that tell of these consents: their own, those of acts on them, those that name one; and what
-- else those acts wrote about the same client: padding, and an act's own entry that names nothing itself.
create function oracle.places_of_consents(p_network integer, p_consents uuid[]) returns bigint[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with state as (
        select e.log_index, e.event_id, e.client_id, convert_from(e.event, 'UTF8')::pg_catalog.jsonb as said from registry.events e
        where e.network_id = p_network and e.kind <> all (oracle.use_kinds())
            and e.client_id in (select c.client_id from registry.consents c
                where c.network_id = p_network and c.consent_id = any (p_consents))
    ), told as (
        select s.log_index, s.client_id, coalesce(s.said ->> 'act', s.event_id::pg_catalog.text) as act from state s
        where s.event_id = any (p_consents)
            or s.said ->> 'consent' = any (p_consents::pg_catalog.text[])
            or s.event_id in (select x.act_id from registry.grant_changes x
                join registry.grants g on g.network_id = p_network and g.grant_id = x.grant_id
                where x.network_id = p_network and g.consent_id = any (p_consents) and x.kind <> 'withdrawn')
            or s.event_id in (select x.act_id from registry.release_changes x
                join registry.releases r on r.network_id = p_network and r.release_id = x.release_id
                where x.network_id = p_network and r.consent_id = any (p_consents) and x.kind <> 'withdrawn')
    )
    select array_agg(distinct s.log_index) from state s where exists (select from told t
        where t.log_index = s.log_index
            or t.client_id = s.client_id and t.act in (s.said ->> 'act', s.event_id::pg_catalog.text))
$$;

-- Clients registered before p_before, none of whose person's clients has a consent, a hold or an event that is younger
-- or a use: nobody needs their references any more.
create function oracle.unused_clients(p_network integer, p_before timestamptz, p_limit integer) returns uuid[]
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(o.client_id), '{}') from (
        select c.client_id from registry.clients c
        where c.network_id = p_network and c.recorded_at < p_before
            and not exists (select from registry.consents t where t.network_id = p_network and t.client_id = c.client_id)
            and c.client_id <> all ((select oracle.held_clients(p_network))::pg_catalog.uuid[])
            and not exists (
                select from unnest(registry.clients_of_person(p_network, c.client_id)) as one (client_id) where exists (
                    select from registry.consents t where t.network_id = p_network and t.client_id = one.client_id)
                or exists (select from registry.events e where e.network_id = p_network and e.client_id = one.client_id
                    and (e.kind = any (oracle.use_kinds()) or e.at >= p_before)))
        order by c.client_id limit p_limit) o
$$;

