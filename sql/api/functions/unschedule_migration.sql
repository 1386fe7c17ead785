create or replace function public.unschedule_migration(plan text default 'avatars')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.end_schedule(plan);
end
$$;
comment on function public.unschedule_migration(text) is 'Imago: pg_cron no longer drives the plan. The run stays as it is; any caller, or schedule_migration, goes on with it.';
