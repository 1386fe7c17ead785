create or replace function imago.statistics(plan_name text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan imago.plan := imago.find_plan(plan_name);
  entities record;
  own jsonb;
begin
  perform imago.expect_source(plan);
  select * into entities from imago.count_entities(plan, true);
  execute format('select %I.statistics()', plan.name) into own;
  return own || imago.guide_names(imago.plan_words(plan) || jsonb_build_object(
    'plan', plan.name, 'total', entities.total, 'migrated', entities.migrated, 'pending', entities.pending,
    'percentage', imago.percentage(entities.migrated, entities.pending)), 'users_needing_migration');
end
$$;
comment on function imago.statistics(text) is 'Exact counts of a plan''s entities, with what the plan adds to them.';
