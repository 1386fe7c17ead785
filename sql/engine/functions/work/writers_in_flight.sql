create or replace function imago.writers_in_flight(plan imago.plan)
returns text[]
language sql
volatile
set search_path = ''
as $$
  select coalesce(array_agg(distinct l.virtualtransaction), '{}')
  from pg_catalog.pg_locks l
  where l.mode = 'RowExclusiveLock' and l.granted and l.pid <> pg_catalog.pg_backend_pid()
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and l.relation in (
      select pg_catalog.to_regclass(w.relation) from imago.plan_write w where w.plan = plan.name
      union all
      select pg_catalog.to_regclass(s.source) from imago.plan_stages(plan) s)
$$;
comment on function imago.writers_in_flight(imago.plan) is 'Virtual transactions that have written, or are about to write, the plan''s tables and have not ended.';
