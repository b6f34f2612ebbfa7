-- What the application asks of clients beyond its own partner's rows.

-- How many references each partner has for these clients: of too many no client is made. Partners see their own alone.
create or replace function registry.count_references(p_network integer, p_clients uuid[])
    returns table (partner_id integer, number integer) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
    select r.partner_id, count(*)::integer from registry.client_references r
    where r.network_id = p_network and r.client_id = any (p_clients) group by r.partner_id
$$;
call registry.set_callers('registry.count_references', array['{app}']);
