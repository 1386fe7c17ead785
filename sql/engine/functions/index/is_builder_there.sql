create or replace function imago.is_builder_there(plan_name text)
returns boolean
language sql
volatile
set search_path = ''
as $$
  select exists (
    select from pg_catalog.pg_locks l
    where l.locktype = 'advisory' and l.granted and l.mode = 'ShareLock' and l.objsubid = 1
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and l.classid::bigint << 32 | l.objid::bigint = imago.plan_lock_key(plan_name, 'index'))
$$;
comment on function imago.is_builder_there(text) is 'Whether a command drives the plan that has a database connection: it builds indexes concurrently. It says so by a lock that ends with it.';
