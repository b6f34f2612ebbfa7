-- Why: what partners are told of each other's acts, what they did after a decision, and the answers kept for a repeated key.
-- Survives the previous release: there is none.

-- The change feed: one row for each partner concerned. use_ban: what was passed on unlawfully may not be used at all
-- (§ 78 Abs. 1 SGB X): the sender forbids it at once.
create table changes (
    network_id integer not null,
    partner_id integer not null,
    change_id uuid not null,
    kind text not null,
    consent_id uuid not null,
    client_id uuid not null,
    grant_ids uuid[] not null,
    effective_from timestamptz not null,
    acknowledge_by timestamptz,
    recorded_at timestamptz not null,
    use_ban boolean not null default false,
    constraint changes_pkey primary key (network_id, partner_id, change_id)
);
create index changes_client_idx on changes (network_id, client_id);
call make_tenant_table('changes', 'partner_id = any ((select registry.current_partners())::integer[])');
select make_removable('changes');

create table transfers (
    network_id integer not null,
    transfer_id uuid not null,
    decision_id uuid not null,
    partner_id integer not null,
    client_id uuid,
    outcome text not null,
    category_ids smallint[] not null,
    transferred_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint transfers_pkey primary key (network_id, transfer_id),
    constraint transfers_outcome_check check (outcome in ('sent', 'not_sent', 'failed'))
);
create index transfers_decision_idx on transfers (network_id, decision_id);
create index transfers_client_idx on transfers (network_id, client_id) where client_id is not null;
call make_tenant_table('transfers', 'partner_id = any ((select registry.current_partners())::integer[])',
    p_audited => true, p_append_only => true);
select make_removable('transfers');

-- Answers kept for a repeated Idempotency-Key: scope is a digest of method, path and key; the answer is sealed.
-- partner_id is 0 for the network's administration. They are kept for at least a day and then forgotten.
create table idempotency_keys (
    network_id integer not null references networks,
    partner_id integer not null,
    scope bytea not null,
    body_sha256 bytea not null,
    answer bytea not null,
    client_ids uuid[] not null,
    recorded_at timestamptz not null,
    constraint idempotency_keys_pkey primary key (network_id, partner_id, scope)
);
call make_tenant_table('idempotency_keys', 'partner_id = any ((select registry.current_partners())::integer[])');
select make_removable('idempotency_keys');
create policy idempotency_keys_forget on idempotency_keys for delete to {owner}
    using (network_id = (select registry.current_network()));
create policy idempotency_keys_forget_read on idempotency_keys for select to {owner}
    using (network_id = (select registry.current_network()));
