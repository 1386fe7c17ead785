create or replace function imago.others_at_work(run_id bigint)
returns boolean
language plpgsql
volatile
set search_path = ''
-- By what it takes the planner would rather plan it again each time.
set plan_cache_mode = force_generic_plan
-- Not plain SQL, which would be planned again at each call.
as $$
begin
  return exists (
    select from pg_catalog.pg_locks l
    where l.locktype = 'advisory' and l.granted and l.mode = 'ShareLock' and l.objsubid = 1 and l.pid <> pg_catalog.pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and l.classid::bigint << 32 | l.objid::bigint = imago.run_lock_key(run_id));
end
$$;
comment on function imago.others_at_work(bigint) is 'Whether another session is working on a run at this moment: each call holds the gate of its run shared.';
