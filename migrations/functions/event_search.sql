-- The search of the data-protection officers.

-- Between which places of the log the events of a time are. Ids begin with the time, so the index over them finds both
-- ends; so many are looked at there that it does not matter in which order a few transactions that ran beside each other
-- were written, nor that the clock was set back. Others' events count too: a place says nothing about a person.
create or replace function registry.places_between(p_network integer, p_from timestamptz, p_until timestamptz)
    returns table (low bigint, high bigint)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    first_id pg_catalog.uuid := (lpad(to_hex(greatest(floor(extract(epoch from p_from) * 1000), 0)::bigint), 12, '0') || repeat('0', 20))::pg_catalog.uuid;
    last_id pg_catalog.uuid := (lpad(to_hex(greatest(floor(extract(epoch from p_until) * 1000), 0)::bigint + 1), 12, '0')
        || repeat('0', 20))::pg_catalog.uuid;
begin
    return query select
        (select min(e.log_index) from (select n.log_index, n.network_id from registry.events n
            where n.event_id >= first_id order by n.event_id limit 1000) e where e.network_id = p_network),
        (select max(e.log_index) from (select n.log_index, n.network_id from registry.events n
            where n.event_id < last_id order by n.event_id desc limit 1000) e where e.network_id = p_network);
end
$$;
call registry.set_callers('registry.places_between', array['{app}']);

-- The last weeks of the log before a place: from which place on, and from when. A page of what is common is full within
-- them, and need not be looked for in the partition of every month there is. From that place on everything is younger
-- than that time, unless the clock was set back by more than three days: they lie between.
create or replace function registry.last_weeks(p_network integer, p_before bigint) returns table (low bigint, since timestamptz)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    begins pg_catalog.timestamptz;
    first_id pg_catalog.uuid;
begin
    select e.at - interval '35 days' into begins from registry.events e
    where e.network_id = p_network and e.log_index < p_before order by e.log_index desc limit 1;
    first_id := (lpad(to_hex(greatest(floor(extract(epoch from begins) * 1000), 0)::bigint), 12, '0') || repeat('0', 20))::pg_catalog.uuid;
    return query select max(e.log_index) + 1, begins - interval '3 days'
    from (select n.log_index, n.network_id from registry.events n
        where n.event_id < first_id order by n.event_id desc limit 200) e where e.network_id = p_network;
end
$$;
call registry.set_callers('registry.last_weeks', array['{app}']);

-- What others were permitted to send to the partners of this transaction, newest first: columns only. Bytes and nonce
-- would let a recipient guess the sender's reference, and whom it was about is the sender's to say. Who may be permitted
-- anything is in the agreements' flows, so the index is descended once for each of those and for each outcome. Places
-- from p_low to before p_before, times from p_from to before p_until.
create or replace function registry.permits_received(
    p_network integer, p_low bigint, p_before bigint, p_from timestamptz, p_until timestamptz, p_limit integer,
    p_sender integer, p_purpose smallint, p_outcome smallint)
    returns table (log_index bigint, at timestamptz, event_id uuid, actor_id integer, recipient_id integer,
        purpose_id smallint, outcome smallint)
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
    return query
    select p.log_index, p.at, p.event_id, f.sender_id, f.recipient_id, f.purpose_id, o.outcome
    from (
        select distinct g.sender_id, g.recipient_id, g.purpose_id from registry.flows g
        where g.network_id = p_network and g.recipient_id = any ((select registry.current_partners())::integer[])
            and (p_sender is null or g.sender_id = p_sender) and (p_purpose is null or g.purpose_id = p_purpose)
    ) f
    cross join (values (1::smallint), (2::smallint)) as o (outcome)
    cross join lateral (
        select e.log_index, e.at, e.event_id from registry.events e
        where e.network_id = p_network and e.kind = registry.kind('decision') and e.actor_id = f.sender_id and e.recipient_id = f.recipient_id
            and e.purpose_id = f.purpose_id and e.outcome = o.outcome and e.log_index >= p_low and e.log_index < p_before
            and e.at >= p_from and e.at < p_until
        order by e.log_index desc limit p_limit
    ) p
    where p_outcome is null or o.outcome = p_outcome
    order by p.log_index desc limit p_limit;
end
$$;
call registry.set_callers('registry.permits_received', array['{app}']);
