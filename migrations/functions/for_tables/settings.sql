-- On whose behalf a transaction runs. The settings read as '' after a transaction that had them, hence nullif().

create or replace function registry.current_network() returns integer language sql stable parallel safe
    as $$ select nullif(current_setting('registry.network', true), '')::integer $$;

create or replace function registry.current_partners() returns integer[] language sql stable parallel safe
    as $$ select nullif(current_setting('registry.partners', true), '')::integer[] $$;
