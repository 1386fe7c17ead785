create or replace function imago.change_state(plan_name text, event text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run;
begin
  run := imago.unfinished_run(plan_name);
  if run.id is null then
    run := imago.last_run(plan_name);
  end if;
  if run.id is null then
    perform imago.raise_error('IM022', plan_name);
  end if;
  perform imago.transit(run.id, event, reason => case event when 'retry' then 'asked for' end);
  return jsonb_build_object('plan', plan_name, 'run', run.id, 'direction', run.direction,
    'state', (select r.state from imago.run r where r.id = run.id));
end
$$;
comment on function imago.change_state(text, text) is 'pause, resume, cancel or retry for the newest run of a plan.';
