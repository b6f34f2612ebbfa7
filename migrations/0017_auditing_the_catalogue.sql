-- Why: the event that sets a network up tells all of its catalogue, so `audit replay` compares that too: a flow put in by
-- hand, a partner no longer kept apart, a credential given to somebody else.
-- Survives the previous release: yes, which reads none of it as the auditor.

grant select on registry.flows, registry.agreement_endings, registry.credential_revocations to {auditor};

-- Whose each credential is and what it may do. What proves it is not for the auditor to see, but its SHA-256 is: the
-- event that gave it out commits to that, so that nobody exchanges it for another's.
create function registry.credential_holders(p_network integer)
    returns table (client_id text, partner_id integer, scopes text[], secret_key text, secret_mac bytea, recorded_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select c.client_id, c.partner_id, c.scopes, c.secret_key, sha256(c.secret_mac), c.recorded_at
    from registry.credentials c where c.network_id = p_network
$$;
revoke execute on function registry.credential_holders(integer) from public;
grant execute on function registry.credential_holders(integer) to {auditor};
