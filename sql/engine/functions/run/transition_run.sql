create or replace function imago.transition_run(run_id bigint, event text, reason text default null, error_code text default null, error_detail text[] default null)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  run imago.run := imago.lock_run(run_id);
  next_state text;
begin
  select t.to_state into next_state
  from imago.transition t
  where t.event = transition_run.event and t.from_state = run.state;
  if not found then
    perform imago.raise_error('IM008', event, run.plan, run.state, imago.allowed_events(run.state));
  end if;

  begin
    update imago.run r set
      state = next_state,
      reason = transition_run.reason,
      error_code = transition_run.error_code,
      error_detail = transition_run.error_detail,
      started_at = case when next_state = 'running' then coalesce(r.started_at, clock_timestamp()) else r.started_at end,
      finished_at = case when next_state in ('succeeded', 'failed', 'cancelled') then clock_timestamp() end,
      findings = case when next_state <> 'running' then r.findings end
    where r.id = run_id;
  exception when unique_violation then
    -- A failed run is to go on, and somebody has just begun another one.
    perform imago.raise_error('IM016', run.plan);
  end;
  perform imago.write_log(
    run.plan, run_id, case when next_state = 'failed' then 'error' else 'info' end, 'state',
    jsonb_strip_nulls(jsonb_build_object('event', event, 'from', run.state, 'to', next_state, 'reason', reason, 'code', error_code)));
  perform imago.notify_state(r) from imago.run r where r.id = run_id;
  return next_state;
end
$$;
comment on function imago.transition_run(bigint, text, text, text, text[]) is 'One edge of imago.transition: waits for batches in flight (bounded, else IM016), checks, changes the state and logs.';
