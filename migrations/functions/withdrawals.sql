-- Withdrawals on record, for the paper that comes later.

-- What was withdrawn of these clients, by any partner, each act once: when it was received and what it covers. A partner
-- reads its own withdrawals alone; but every withdrawal counts for a paper that is recorded, and for clients that are
-- linked. Who took it, by what channel, and which grants it named is not told.
create or replace function registry.withdrawals_of_clients(p_network integer, p_clients uuid[])
    returns table (act_id uuid, received_at timestamptz, covers text, covered_flows jsonb, partner_id integer, category_ids smallint[])
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select distinct on (w.act_id) w.act_id, w.received_at, w.covers, w.covered_flows,
        case w.covers when 'partner' then w.partner_id end, w.category_ids
    from registry.withdrawals w
    where w.network_id = p_network and w.client_id = any (p_clients) and w.covers <> 'consent'
    order by w.act_id, w.withdrawal_id
$$;
call registry.set_callers('registry.withdrawals_of_clients', array['{app}']);
