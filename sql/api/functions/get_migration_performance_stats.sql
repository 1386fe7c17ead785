create or replace function public.get_migration_performance_stats(plan text default 'avatars')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return imago.performance(plan);
end
$$;
comment on function public.get_migration_performance_stats(text) is 'Imago: rates, batch times and sizes, errors, rows and WAL of the newest run that migrates or rolls back. Times are p50, p95, p99 and max; the server''s connections and cache hits are there, too. Fixes of validate_migration have runs of their own. WAL is server-wide while a batch ran.';
