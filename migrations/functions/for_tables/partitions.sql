-- The monthly partitions of the log's events.

-- Makes the partitions of `events` for last month, this one and p_months more. Returns how many were made.
-- While DEFAULT is bigger than p_bytes nothing is made, with a warning, because moving its rows would stop those who
-- write there for too long; null moves whatever there is (`consent-registry migrate`, which may take its time).
-- Partitions carry no grants: rows are reached through their parent, or not at all.
-- While rows move out of DEFAULT, a statement that was planned before and waited could miss them, or write a row where its
-- month no longer is. Whoever makes this month's partition, or moves rows, therefore holds the log alone for that moment;
-- months to come are made beside the log and then attached, which waits for nobody but those who write into DEFAULT.
create or replace function registry.make_event_partitions(p_months integer, p_bytes bigint default 16777216) returns integer
    -- Who holds the log alone waits for that at most so long, because everybody else waits behind.
    language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '500ms' as $$
declare
    first_day pg_catalog.date := date_trunc('month', statement_timestamp() at time zone 'UTC');
    partition_name pg_catalog.text;
    month_from pg_catalog.timestamptz;
    month_until pg_catalog.timestamptz;
    kept_back bigint;
    made integer := 0;
begin
    -- One at a time: two processes may find the same month missing.
    perform pg_advisory_xact_lock(5 << 20, 0);
    for ahead in -1 .. p_months loop
        partition_name := 'events_' || to_char(first_day + make_interval(months => ahead), 'YYYYMM');
        continue when exists (
            select from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
            where i.inhparent = 'registry.events'::pg_catalog.regclass and c.relname = partition_name);
        kept_back := pg_table_size('registry.events_default');
        if kept_back > p_bytes then
            raise warning 'events_default holds % bytes: % is not made, run consent-registry migrate', kept_back, partition_name;
            return made;
        end if;
        month_from := (first_day + make_interval(months => ahead)) at time zone 'UTC';
        month_until := (first_day + make_interval(months => ahead + 1)) at time zone 'UTC';
        if ahead <= 0 or pg_relation_size('registry.events_default') > 0 then
            lock table registry.events in access exclusive mode;
        end if;
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
call registry.set_callers('registry.make_event_partitions', array['{app}']);

-- Drops the log's partitions of past months that hold no event of any network. Forced row-level security hides rows
-- from the owner as well; it is lifted for the look and forced again, under an exclusive lock on that partition alone.
create or replace function registry.drop_empty_event_partitions() returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    one pg_catalog.regclass;
    is_empty boolean;
    dropped integer := 0;
begin
    -- Dropping a partition holds the log alone for a moment, and whoever comes waits behind: better another day.
    set local lock_timeout = '1s';
    perform pg_advisory_xact_lock(5 << 20, 0);
    for one in
        select i.inhrelid::pg_catalog.regclass from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'registry.events'::pg_catalog.regclass and c.relname ~ '^events_[0-9]{6}$'
            and c.relname < 'events_' || to_char(statement_timestamp() at time zone 'UTC' - interval '2 months', 'YYYYMM')
        order by c.relname
    loop
        execute format('alter table %s no force row level security', one);
        execute format('select not exists (select from %s)', one) into is_empty;
        if is_empty then
            execute format('drop table %s', one);
            dropped := dropped + 1;
        else
            execute format('alter table %s force row level security', one);
        end if;
    end loop;
    return dropped;
end
$$;
call registry.set_callers('registry.drop_empty_event_partitions', array['{eraser}']);
