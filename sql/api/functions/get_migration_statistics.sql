create or replace function public.get_migration_statistics(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  found_plan imago.plan := imago.find_plan(plan);
  staged imago.plan;
  counted bigint;
  total bigint := 0;
  pending bigint := 0;
  own jsonb;
begin
  perform imago.check_source(found_plan);
  for staged in
    select s.* from imago.stages(found_plan) s where pg_catalog.to_regclass(format('%I.%I', s.source_schema, s.source_table)) is not null
  loop
    execute format('select count(*) from %I.%I', staged.source_schema, staged.source_table) into counted;
    total := total + counted;
  end loop;
  pending := imago.count_pending(found_plan);
  execute format('select %I.statistics()', found_plan.name) into own;
  return jsonb_build_object(
    'plan', plan, 'total_users', total, 'migrated_users', greatest(0, total - pending), 'users_needing_migration', pending,
    'migration_completion_percentage', imago.percentage(greatest(0, total - pending), pending)) || own;
end
$$;
comment on function public.get_migration_statistics(text) is 'Imago: exact counts of migrated users, users that need it, and avatars. Reads the whole table; get_detailed_migration_progress is cheaper on big ones.';
