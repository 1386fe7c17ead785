create or replace function public.forecast_migration(
  plan text default 'avatars',
  workers integer default 1,
  only_if_large boolean default false,
  cohort jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.forecast_plan(plan, workers, only_if_large, cohort);
end
$$;
comment on function public.forecast_migration(text, integer, boolean, jsonb) is 'Imago: what a whole run will write, in how long, and what it does not fit. Looks at replication slots, disk, write-ahead log a second and hours. Measures by a short dry run. workers: callers at the same time. only_if_large: not where nothing can be too small. cohort: as of migrate_batch.';
