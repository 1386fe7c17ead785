create or replace function imago.share_run(run_id bigint, wait_ms integer default imago.setting_number('state_lock_timeout_ms'))
returns imago.run
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run;
  old_timeout text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', wait_ms::text, true);
  -- Row locks are not fair: without the gate, callers whose batches overlap would keep a transition waiting for ever.
  perform pg_advisory_xact_lock_shared(imago.run_lock_key(run_id));
  select r.* into run from imago.run r where r.id = run_id for share;
  perform set_config('lock_timeout', old_timeout, true);
  return run;
exception when lock_not_available or deadlock_detected then
  perform imago.raise_error('IM016', (select r.plan from imago.run r where r.id = run_id));
end
$$;
comment on function imago.share_run(bigint, integer) is 'Holds a run for share, so that no transition happens under a batch, and re-reads its state; IM016 when a transition is waiting or under way.';
