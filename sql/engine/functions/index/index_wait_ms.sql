create or replace function imago.index_wait_ms(relation text)
returns integer
language sql
stable
set search_path = ''
as $$
  -- Autovacuum gives way only to who has waited for deadlock_timeout.
  select imago.setting_number('ddl_lock_timeout_ms') + case when exists (
    select from pg_catalog.pg_locks l
    where l.relation = index_wait_ms.relation::pg_catalog.regclass and l.mode = 'ShareUpdateExclusiveLock' and l.granted
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()))
    then (select s.setting::integer from pg_catalog.pg_settings s where s.name = 'deadlock_timeout') else 0 end
$$;
comment on function imago.index_wait_ms(text) is 'How long to wait for the lock under which an index is built, while new writers stand in line behind us. Longer only where autovacuum may be in the way, which then ends.';
