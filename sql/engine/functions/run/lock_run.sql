create or replace function imago.lock_run(run_id bigint, shared boolean default false, wait_ms integer default null)
returns imago.run
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  run imago.run;
begin
  perform set_config('lock_timeout', coalesce(wait_ms, imago.setting_number('state_lock_timeout_ms'))::text, true);
  -- Row locks are not fair: without the advisory lock, callers whose batches overlap would keep a transition waiting for ever.
  if shared then
    perform pg_advisory_xact_lock_shared(imago.run_lock_key(run_id));
    select r.* into run from imago.run r where r.id = run_id for share;
  else
    perform pg_advisory_xact_lock(imago.run_lock_key(run_id));
    -- Not for update: a sync in the app's transaction refers to the run and would hold it up until that ends.
    select r.* into run from imago.run r where r.id = run_id for no key update;
  end if;
  return run;
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', (select r.plan from imago.run r where r.id = run_id));
end
$$;
comment on function imago.lock_run(bigint, boolean, integer) is 'Holds a run and re-reads it: alone, or shared with others who move entities. Alone it waits for the batches in flight; shared, no transition happens under a batch. IM016 when the others take too long.';
