-- What keeps tables from being changed by accident.

-- A courtesy against accidents, not evidence: what proves that nothing was altered is the log. It lets the functions that
-- remove pass, which alone set `registry.removal`; what guards is that nobody else may delete at all. Leaves, texts and
-- keys are never removed. A sealed value may be encrypted again where the trigger names its column; nothing else of a row
-- may change.
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
