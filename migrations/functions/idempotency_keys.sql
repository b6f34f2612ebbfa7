-- Stored answers.

create or replace function registry.forget_idempotency_keys(p_network integer) returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    with gone as (
        delete from registry.idempotency_keys
        where network_id = p_network and recorded_at < statement_timestamp() - interval '48 hours' returning 1
    ) select count(*) from gone
$$;
call registry.set_callers('registry.forget_idempotency_keys', array['{app}']);
