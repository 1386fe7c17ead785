create or replace function public.get_migration_report(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.report(plan);
end
$$;
comment on function public.get_migration_report(text) is 'Imago: all figures of one moment. What get_detailed_migration_progress, get_migration_statistics and get_migration_performance_stats say.';
