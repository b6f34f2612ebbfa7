-- Who may call a function: these roles and nobody else, whatever was granted before. Every function of the registry's
-- that is not for everybody is followed by one call of this, so that a file applied anew gives the same privileges.
-- p_function is a name, or where two functions share it a name with types. No role: its owner alone.
create or replace procedure registry.set_callers(p_function text, p_roles text[] default '{}')
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    signature pg_catalog.regprocedure := case when p_function ~ '[(]' then p_function::pg_catalog.regprocedure::pg_catalog.oid
        else p_function::pg_catalog.regproc::pg_catalog.oid end;
    role_name pg_catalog.text;
begin
    execute format('revoke all on routine %s from public', signature);
    for role_name in
        select a.grantee::pg_catalog.regrole::pg_catalog.text from pg_catalog.pg_proc p, aclexplode(p.proacl) a
        where p.oid = signature and a.grantee not in (0, p.proowner)
    loop
        execute format('revoke all on routine %s from %s', signature, role_name);
    end loop;
    foreach role_name in array p_roles loop
        execute format('grant execute on routine %s to %I', signature, role_name);
    end loop;
end
$$;
revoke all on procedure registry.set_callers(text, text[]) from public;
