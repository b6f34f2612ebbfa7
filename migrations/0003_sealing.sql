-- Why: the log becomes one that strangers can verify: tiles of its tree and signed checkpoints, written by the sealer, a
-- process with a role of its own that sees leaves and nothing about anybody.
-- Survives the previous release: yes, it knows neither table and loses no privilege.

-- C2SP tlog-tiles: 1 to 256 hashes of 32 bytes. Of a tile that still grows the widest stands here; a narrower one is
-- its beginning.
create table tiles (
    network_id integer not null references networks,
    level smallint not null,
    number bigint not null,
    width smallint not null,
    data bytea not null,
    constraint tiles_pkey primary key (network_id, level, number, width),
    constraint tiles_level_check check (level between 0 and 7 and number >= 0),
    constraint tiles_data_check check (width between 1 and 256 and octet_length(data) = 32 * width)
);
-- Hashes do not compress, and a part of the bytes is read without the rest.
alter table tiles alter column data set storage external;

-- What was published. Signed again with the same size and root, it is published again: witnesses say when they saw it.
create table checkpoints (
    network_id integer not null references networks,
    size bigint not null,
    published_at timestamptz not null,
    root bytea not null,
    note bytea not null,
    constraint checkpoints_pkey primary key (network_id, size, published_at),
    constraint checkpoints_size_check check (size >= 0),
    constraint checkpoints_root_check check (octet_length(root) = 32)
);

do $$
declare
    sealed text;
begin
    foreach sealed in array array['tiles', 'checkpoints'] loop
        execute format('alter table registry.%I enable row level security', sealed);
        execute format('alter table registry.%I force row level security', sealed);
        execute format('create policy %I on registry.%I for select using (network_id = (select registry.current_network()))',
            sealed || '_read', sealed);
        execute format('create policy %I on registry.%I for insert with check (network_id = (select registry.current_network()))',
            sealed || '_write', sealed);
        execute format('create policy %I on registry.%I for delete to {owner} using (network_id = (select registry.current_network()))',
            sealed || '_thin', sealed);
        execute format('grant select on registry.%I to {app}', sealed);
        execute format('grant select, insert on registry.%I to {sealer}', sealed);
        execute format('create trigger %I before update on registry.%I for each row execute function registry.refuse_change()',
            sealed || '_unchanged', sealed);
        execute format('create trigger %I before truncate on registry.%I for each statement execute function registry.refuse_change()',
            sealed || '_no_truncate', sealed);
    end loop;
end
$$;

grant usage on schema registry to {sealer};
grant select on registry.networks to {sealer};
grant select on registry.leaves to {sealer};

-- Every network with the size of its log: one descent of an index for each. With its caller's rights; a caller that sees
-- one network at a time needs the setting made for each (SET LOCAL and not set_config(), which would stay on one node).
create function registry.log_sizes() returns table (network_id integer, slug text, log_origin text, log_size bigint)
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
revoke execute on function registry.log_sizes() from public;
grant execute on function registry.log_sizes() to {sealer};

-- Takes away the narrower stages of tiles that are there wider with the same beginning, and nothing else.
create function registry.drop_narrower_tiles(p_network integer, p_levels smallint[], p_numbers bigint[]) returns bigint
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
revoke execute on function registry.drop_narrower_tiles(integer, smallint[], bigint[]) from public;
grant execute on function registry.drop_narrower_tiles(integer, smallint[], bigint[]) to {sealer};

-- Of checkpoints older than a day the last of each hour stays: every later one proves them all.
create function registry.thin_checkpoints(p_network integer) returns bigint
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
revoke execute on function registry.thin_checkpoints(integer) from public;
grant execute on function registry.thin_checkpoints(integer) to {sealer};
