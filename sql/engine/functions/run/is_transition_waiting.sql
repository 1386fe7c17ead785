create or replace function imago.is_transition_waiting(run_id bigint)
returns boolean
language sql
volatile
set search_path = ''
as $$
  select exists (
    select from pg_catalog.pg_locks l
    where l.locktype = 'advisory' and not l.granted and l.mode = 'ExclusiveLock' and l.objsubid = 1
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and l.classid::bigint << 32 | l.objid::bigint = imago.run_lock_key(run_id))
$$;
comment on function imago.is_transition_waiting(bigint) is 'Whether somebody waits to pause, cancel or otherwise change a run: whoever works on it gives way after the sub-batch.';
