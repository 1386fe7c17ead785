create or replace function imago.is_transition_waiting(run_id bigint)
returns boolean
language plpgsql
volatile
set search_path = ''
-- Not plain SQL, which would be planned anew at each of the many calls of a batch.
as $$
begin
  return (
    select exists (
      select from pg_catalog.pg_locks l
      where l.locktype = 'advisory' and not l.granted and l.mode = 'ExclusiveLock' and l.objsubid = 1
        and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        and l.classid::bigint << 32 | l.objid::bigint = imago.run_lock_key(run_id)));
end
$$;
comment on function imago.is_transition_waiting(bigint) is 'Whether somebody waits to pause, cancel or otherwise change a run: whoever works on it gives way after the sub-batch.';
