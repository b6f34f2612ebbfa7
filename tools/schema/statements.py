"""The statements that read `pg_catalog`: one for each kind of object in the schema `registry`.

Each returns whole lines of SQL or their parts, ordered by name. Role names are read as they are in the database;
reader.py replaces them by `{app}` and the like.
"""

# Which monthly partitions exist depends on the date, so the text has only what all of them share.
MONTH = r"^events_\d{6}$"

SCHEMA = """
    select a.grantee::regrole::text as grantee, a.privilege_type as privilege
    from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'registry' and a.grantee <> n.nspowner order by 1, 2
"""
# Objects of kinds that the reader does not know, which would otherwise be missing in the text unnoticed.
UNKNOWN = """
    select 'relation ' || relname from pg_class
    where relnamespace = 'registry'::regnamespace and relkind not in ('r', 'p', 'v', 'i', 'I')
    union all
    select 'type ' || typname from pg_type where typnamespace = 'registry'::regnamespace and typtype not in ('b', 'c')
    union all
    select 'aggregate or window function ' || proname from pg_proc
    where pronamespace = 'registry'::regnamespace and prokind not in ('f', 'p')
    union all
    select 'function without a text of its own ' || proname from pg_proc
    where pronamespace = 'registry'::regnamespace and prosqlbody is not null
    union all
    select 'operator ' || oprname from pg_operator where oprnamespace = 'registry'::regnamespace
    union all
    select 'statistics ' || stxname from pg_statistic_ext where stxnamespace = 'registry'::regnamespace
    union all
    select 'rule ' || rulename from pg_rewrite r join pg_class c on c.oid = r.ev_class
    where c.relnamespace = 'registry'::regnamespace and (c.relkind <> 'v' or rulename <> '_RETURN')
    union all
    select 'default privileges of ' || defaclrole::regrole from pg_default_acl
    union all
    select 'what somebody else owns: ' || relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'registry' and c.relowner <> n.nspowner
    union all
    select 'what somebody else owns: ' || proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'registry' and p.proowner <> n.nspowner
"""
RELATIONS = """
    select c.oid, c.relname as name, c.relkind::text as kind, c.relrowsecurity as secured,
        c.relforcerowsecurity as forced, c.relispartition as is_partition,
        array_to_string(c.reloptions, ', ') as options, pg_get_partkeydef(c.oid) as partition_key,
        pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_class c
    where c.relnamespace = 'registry'::regnamespace and c.relkind in ('r', 'p', 'v') and c.relname !~ $1
    order by c.relname collate "C"
"""
MONTHS = """
    select distinct c.relkind::text || case when c.relrowsecurity then ', row level security' else '' end
        || case when c.relforcerowsecurity then ', forced' else '' end
        || coalesce(', privileges ' || c.relacl::text, ', no privileges')
        || ', partition of '
        || coalesce((select i.inhparent::regclass::text from pg_inherits i where i.inhrelid = c.oid), '-')
        || ', columns ' || (select string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || case when a.attnotnull then ' not null' else '' end || ' ' || a.attstorage::text, ', ' order by a.attnum)
            from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
        || ', indices ' || (select count(*) from pg_index i where i.indrelid = c.oid)
    from pg_class c
    where c.relnamespace = 'registry'::regnamespace and c.relname ~ $1 and c.relkind in ('r', 'p') order by 1
"""
# The columns are in the order of the table, because a row's width depends on it.
COLUMNS = """
    select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
        pg_get_expr(d.adbin, d.adrelid) as value,
        case when a.attcollation <> t.typcollation then l.collname end as collation,
        case when a.attstorage <> t.typstorage then a.attstorage::text end as storage,
        a.attacl::text as privileges, a.attidentity::text || a.attgenerated::text as made
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_collation l on l.oid = a.attcollation
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
# PostgreSQL 18 also has a constraint for each NOT NULL, which is left out: the column has it already.
CONSTRAINTS = """
    select conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
    where conrelid = $1 and contype in ('p', 'u', 'f', 'c', 'x') and conparentid = 0
    order by array_position(array['p', 'u', 'f', 'x', 'c'], contype::text), conname collate "C"
"""
INDICES = """
    select pg_get_indexdef(i.indexrelid) as definition, i.indisvalid as valid
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = $1 and not exists (
        select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
    order by c.relname collate "C"
"""
POLICIES = """
    select polname as name, polpermissive as permissive, pg_get_expr(polqual, polrelid) as rule,
        case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
            else 'all' end as command,
        pg_get_expr(polwithcheck, polrelid) as written, array(
            select case role when 0 then 'public' else role::regrole::text end from unnest(polroles) as role order by 1
        ) as roles
    from pg_policy where polrelid = $1 order by polname collate "C"
"""
TRIGGERS = """
    select pg_get_triggerdef(oid) as definition, tgenabled::text as enabled
    from pg_trigger where tgrelid = $1 and not tgisinternal order by tgname collate "C"
"""
PRIVILEGES = """
    select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
        string_agg(lower(a.privilege_type) || case when a.is_grantable then ' (grantable)' else '' end, ', '
            order by a.privilege_type) as privileges
    from pg_class c, aclexplode(c.relacl) a where c.oid = $1 and a.grantee <> c.relowner group by 1 order by 1
"""
VIEW = "select pg_get_viewdef($1::oid)"
FUNCTIONS = """
    select p.proname as name, p.prokind::text as kind, pg_get_function_arguments(p.oid) as arguments,
        pg_get_function_result(p.oid) as result, l.lanname as language, p.provolatile::text as volatility,
        p.proparallel::text as parallel, p.proisstrict as strict, p.prosecdef as definer, p.proleakproof as leakproof,
        p.procost as cost, p.prorows as rows, p.proretset as many, p.proconfig as settings, p.prosrc as body,
        p.proacl is null as everybody, array(
            select case a.grantee when 0 then 'public' else a.grantee::regrole::text end
                || case when a.is_grantable then ' (grantable)' else '' end
            from aclexplode(p.proacl) a where a.grantee <> p.proowner order by 1
        ) as callers
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'registry'::regnamespace
    order by p.proname collate "C", pg_get_function_identity_arguments(p.oid) collate "C"
"""
