create or replace function imago.forecast_plan(plan_name text, workers integer, only_if_large boolean, cohort jsonb default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  tried jsonb;
begin
  if coalesce(workers, 0) < 1 then
    perform imago.raise_error('IM015', 'workers', coalesce(workers::text, 'null'), '1 or more');
  end if;
  if only_if_large is null then
    perform imago.raise_error('IM004', 'only_if_large');
  elsif only_if_large and not imago.is_worth_forecast(plan) then
    return imago.plan_words(plan) || jsonb_build_object('plan', plan_name, 'status', 'not_needed', 'problems', '[]'::jsonb);
  end if;
  tried := imago.dry_run(plan_name, 'full', null, imago.setting_number('forecast_ms')::integer, enough => imago.setting_number('forecast_sample')::bigint, cohort => cohort);
  return imago.plan_words(plan) || jsonb_build_object('plan', plan_name, 'status', tried -> 'status', 'stages', tried -> 'stages')
    || imago.forecast(plan, tried -> 'stages', workers);
end
$$;
comment on function imago.forecast_plan(text, integer, boolean, jsonb) is 'Rehearses for a moment, and says what a whole run will write, in how long, and what does not fit that.';
