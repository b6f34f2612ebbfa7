-- The one way into the log, and what may be asked of it beyond one's own entries.

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
call registry.set_callers('registry.append', array['{app}']);

-- Where events stand in the log. Index and leaf say nothing about a person, but the row that knows both is its actor's.
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
