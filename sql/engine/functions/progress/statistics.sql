create or replace function imago.statistics(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  entities record;
  own_function text;
begin
  perform imago.expect_source(plan);
  select sum(s.total) as total, sum(s.migrated)::bigint as migrated, sum(s.pending)::bigint as pending, sum(s.outside)::bigint as outside into entities
  from imago.stage_figures(plan, true) s;
  own_function := format('%I.statistics()', plan.name);
  return imago.ask_plan(plan.name, 'function ' || own_function, 'select ' || own_function) || imago.guide_names(imago.plan_words(plan) || jsonb_build_object(
    'plan', plan.name, 'total', entities.total, 'migrated', entities.migrated, 'pending', entities.pending, 'outside', entities.outside, 'cohort', imago.cohort_json(plan.name),
    'percentage', imago.percentage(entities.migrated, entities.pending), 'total_is_estimate', false), 'users_needing_migration');
end
$$;
comment on function imago.statistics(text) is 'Exact counts of a plan''s entities, with what the plan adds to them.';
