create or replace function imago.transition_last_run(plan_name text, event text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  seen imago.run := imago.last_run(plan_name);
  run imago.run;
  next_state text;
begin
  perform imago.expect_session();
  perform imago.expect_writable(moving => false);
  if seen.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  run := imago.lock_last_run(plan_name);
  select t.to_state into next_state from imago.transition t where t.event = transition_last_run.event and t.from_state = seen.state;
  -- Who asked for the same at the same time was faster: then it is as it was asked for.
  if run.id <> seen.id or run.state = seen.state or run.state is distinct from next_state then
    next_state := imago.transition_run(run.id, event);
  end if;
  return jsonb_build_object('plan', plan_name, 'run', run.id, 'direction', run.direction, 'state', next_state);
end
$$;
comment on function imago.transition_last_run(text, text) is 'pause, resume or cancel for the newest run of a plan. No caller is refused for being second to ask for the same.';
