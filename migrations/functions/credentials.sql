-- Whose each credential is, for the auditor.

-- Whose each credential is and what it may do. What proves it is not for the auditor to see, but its SHA-256 is: the
-- event that gave it out commits to that, so that nobody exchanges it for another's.
create or replace function registry.credential_holders(p_network integer)
    returns table (client_id text, partner_id integer, scopes text[], secret_key text, secret_mac bytea, recorded_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select c.client_id, c.partner_id, c.scopes, c.secret_key, sha256(c.secret_mac), c.recorded_at
    from registry.credentials c where c.network_id = p_network
$$;
call registry.set_callers('registry.credential_holders', array['{auditor}']);
