create or replace function public.get_migration_statistics(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  found_plan imago.plan := imago.find_plan(plan);
  entities record;
  own jsonb;
begin
  perform imago.expect_source(found_plan);
  select * into entities from imago.count_entities(found_plan, true);
  execute format('select %I.statistics()', found_plan.name) into own;
  return own || imago.guide_names(imago.plan_words(found_plan) || jsonb_build_object(
    'plan', plan, 'total', entities.total, 'migrated', entities.migrated, 'pending', entities.pending,
    'percentage', imago.percentage(entities.migrated, entities.pending)), 'users_needing_migration');
end
$$;
comment on function public.get_migration_statistics(text) is 'Imago: exact counts of what is migrated and what is pending, and what the plan counts besides (avatars). Reads the whole table; get_detailed_migration_progress is cheaper on big ones.';
