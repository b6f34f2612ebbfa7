-- What the sealer does to tiles and checkpoints, and the logs there are.

-- Every network with the size of its log: one descent of an index for each. With its caller's rights; a caller that sees
-- one network at a time needs the setting made for each (SET LOCAL and not set_config(), which would stay on one node).
create or replace function registry.log_sizes() returns table (network_id integer, slug text, log_origin text, log_size bigint)
    language plpgsql volatile as $$
declare
    one pg_catalog.record;
begin
    for one in select n.network_id, n.slug, n.log_origin from registry.networks n order by n.network_id loop
        execute format('set local registry.network = %L', one.network_id);
        network_id := one.network_id;
        slug := one.slug;
        log_origin := one.log_origin;
        select coalesce(max(l.log_index) + 1, 0) into log_size from registry.leaves l where l.network_id = one.network_id;
        return next;
    end loop;
    set local registry.network = '';
end
$$;
call registry.set_callers('registry.log_sizes', array['{sealer}']);

-- Takes away the narrower stages of tiles that are there wider with the same beginning, and nothing else.
create or replace function registry.drop_narrower_tiles(p_network integer, p_levels smallint[], p_numbers bigint[]) returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    with gone as (
        delete from registry.tiles narrow
        using unnest(p_levels, p_numbers) as given (level, number), registry.tiles wide
        where narrow.network_id = p_network and narrow.level = given.level and narrow.number = given.number
            and wide.network_id = p_network and wide.level = given.level and wide.number = given.number
            and wide.width > narrow.width and substring(wide.data for 32 * narrow.width) = narrow.data
        returning 1
    ) select count(*) from gone
$$;
call registry.set_callers('registry.drop_narrower_tiles', array['{sealer}']);

-- Of checkpoints older than a day the last of each hour stays: every later one proves them all.
create or replace function registry.thin_checkpoints(p_network integer) returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    with ranked as (
        select c.size, c.published_at, row_number() over (
            partition by date_trunc('hour', c.published_at, 'UTC') order by c.size desc, c.published_at desc) as place
        from registry.checkpoints c
        where c.network_id = p_network and c.published_at < statement_timestamp() - interval '1 day'
    ), gone as (
        delete from registry.checkpoints c using ranked
        where c.network_id = p_network and c.size = ranked.size and c.published_at = ranked.published_at
            and ranked.place > 1
        returning 1
    ) select count(*) from gone
$$;
call registry.set_callers('registry.thin_checkpoints', array['{sealer}']);
