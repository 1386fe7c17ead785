create or replace function imago.lock_run(run_id bigint)
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  old_timeout text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
  perform pg_advisory_xact_lock(imago.run_lock_key(run_id));
  -- Not for update: a sync in the app's transaction refers to the run and would hold it up until that ends.
  select r.* into run from imago.run r where r.id = run_id for no key update;
  perform set_config('lock_timeout', old_timeout, true);
  return run;
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', (select r.plan from imago.run r where r.id = run_id));
end
$$;
comment on function imago.lock_run(bigint) is 'Holds a run alone, once the batches in flight have ended, and re-reads it; IM016 when they take too long.';
