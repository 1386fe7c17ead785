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
  return jsonb_build_object(
    'plan', plan, 'total_users', entities.total, 'migrated_users', entities.migrated, 'users_needing_migration', entities.pending,
    'migration_completion_percentage', imago.percentage(entities.migrated, entities.pending)) || own;
end
$$;
comment on function public.get_migration_statistics(text) is 'Imago: exact counts of migrated users, users that need it, and avatars. Reads the whole table; get_detailed_migration_progress is cheaper on big ones.';
