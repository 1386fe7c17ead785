create or replace function imago.performance(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  run imago.run := imago.last_moving_run(plan_name);
begin
  return imago.guide_names(imago.batch_statistics(run.id)) || imago.plan_words(plan) || imago.trouble_statistics(run) || imago.server_statistics()
    || imago.signal_statistics(run)
    || jsonb_build_object('plan', plan.name, 'run', run.id, 'direction', run.direction, 'state', coalesce(run.state, 'none'));
end
$$;
comment on function imago.performance(text) is 'Rates, batch times, errors, rows and WAL of the newest run that moves entities, and figures of the server.';
