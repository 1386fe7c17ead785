-- What the parts beside this file stand on. Each of their rows is one thing that is said of an object: the object, the one that
-- it is a part of, the aspect and its value, and, where supabase db diff writes neither, a statement that puts it and one that
-- takes it away. Nothing is said where all is as it is when nothing is said. Platform schemas, members of extensions and what Imago makes while it runs are left
-- out. What has no schema is left out where it belongs to a role of the platform.
with roles as (
  select r.oid, r.rolname from pg_catalog.pg_roles r
  where r.rolname = current_user
    or not r.rolsuper and r.rolname !~ '^(supabase_|pg_|dashboard_user$|pgbouncer$)' and pg_catalog.pg_has_role(r.oid, 'member')
),
members as materialized (
  select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'
),
schemas as (
  select n.oid, n.nspname, n.nspowner, n.nspacl
  from pg_catalog.pg_namespace n
  where n.nspname !~ '^pg_'
    and n.nspname <> all ('{
      information_schema,auth,storage,realtime,extensions,graphql,graphql_public,vault,pgbouncer,pgsodium,
      pgsodium_masks,supabase_functions,supabase_migrations,_realtime,_analytics,_supavisor,net,cron,pgmq,pgmq_public,
      pgtle,etl,imago,imago_undo,imago_attic}')
    and not exists (select from members m where m.classid = 'pg_catalog.pg_namespace'::regclass and m.objid = n.oid)
),
relations as (
  select c.*, pg_catalog.format('%I.%I', s.nspname, c.relname) as name,
    case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' when 'c' then 'composite type'
      when 'f' then 'foreign table' else 'table' end as kind,
    case when c.relkind = 'c' then 'type' when c.relkind in ('r', 'p') then 'table' end as called
  from pg_catalog.pg_class c
  join schemas s on s.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c')
    and not exists (select from members m where m.classid = 'pg_catalog.pg_class'::regclass and m.objid = c.oid)
),
-- Those of the platform that policies, triggers and publications may be on.
lent as (
  select c.oid, c.relkind, pg_catalog.format('%I.%I', n.nspname, c.relname) as name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('auth', 'storage', 'realtime')
  union all
  select oid, relkind, name from relations
),
functions as (
  select p.*
  from pg_catalog.pg_proc p
  join schemas s on s.oid = p.pronamespace
  where not exists (select from members m where m.classid = 'pg_catalog.pg_proc'::regclass and m.objid = p.oid)
),
types as (
  select t.*, pg_catalog.format('%I.%I', s.nspname, t.typname) as name
  from pg_catalog.pg_type t
  join schemas s on s.oid = t.typnamespace
  where t.typtype in ('e', 'd', 'r')
    and not exists (select from members m where m.classid = 'pg_catalog.pg_type'::regclass and m.objid = t.oid)
)
