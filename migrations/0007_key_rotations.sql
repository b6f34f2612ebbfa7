-- Why: each network's log names every new key once, whichever process notices it first; and values that the registry
-- seals, with the digests that find references, may move to a new key. That is the migrator's, an operator's act: the
-- application's privileges stay SELECT and INSERT.
-- Survives the previous release: yes, it knows nothing of these rows and needs none of these rights.

create table key_rotations (
    network_id integer not null references networks,
    key_file text collate "C" not null,
    key_id text collate "C" not null,
    recorded_at timestamptz not null,
    constraint key_rotations_pkey primary key (network_id, key_file, key_id),
    constraint key_rotations_file_check check (key_file in ('digest', 'sealing', 'token', 'log'))
);
alter table key_rotations enable row level security;
alter table key_rotations force row level security;
create policy key_rotations_read on key_rotations for select
    using (network_id = (select registry.current_network()));
create policy key_rotations_write on key_rotations for insert
    with check (network_id = (select registry.current_network()));
grant select, insert on key_rotations to {app};
create trigger key_rotations_append_only before update or delete on key_rotations
    for each row execute function registry.refuse_change();
create trigger key_rotations_no_truncate before truncate on key_rotations
    for each statement execute function registry.refuse_change();

-- A sealed value may be sealed anew where the trigger names its column; nothing else of a row may change. What lets
-- removals pass is as it was.
create or replace function registry.refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('registry.removal', true) = 'on'
        and tg_table_name not in ('leaves', 'texts', 'text_languages', 'key_rotations') then
        return old;
    end if;
    if tg_op = 'UPDATE' and tg_nargs = 1 then
        if (to_jsonb(old) ->> tg_argv[0]) is not null and (to_jsonb(new) ->> tg_argv[0]) is not null
            and to_jsonb(old) - tg_argv[0] = to_jsonb(new) - tg_argv[0] then
            return new;
        end if;
    end if;
    raise exception 'registry.% is append-only', tg_table_name using errcode = 'restrict_violation';
end
$$;
do $$
declare
    sealing_table text;
    sealed_column text;
begin
    for sealing_table, sealed_column in values ('consents', 'evidence_kept_at'),
        ('consent_evidence', 'kept_at'), ('releases', 'function_sealed') loop
        execute format('drop trigger %I on registry.%I', sealing_table || '_append_only', sealing_table);
        execute format('create trigger %I before update or delete on registry.%I for each row '
            || 'execute function registry.refuse_change(%L)', sealing_table || '_append_only', sealing_table, sealed_column);
    end loop;
    foreach sealing_table in array array['client_references', 'consents', 'consent_evidence', 'releases'] loop
        execute format('create policy %I on registry.%I for update to {owner} '
            || 'using (network_id = (select registry.current_network()))', sealing_table || '_reseal', sealing_table);
    end loop;
end
$$;
