create or replace function imago.retry_failed(plan_name text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.last_run(plan_name);
  retried integer;
begin
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);
  if run.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  -- Alone: workers hold lanes, and here all late ones are opened again.
  run := imago.lock_last_run(plan_name);
  perform imago.expect_not_finalized(plan_name, run.direction);
  if run.state <> 'running' then
    perform imago.transition_run(run.id, 'retry', 'asked for');
  end if;
  delete from imago.failure f where f.plan = plan_name and f.direction = run.direction and f.kind in ('failed', 'deferred', 'too_large', 'unreachable');
  get diagnostics retried = row_count;
  delete from imago.standstill s where s.run = run.id;
  -- Lanes that were walked are walked once more by the late pass; the others simply go on.
  update imago.lane l set done = false, cursor_key = null, batch_size = 2000, deferrals = 0, waits_for = null, moved_before = null
  where l.run = run.id and l.pass = 'late';
  return jsonb_build_object('plan', plan_name, 'run', run.id, 'retried', retried, 'direction', run.direction,
    'state', (select r.state from imago.run r where r.id = run.id));
end
$$;
comment on function imago.retry_failed(text) is 'Forgets failures of the newest run and reopens its late pass.';
