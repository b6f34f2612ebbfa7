-- Erasure (Art. 17 DSGVO): what the eraser's login may find, see and remove, each a function; it reads no table.

-- Every removable table but events, those that refer to others first.
create or replace function registry.removable_tables() returns table (name text, depth integer)
    language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive removable as (
        select c.oid, c.relname from pg_catalog.pg_class c join pg_catalog.pg_policy p on p.polrelid = c.oid and p.polcmd = 'd'
        where c.relnamespace = 'registry'::pg_catalog.regnamespace and p.polname = c.relname || '_removal' and c.relname <> 'events'
    ), below (oid, depth) as (
        select oid, 0 from removable
        union
        select f.conrelid, b.depth + 1 from below b
        join pg_catalog.pg_constraint f on f.confrelid = b.oid and f.contype = 'f' and f.conrelid <> f.confrelid
        join removable r on r.oid = f.conrelid
    )
    select r.relname::pg_catalog.text, max(b.depth) from below b join removable r using (oid)
    group by r.relname order by max(b.depth) desc, r.relname
$$;
call registry.set_callers('registry.removable_tables');

-- The rule by which rows of a table belong to clients ($2), or to consents ($3), grants ($4) and releases ($5).
create or replace function registry.removal_rule(p_table text) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select '(' || string_agg(case attname when 'client_ids' then 'client_ids && $2' when 'client_id' then 'client_id = any ($2)'
        when 'consent_id' then 'consent_id = any ($3)' when 'grant_id' then 'grant_id = any ($4)'
        else 'release_id = any ($5)' end, ' or ') || ')'
    from pg_catalog.pg_attribute where attrelid = format('registry.%I', p_table)::pg_catalog.regclass and not attisdropped
        and attname in ('client_id', 'client_ids', 'consent_id', 'grant_id', 'release_id')
$$;
call registry.set_callers('registry.removal_rule');

-- Indices as ascending, inclusive spans: 3, 7, 8, 9 are [[3, 3], [7, 9]].
create or replace function registry.spans(p_indices bigint[]) returns jsonb
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select coalesce(jsonb_agg(jsonb_build_array(low, high) order by low), '[]') from (
        select min(i) as low, max(i) as high
        from (select i, i - row_number() over (order by i) as run from unnest(p_indices) as i) as numbered group by run
    ) as runs
$$;
call registry.set_callers('registry.spans');

-- Everything behind one person: the ids of all clients that are the same person as this one when it is asked, itself
-- among them.
create or replace function registry.clients_of_person(p_network integer, p_client uuid) returns uuid[]
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select array_agg(c.client_id order by c.client_id) from registry.clients c
    where c.network_id = p_network and c.client_id in (
        select p_client
        union
        select m.client_id from registry.current_memberships o
        join registry.current_memberships m on m.network_id = p_network and m.group_id = o.group_id
        where o.network_id = p_network and o.client_id = p_client)
$$;
call registry.set_callers('registry.clients_of_person', array['{eraser}']);

create or replace function registry.removal_network(p_slug text)
    returns table (network_id integer, slug text, name text, about text, log_origin text)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select n.network_id, n.slug, n.name, n.about, n.log_origin from registry.networks n where n.slug = p_slug
$$;
call registry.set_callers('registry.removal_network', array['{eraser}']);

-- The client behind a partner's reference (by any of the digests it may be stored under), or behind a consent.
create or replace function registry.find_client(p_network integer, p_partner text, p_digests bytea[]) returns uuid
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select r.client_id from registry.client_references r
    join registry.partners p on p.network_id = r.network_id and p.partner_id = r.partner_id
    where r.network_id = p_network and p.slug = p_partner and r.digest = any (p_digests)
$$;
call registry.set_callers('registry.find_client', array['{eraser}']);

create or replace function registry.find_client_of_consent(p_network integer, p_consent uuid) returns uuid
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select c.client_id from registry.consents c where c.network_id = p_network and c.consent_id = p_consent
$$;
call registry.set_callers('registry.find_client_of_consent', array['{eraser}']);

create or replace function registry.partner_number(p_network integer, p_partner text) returns integer
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select p.partner_id from registry.partners p where p.network_id = p_network and p.slug = p_partner
$$;
call registry.set_callers('registry.partner_number', array['{eraser}']);

-- Which of these clients the database still knows: what the erasure ledger asks before the registry is ready.
create or replace function registry.known_clients(p_network integer, p_clients uuid[]) returns uuid[]
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(c.client_id order by c.client_id), '{}') from registry.clients c
    where c.network_id = p_network and c.client_id = any (p_clients)
$$;
call registry.set_callers('registry.known_clients', array['{app}', '{eraser}']);

-- What is there of these clients: rows by table, events by kind with their spans, partners that take part, open holds.
create or replace function registry.survey_clients(p_network integer, p_clients uuid[]) returns jsonb
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    tables pg_catalog.jsonb := '{}';
    one pg_catalog.text;
    number bigint;
    found pg_catalog.jsonb;
begin
    for one in select name from registry.removable_tables() loop
        execute format('select count(*) from registry.%I where network_id = $1 and %s', one, registry.removal_rule(one))
            into number using p_network, p_clients, '{}'::pg_catalog.uuid[], '{}'::pg_catalog.uuid[], '{}'::pg_catalog.uuid[];
        tables := tables || jsonb_build_object(one, number);
    end loop;
    select jsonb_build_object('events', coalesce(jsonb_object_agg(kind, amount), '{}'),
        'state', registry.spans((select array_agg(s.log_index) from registry.events s
            where s.network_id = p_network and s.client_id = any (p_clients) and s.kind <> all (registry.kinds_of('use'))))) into found
    from (select kind, count(*) as amount from registry.events
        where network_id = p_network and client_id = any (p_clients) group by kind) as kinds;
    return found || jsonb_build_object(
        'tables', tables,
        'indices', (select registry.spans(array_agg(log_index)) from registry.events
            where network_id = p_network and client_id = any (p_clients)),
        'partners', (select coalesce(jsonb_agg(distinct p.slug), '[]') from registry.partners p
            where p.network_id = p_network and p.partner_id in (
                select partner_id from registry.client_references where network_id = p_network and client_id = any (p_clients)
                union select unnest(partner_ids) from registry.consents where network_id = p_network and client_id = any (p_clients)
                union select sender_id from registry.events where network_id = p_network and client_id = any (p_clients)
                union select recipient_id from registry.events
                    where network_id = p_network and client_id = any (p_clients))),
        'holds', (select coalesce(jsonb_agg(jsonb_build_object('hold', h.hold_id, 'norm', h.norm) order by h.hold_id), '[]')
            from registry.holds h where h.network_id = p_network and h.client_id = any (p_clients) and not exists (
                select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)));
end
$$;
call registry.set_callers('registry.survey_clients', array['{eraser}']);

-- The references of these clients, sealed, and a place in the log behind which each was registered: that of the last
-- event about them that is no mere use.
create or replace function registry.references_of(p_network integer, p_clients uuid[])
    returns table (partner_id integer, client_id uuid, digest bytea, sealed bytea, before bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select r.partner_id, r.client_id, r.digest, r.sealed, (select max(e.log_index) from registry.events e
        where e.network_id = p_network and e.client_id = any (p_clients) and e.kind <> all (registry.kinds_of('use')))
    from registry.client_references r where r.network_id = p_network and r.client_id = any (p_clients)
$$;
call registry.set_callers('registry.references_of', array['{eraser}']);

-- Questions a partner asked about references that nobody had registered yet, between two places of the log, by pages.
create or replace function registry.questions_about_nobody(
    p_network integer, p_partner integer, p_after bigint, p_before bigint, p_limit integer)
    returns table (log_index bigint, nonce bytea, event bytea)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.log_index, e.nonce, e.event from registry.events e
    where e.network_id = p_network and e.sender_id = p_partner and e.kind = registry.kind('decision') and e.client_id is null
      and e.log_index > p_after and e.log_index < p_before
    order by e.log_index limit p_limit
$$;
call registry.set_callers('registry.questions_about_nobody', array['{eraser}']);

-- Takes the person's locks in the order of the house: catalogue (shared), then clients, and the references by which
-- they may be being registered, ascending. Held until the transaction ends.
create or replace function registry.lock_clients(p_network integer, p_clients uuid[]) returns void
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    number integer;
begin
    perform pg_advisory_xact_lock_shared((2 << 20) | p_network, 0);
    for number in
        select ('x' || substr(c::pg_catalog.text, 1, 8))::bit(32)::integer from unnest(p_clients) as c
        union
        select ('x' || encode(substr(r.digest, 1, 4), 'hex'))::bit(32)::integer from registry.client_references r
        where r.network_id = p_network and r.client_id = any (p_clients)
        order by 1
    loop
        perform pg_advisory_xact_lock((3 << 20) | p_network, number);
    end loop;
end
$$;
call registry.set_callers('registry.lock_clients', array['{eraser}']);

-- Removes the rows that belong to these clients, consents, grants and releases; returns how many by table.
create or replace function registry.remove_rows(
    p_network integer, p_clients uuid[], p_consents uuid[], p_grants uuid[], p_releases uuid[]
) returns jsonb language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    removed pg_catalog.jsonb := '{}';
    one pg_catalog.text;
    number bigint;
begin
    set local registry.removal = 'on';
    for one in select name from registry.removable_tables() loop
        execute format('delete from registry.%I where network_id = $1 and %s', one, registry.removal_rule(one))
            using p_network, p_clients, p_consents, p_grants, p_releases;
        get diagnostics number = row_count;
        removed := removed || jsonb_build_object(one, number);
    end loop;
    set local registry.removal = '';
    return removed;
end
$$;
call registry.set_callers('registry.remove_rows');

-- Appends the event that says what was removed. It must list exactly the places that were emptied: so nobody, not even
-- with the eraser's login, takes an event out of the log without saying so in it.
create or replace function registry.append_removal(
    p_network integer, p_kind smallint, p_indices bigint[], p_at timestamptz, p_id uuid, p_event bytea, p_nonce bytea,
    p_leaf bytea
) returns bigint language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    said pg_catalog.jsonb := convert_from(p_event, 'UTF8')::pg_catalog.jsonb;
begin
    if said -> 'indices' is distinct from registry.spans(p_indices) then
        raise exception 'the event does not list what was removed' using errcode = 'serialization_failure';
    end if;
    -- Without an actor: the list's gaps would count what others wrote, so it is for auditors alone.
    return registry.append(p_network, p_at, array[p_id], array[null]::pg_catalog.uuid[], array[null]::integer[], array[null]::integer[],
        array[null]::integer[], array[null]::smallint[], array[p_kind], array[null]::smallint[], array[null]::pg_catalog.text[], array[p_event],
        array[p_nonce], array[p_leaf]);
end
$$;
call registry.set_callers('registry.append_removal');

-- The one way to erase. Removes everything keyed by these clients, and the questions about nobody that the caller
-- recognised as being about them, and appends the event; returns its place in the log and the partitions touched.
create or replace function registry.erase_clients(
    p_network integer, p_clients uuid[], p_questions bigint[], p_ground text, p_at timestamptz, p_id uuid,
    p_event bytea, p_nonce bytea, p_leaf bytea
) returns table (log_index bigint, partitions text[]) language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp as $$
declare
    gone bigint[];
begin
    execute format('set local registry.network = %L', p_network);
    perform registry.lock_clients(p_network, p_clients);
    if exists (select from registry.holds h where h.network_id = p_network and h.client_id = any (p_clients)
        and not exists (select from registry.hold_liftings l where l.network_id = p_network and l.hold_id = h.hold_id)) then
        raise exception 'a legal hold stands against this' using errcode = 'restrict_violation';
    end if;
    with removed as (
        delete from registry.events e where e.network_id = p_network and (e.client_id = any (p_clients)
            or e.log_index = any (p_questions) and e.client_id is null and e.kind = registry.kind('decision'))
        returning e.log_index, e.tableoid
    ) select array_agg(r.log_index), array_agg(distinct r.tableoid::pg_catalog.regclass::pg_catalog.text) into gone, partitions from removed r;
    perform registry.remove_rows(p_network, p_clients, '{}', '{}', '{}');
    insert into registry.erasures (network_id, erasure_id, ground, events, recorded_at)
    values (p_network, p_id, p_ground, coalesce(cardinality(gone), 0), p_at);
    log_index := registry.append_removal(p_network, registry.kind('erasure'), coalesce(gone, '{}'), p_at, p_id, p_event,
        p_nonce, p_leaf);
    return next;
end
$$;
call registry.set_callers('registry.erase_clients', array['{eraser}']);
