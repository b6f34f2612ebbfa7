-- What makes a table one of a network's: for migrations, and for nobody else.

-- Row-level security, forced; one policy to read and one to add; privileges. Without `registry.network` there are no rows.
-- p_partners cuts what is read down to `registry.partners`, the partners on whose behalf a transaction runs: an expression
-- over the table's columns. A change concerns partners other than the one who records it, so adding asks for the network
-- alone. The policies' sub-selects are evaluated once a statement, not once a row.
-- p_app: what the application may do. p_audited: the auditor reads it, whole networks. p_append_only: triggers that refuse
-- changes. p_encrypted: a column that the migrator may encrypt again (registry.refuse_change lets that pass).
create or replace procedure registry.make_tenant_table(
    p_table text, p_partners text default null, p_app text default 'select, insert', p_audited boolean default false,
    p_append_only boolean default false, p_encrypted text default null
) language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    of_network constant pg_catalog.text := 'network_id = (select registry.current_network())';
begin
    execute format('alter table registry.%I enable row level security', p_table);
    execute format('alter table registry.%I force row level security', p_table);
    execute format('create policy %I on registry.%I for select using (%s%s)',
        p_table || '_read', p_table, of_network, coalesce(' and ' || p_partners, ''));
    execute format('create policy %I on registry.%I for insert with check (%s)', p_table || '_write', p_table, of_network);
    execute format('grant %s on registry.%I to {app}', p_app, p_table);
    if p_audited then
        execute format('grant select on registry.%I to {auditor}', p_table);
    end if;
    if p_audited and p_partners is not null then
        execute format('create policy %I on registry.%I for select to {auditor} using (%s)', p_table || '_audit', p_table, of_network);
    end if;
    if p_append_only then
        execute format('create trigger %I before update or delete on registry.%I for each row execute function registry.refuse_change(%s)',
            p_table || '_append_only', p_table, coalesce(quote_literal(p_encrypted), ''));
        execute format('create trigger %I before truncate on registry.%I for each statement execute function registry.refuse_change()',
            p_table || '_no_truncate', p_table);
    end if;
    if p_encrypted is not null then
        execute format('create policy %I on registry.%I for update to {owner} using (%s)', p_table || '_reseal', p_table, of_network);
    end if;
end
$$;
call registry.set_callers('registry.make_tenant_table');

-- A table whose rows are removed with their client: the owner, and so the functions that remove, may read and delete them
-- within the network that is set. Such a table has client_id (uuid) or client_ids (uuid[]); a row that belongs to a
-- consent also has consent_id, grant_id or release_id. The policy's name is what makes it known to
-- `removable_tables`, so a new table needs this one call in its migration, and nothing else.
create or replace function registry.make_removable(p_table text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('create policy %I on registry.%I for select to {owner} using (network_id = (select registry.current_network()))',
        p_table || '_removal_read', p_table);
    execute format('create policy %I on registry.%I for delete to {owner} using (network_id = (select registry.current_network()))',
        p_table || '_removal', p_table);
end
$$;
call registry.set_callers('registry.make_removable');
