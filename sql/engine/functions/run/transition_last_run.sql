create or replace function imago.transition_last_run(plan_name text, event text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.last_run(plan_name);
begin
  if run.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  return jsonb_build_object('plan', plan_name, 'run', run.id, 'direction', run.direction, 'state', imago.transition_run(run.id, event));
end
$$;
comment on function imago.transition_last_run(text, text) is 'pause, resume or cancel for the newest run of a plan.';
