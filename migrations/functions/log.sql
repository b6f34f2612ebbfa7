-- The one way into the log, and what may be asked of it beyond one's own entries.

-- Who explained, approved, placed a hold: the staff reference an event names. The same as domain/events.py says.
create or replace function registry.person_of(p_kind smallint, p_event bytea) returns text
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
call registry.set_callers('registry.person_of', array['{app}']);

-- The one way into the log, called last in a transaction. The log lock (class 4) is taken before the size is read, and
-- the size is read in a statement of its own: in READ COMMITTED it then sees every commit of the previous holder, so
-- indices have no gap and no double. Returns the index of the first event.
create or replace function registry.append(
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
call registry.set_callers('registry.append(integer, timestamptz, uuid[], uuid[], integer[], integer[], integer[], smallint[], smallint[], '
    'smallint[], text[], bytea[], bytea[], bytea[])', array['{app}']);

-- The same for functions that append: the member of staff is taken from the event's own words, so that `audit replay`
-- finds the same there whoever wrote it.
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
call registry.set_callers('registry.append(integer, timestamptz, uuid[], uuid[], integer[], integer[], integer[], smallint[], smallint[], '
    'smallint[], bytea[], bytea[], bytea[])', array['{app}']);

create or replace function registry.event_places(p_network integer, p_events uuid[]) returns table (event_id uuid, log_index bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.event_id, e.log_index from registry.events e where e.network_id = p_network and e.event_id = any (p_events)
$$;
call registry.set_callers('registry.event_places', array['{app}']);

-- The latest time a network's log knows, among its last events. A process that starts asks once: a database whose clock
-- was set back since must not let a consent count again that had expired by then.
create or replace function registry.latest_event_at(p_network integer) returns timestamptz
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select max(e.at) from (
        select l.at from registry.events l where l.network_id = p_network order by l.log_index desc limit 10000) e
$$;
call registry.set_callers('registry.latest_event_at', array['{app}']);
