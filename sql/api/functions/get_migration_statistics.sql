create or replace function public.get_migration_statistics(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.statistics(plan);
end
$$;
comment on function public.get_migration_statistics(text) is 'Imago: exact counts of what is migrated and what is pending, and what the plan counts besides (avatars). Reads the whole table; get_detailed_migration_progress is cheaper on big ones.';
