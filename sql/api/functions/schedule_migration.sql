create or replace function public.schedule_migration(plan text default 'avatars', every interval default '10 seconds')
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.schedule(plan, every);
end
$$;
comment on function public.schedule_migration(text, interval) is 'Imago: lets pg_cron drive the unfinished run of a plan, or a new one, inside the database. Call again to change the interval. The job removes itself when the run ends.';
