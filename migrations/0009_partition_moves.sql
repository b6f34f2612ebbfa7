-- Why: while rows moved out of DEFAULT, a statement that had been planned before and waited could miss them, or write a
-- row where its month no longer was. Whoever makes this month's partition, or moves rows, now holds the log alone for
-- that moment; months to come are still made without stopping anybody.
-- Survives the previous release: yes, the call is the same.

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
