-- Why: retention took a withdrawal's row away when nothing of its own number's was left that it had changed, although
-- it had changed what another number of the same client agreed to, and its event stayed: row and event go together, so
-- that `audit replay` finds in the tables what the log tells.
-- Survives the previous release: yes.

create or replace function registry.retain(
    p_network integer, p_limit integer, p_at timestamptz, p_id uuid, p_event bytea, p_nonce bytea, p_leaf bytea
) returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    due pg_catalog.record;
    concerned pg_catalog.uuid[];
    transfers_gone pg_catalog.uuid[];
begin
    execute format('set local registry.network = %L', p_network);
    perform pg_advisory_xact_lock_shared((2 << 20) | p_network, 0);
    select * into due from registry.due_step(p_network, p_limit);
    select coalesce(array_agg(distinct c.client_id), '{}') || due.clients into concerned from registry.consents c
    where c.network_id = p_network and c.consent_id = any (due.consents);
    perform registry.lock_clients(p_network, concerned);
    -- Again, now that nobody changes them: a hold may have been placed, or something recorded, while this waited.
    select * into due from registry.due_step(p_network, p_limit);
    if due.step is null then
        return null;
    end if;
    if exists (select from registry.consents c where c.network_id = p_network and c.consent_id = any (due.consents)
        and c.client_id <> all (concerned)) or not due.clients <@ concerned then
        raise exception 'something else became due meanwhile' using errcode = 'serialization_failure';
    end if;
    if due.step = 'uses' then
        select array_agg(e.event_id) into transfers_gone from registry.events e
        where e.network_id = p_network and e.log_index = any (due.places) and e.kind = 5;
        set local registry.removal = 'on';
        delete from registry.transfers t where t.network_id = p_network and t.transfer_id = any (transfers_gone);
        set local registry.removal = '';
    end if;
    perform registry.remove_rows(p_network, due.clients, due.consents,
        array(select g.grant_id from registry.grants g where g.network_id = p_network and g.consent_id = any (due.consents)),
        array(select r.release_id from registry.releases r where r.network_id = p_network and r.consent_id = any (due.consents)));
    set local registry.removal = 'on';
    -- A withdrawal goes with the event that tells of it.
    delete from registry.withdrawals w where w.network_id = p_network and w.withdrawal_id in (
        select e.event_id from registry.events e where e.network_id = p_network and e.log_index = any (due.places));
    set local registry.removal = '';
    delete from registry.events e where e.network_id = p_network and e.log_index = any (due.places);
    insert into registry.retentions (network_id, retention_id, events, recorded_at)
    values (p_network, p_id, cardinality(due.places), p_at);
    return registry.append_removal(p_network, 28::smallint, due.places, p_at, p_id, p_event, p_nonce, p_leaf);
end
$$;
