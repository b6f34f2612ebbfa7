-- Why: a month's partition can be made while the DEFAULT one already holds rows of that month (their rows move), and
-- making it no longer stops the decisions of other months: a table is made beside the log and then attached, which waits
-- for nobody but those who write into DEFAULT.
-- Survives the previous release: yes, its call make_event_partitions(months) means the same.

drop function registry.make_event_partitions(integer);

-- Makes the partitions of `events` for last month, this one and p_months more. Returns how many were made.
-- While DEFAULT is bigger than p_bytes nothing is made, with a warning, because moving its rows would stop those who
-- write there for too long; null moves whatever there is (`consent-registry migrate`, which may take its time).
-- Partitions carry no grants: rows are reached through their parent, or not at all.
create function registry.make_event_partitions(p_months integer, p_bytes bigint default 16777216) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    first_day pg_catalog.date := date_trunc('month', statement_timestamp() at time zone 'UTC');
    kept_back bigint := pg_table_size('registry.events_default');
    partition_name pg_catalog.text;
    month_from pg_catalog.timestamptz;
    month_until pg_catalog.timestamptz;
    made integer := 0;
begin
    -- One at a time: two processes may find the same month missing.
    perform pg_advisory_xact_lock(5 << 20, 0);
    for ahead in -1 .. p_months loop
        partition_name := 'events_' || to_char(first_day + make_interval(months => ahead), 'YYYYMM');
        continue when exists (
            select from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
            where i.inhparent = 'registry.events'::pg_catalog.regclass and c.relname = partition_name);
        if kept_back > p_bytes then
            raise warning 'events_default holds % bytes: % is not made, run consent-registry migrate', kept_back, partition_name;
            return made;
        end if;
        month_from := (first_day + make_interval(months => ahead)) at time zone 'UTC';
        month_until := (first_day + make_interval(months => ahead + 1)) at time zone 'UTC';
        execute format('create table registry.%I (like registry.events including defaults including constraints including storage)',
            partition_name);
        if pg_relation_size('registry.events_default') > 0 then
            -- Forced row-level security hides DEFAULT's rows from the owner too. It is lifted and forced again in one
            -- transaction under an exclusive lock: nobody else ever sees it lifted.
            alter table registry.events_default no force row level security;
            execute format('insert into registry.%I select * from registry.events_default where at >= $1 and at < $2', partition_name)
                using month_from, month_until;
            delete from registry.events_default where at >= month_from and at < month_until;
            if not exists (select from registry.events_default) then
                truncate registry.events_default;
            end if;
            alter table registry.events_default force row level security;
        end if;
        execute format('alter table registry.%I enable row level security', partition_name);
        execute format('alter table registry.%I force row level security', partition_name);
        execute format('alter table registry.events attach partition registry.%I for values from (%L) to (%L)', partition_name,
            month_from, month_until);
        made := made + 1;
    end loop;
    return made;
end
$$;
revoke execute on function registry.make_event_partitions(integer, bigint) from public;
grant execute on function registry.make_event_partitions(integer, bigint) to {app};

-- The latest time a network's log knows, among its last events. A process that starts asks once: a database whose clock
-- was set back since must not let a consent count again that had expired by then.
create function registry.latest_event_at(p_network integer) returns timestamptz
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select max(e.at) from (
        select l.at from registry.events l where l.network_id = p_network order by l.log_index desc limit 10000) e
$$;
revoke execute on function registry.latest_event_at(integer) from public;
grant execute on function registry.latest_event_at(integer) to {app};
