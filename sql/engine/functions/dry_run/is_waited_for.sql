create or replace function imago.is_waited_for()
returns boolean
language sql
volatile
set search_path = ''
as $$
  select exists (
    select from pg_catalog.pg_locks l
    where not l.granted
      and l.waitstart <= clock_timestamp() - make_interval(secs => imago.setting_number('dry_run_wait_ms') / 1000.0)
      and pg_catalog.pg_backend_pid() = any (pg_catalog.pg_blocking_pids(l.pid)))
$$;
comment on function imago.is_waited_for() is 'Whether another session has waited for a lock of this one for dry_run_wait_ms.';
