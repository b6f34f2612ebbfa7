-- Why: data-protection officers search the log. Two indices that end with the place let a page begin anywhere: one for
-- every kind of event, one for decisions by what was asked and answered; `at` stands last in both, so that a limit in
-- time is held against the index alone. Events get a column for the member of staff they name. What others were
-- permitted to send to a partner, its DPO sees through one function that shows no bytes and no client.
-- Survives the previous release: yes. Its call of registry.append, with one parameter less, stays; it fills the new
-- column from the event's own words, so that `audit replay` finds the same there whoever wrote it.

alter table events add column person text collate "C";

-- Who explained, approved, placed a hold: the staff reference an event names. The same as domain/events.py says.
create function registry.person_of(p_kind smallint, p_event bytea) returns text
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case
        when p_kind = 3 then convert_from(p_event, 'UTF8')::pg_catalog.jsonb #>> '{information,explained_by}'
        when p_kind = 17 then convert_from(p_event, 'UTF8')::pg_catalog.jsonb ->> 'approved_by'
        when p_kind = 18 then convert_from(p_event, 'UTF8')::pg_catalog.jsonb ->> 'revoked_by'
        when p_kind = 29 then convert_from(p_event, 'UTF8')::pg_catalog.jsonb ->> 'placed_by'
        when p_kind = 30 then convert_from(p_event, 'UTF8')::pg_catalog.jsonb ->> 'lifted_by'
        when p_kind = 40 then convert_from(p_event, 'UTF8')::pg_catalog.jsonb ->> 'set_by'
    end
$$;
revoke execute on function registry.person_of(smallint, bytea) from public;
grant execute on function registry.person_of(smallint, bytea) to {app};

-- Forced row-level security hides the rows from their owner too; lifted and forced again in one transaction.
alter table events no force row level security;
update events set person = registry.person_of(kind, event) where kind in (3, 17, 18, 29, 30);
alter table events force row level security;

-- PostgreSQL fills the pages of an index in ascending groups only if its tuples are not wider than two bigints; that of the
-- decisions alone is therefore narrow, and the wider one for other kinds costs a decision nothing.
create index events_decision_idx on events (network_id, actor_id, log_index) where kind = 1;
create index events_kind_idx on events (network_id, actor_id, kind, log_index) where kind <> 1;
create index events_flow_idx on events (network_id, actor_id, recipient_id, purpose_id, outcome, log_index) where kind = 1;
create index events_person_idx on events (network_id, actor_id, person, log_index) where person is not null;
-- Questions about references nobody had registered; an erasure looks for its person in them as well.
create index events_nobody_idx on events (network_id, sender_id, log_index) where kind = 1 and client_id is null;

create function registry.append(
    p_network integer, p_at timestamptz, p_ids uuid[], p_clients uuid[], p_actors integer[], p_senders integer[],
    p_recipients integer[], p_purposes smallint[], p_kinds smallint[], p_outcomes smallint[], p_persons text[],
    p_events bytea[], p_nonces bytea[], p_leaves bytea[]
) returns bigint language plpgsql volatile as $$
declare
    size bigint;
begin
    perform pg_advisory_xact_lock((4 << 20) | p_network, 0);
    select coalesce(max(log_index) + 1, 0) into size from registry.leaves where network_id = p_network;
    insert into registry.events (network_id, log_index, at, event_id, client_id, actor_id, sender_id, recipient_id, purpose_id,
        kind, outcome, person, event, nonce)
    select p_network, size + ord - 1, p_at, id, client, actor, sender, recipient, purpose, kind, outcome, person, event, nonce
    from unnest(p_ids, p_clients, p_actors, p_senders, p_recipients, p_purposes, p_kinds, p_outcomes, p_persons, p_events,
        p_nonces)
        with ordinality as item (id, client, actor, sender, recipient, purpose, kind, outcome, person, event, nonce, ord);
    insert into registry.leaves (network_id, log_index, leaf)
    select p_network, size + ord - 1, leaf from unnest(p_leaves) with ordinality as item (leaf, ord);
    return size;
end
$$;
revoke execute on function registry.append(integer, timestamptz, uuid[], uuid[], integer[], integer[], integer[], smallint[],
    smallint[], smallint[], text[], bytea[], bytea[], bytea[]) from public;
grant execute on function registry.append(integer, timestamptz, uuid[], uuid[], integer[], integer[], integer[], smallint[],
    smallint[], smallint[], text[], bytea[], bytea[], bytea[]) to {app};

-- As the previous release calls it, and the functions that remove.
create or replace function registry.append(
    p_network integer, p_at timestamptz, p_ids uuid[], p_clients uuid[], p_actors integer[], p_senders integer[],
    p_recipients integer[], p_purposes smallint[], p_kinds smallint[], p_outcomes smallint[], p_events bytea[],
    p_nonces bytea[], p_leaves bytea[]
) returns bigint language sql volatile as $$
    select registry.append(p_network, p_at, p_ids, p_clients, p_actors, p_senders, p_recipients, p_purposes, p_kinds,
        p_outcomes, array(select registry.person_of(kind, event)
            from unnest(p_kinds, p_events) with ordinality as item (kind, event, ord) order by ord),
        p_events, p_nonces, p_leaves)
$$;

-- Between which places of the log the events of a time are. Ids begin with the time, so the index over them finds both
-- ends; so many are looked at there that it does not matter in which order a few transactions that ran beside each other
-- were written, nor that the clock was set back. Others' events count too: a place says nothing about a person.
create function registry.places_between(p_network integer, p_from timestamptz, p_until timestamptz)
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
revoke execute on function registry.places_between(integer, timestamptz, timestamptz) from public;
grant execute on function registry.places_between(integer, timestamptz, timestamptz) to {app};

-- The last weeks of the log before a place: from which place on, and from when. A page of what is common is full within
-- them, and need not be looked for in the partition of every month there is. From that place on everything is younger
-- than that time, unless the clock was set back by more than three days: they lie between.
create function registry.last_weeks(p_network integer, p_before bigint) returns table (low bigint, since timestamptz)
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
revoke execute on function registry.last_weeks(integer, bigint) from public;
grant execute on function registry.last_weeks(integer, bigint) to {app};

-- What others were permitted to send to the partners of this transaction, newest first: columns only. Bytes and nonce
-- would let a recipient guess the sender's reference, and whom it was about is the sender's to say. Who may be permitted
-- anything is in the agreements' flows, so the index is descended once for each of those and for each outcome. Places
-- from p_low to before p_before, times from p_from to before p_until.
create function registry.permits_received(
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
        where e.network_id = p_network and e.kind = 1 and e.actor_id = f.sender_id and e.recipient_id = f.recipient_id
            and e.purpose_id = f.purpose_id and e.outcome = o.outcome and e.log_index >= p_low and e.log_index < p_before
            and e.at >= p_from and e.at < p_until
        order by e.log_index desc limit p_limit
    ) p
    where p_outcome is null or o.outcome = p_outcome
    order by p.log_index desc limit p_limit;
end
$$;
revoke execute on function registry.permits_received(integer, bigint, bigint, timestamptz, timestamptz, integer, integer,
    smallint, smallint) from public;
grant execute on function registry.permits_received(integer, bigint, bigint, timestamptz, timestamptz, integer, integer,
    smallint, smallint) to {app};

-- A whole log's bundle is made for the size that was signed.
grant select on registry.checkpoints to {auditor};
